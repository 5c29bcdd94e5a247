//! Everything that decides on access as it stood at one moment: the policy, the organisation, and some users.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;
use std::time::Duration;

use ::events::identity::organization::Organization;
use ::events::identity::user::User;
use ::events::rbac::policy::Policy;
use ::events::rbac::resolve::evidence::Fact;
use ::events::rbac::resolve::review::Person;
use ::events::rbac::user_access::UserAccess;
use ::events::{Decider as _, TenantId, UserId};
use moka::sync::Cache;
use platform::fold::Folded;
use platform::problem::Problem;

use crate::ask::Asked;
use crate::call::Call;
use crate::past::{Moment, Stream};

const PAST_KEPT: u64 = 8;
const PAST_KEPT_FOR: Duration = Duration::from_mins(5);

/// The state of access at one moment.
pub(super) struct States {
    pub(super) moment: Moment,
    pub(super) policy: Folded<Policy>,
    pub(super) organization: Folded<Organization>,
    users: HashMap<UserId, (Folded<User>, Folded<UserAccess>)>,
}

impl States {
    /// As it is now, or was at a moment, and where in the log the answer stands.
    pub(super) async fn read(
        call: &Call,
        at: Option<Moment>,
        users: &BTreeSet<UserId>,
    ) -> Result<(Asked, Self), Problem> {
        let streams = streams(call, users);
        let seen = match at {
            None => call.present(&streams).await?,
            Some(moment) => {
                let (asked, versions) = call.versions_at(moment.position, &streams).await?;
                (asked, moment, versions)
            }
        };
        Self::folded(call, users, seen).await
    }

    /// As it is now, to the freshness of the guard before every route.
    pub(super) async fn recent(
        call: &Call,
        users: &BTreeSet<UserId>,
    ) -> Result<(Asked, Self), Problem> {
        let seen = call.recent(streams(call, users)).await?;
        Self::folded(call, users, seen).await
    }

    async fn folded(
        call: &Call,
        users: &BTreeSet<UserId>,
        (asked, moment, versions): (Asked, Moment, Vec<i64>),
    ) -> Result<(Asked, Self), Problem> {
        let mut versions = versions.into_iter();
        let mut next = || versions.next().unwrap_or_default();
        let tenant = call.tenant().to_string();
        let policy = policy_at(call, &tenant, next()).await?;
        let organization = call.at_version(&tenant, next()).await?;
        let each = users.iter().map(|user| (user.to_string(), [next(), next()]));
        let each: Vec<(String, [i64; 2])> = each.collect();
        let of = |place: usize| -> Vec<(String, i64)> {
            each.iter().map(|(id, versions)| (id.clone(), versions[place])).collect()
        };
        let accounts = call.at_versions::<User>(&of(0)).await?;
        let accesses = call.at_versions::<UserAccess>(&of(1)).await?;
        let found = users.iter().copied().zip(accounts.into_iter().zip(accesses)).collect();
        Ok((asked, Self { moment, policy, organization, users: found }))
    }

    /// One of the users asked for, as access saw them then.
    pub(super) fn person(&self, user_id: UserId) -> Option<Person<'_>> {
        let (account, access) = self.users.get(&user_id)?;
        Some(Person {
            user_id,
            status: account.state.status,
            access: &access.state,
            policy: &self.policy.state,
            organization: &self.organization.state,
            now: self.moment.time,
        })
    }

    /// The version of a user's roles.
    pub(super) fn access_version(&self, user_id: UserId) -> i64 {
        self.users.get(&user_id).map_or(0, |(_, access)| access.version)
    }

    /// The version of a user's account.
    pub(super) fn account(&self, user_id: UserId) -> i64 {
        self.users.get(&user_id).map_or(0, |(account, _)| account.version)
    }

    /// The versions of what a fact hangs on: the policy, the user's roles and their account.
    pub(super) fn versions(&self, fact: &Fact) -> [i64; 3] {
        let (of_policy, user) = fact.hangs_on();
        let policy = if of_policy { self.policy.version } else { 0 };
        let of_user =
            |version: fn(&Self, UserId) -> i64| user.map_or(0, |user| version(self, user));
        [policy, of_user(Self::access_version), of_user(Self::account)]
    }

    /// The name that a user signs in with.
    pub(super) fn handle(&self, user_id: UserId) -> &str {
        self.users.get(&user_id).map_or("", |(account, _)| &account.state.handle)
    }
}

/// The policy at a version. One that is not the present one is kept for a while, because whoever reviews page by page asks for
/// the same moment again; few, because they can be large.
async fn policy_at(call: &Call, id: &str, version: i64) -> Result<Folded<Policy>, Problem> {
    static PAST: LazyLock<Cache<(TenantId, i64), Folded<Policy>>> = LazyLock::new(|| {
        Cache::builder().max_capacity(PAST_KEPT).time_to_idle(PAST_KEPT_FOR).build()
    });
    let key = (call.tenant(), version);
    if let Some(kept) = PAST.get(&key) {
        return Ok(kept);
    }
    let folded = call.at_version::<Policy>(id, version).await?;
    let present = call.app.aggregates.kept::<Policy>(call.tenant(), id);
    if present.is_some_and(|present| present.version > version) {
        PAST.insert(key, folded.clone());
    }
    Ok(folded)
}

fn streams(call: &Call, users: &BTreeSet<UserId>) -> Vec<Stream> {
    let tenant = call.tenant().to_string();
    let whole = [(Policy::TYPE, tenant.clone()), (Organization::TYPE, tenant)];
    let of_users = users.iter().flat_map(|user| {
        let id = user.to_string();
        [(User::TYPE, id.clone()), (UserAccess::TYPE, id)]
    });
    whole.into_iter().chain(of_users).collect()
}
