//! Everything that decides on access as it stood at one moment: the policy, the organisation, and some users.

use std::collections::{BTreeSet, HashMap};

use ::events::Decider as _;
use ::events::UserId;
use ::events::identity::organization::Organization;
use ::events::identity::user::User;
use ::events::rbac::policy::Policy;
use ::events::rbac::resolve::review::Person;
use ::events::rbac::user_access::UserAccess;
use platform::fold::Folded;
use platform::problem::Problem;

use crate::ask::Asked;
use crate::call::Call;
use crate::past::{Moment, Stream};

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
        let policy = call.at_version(&tenant, next()).await?;
        let organization = call.at_version(&tenant, next()).await?;
        let mut found = HashMap::with_capacity(users.len());
        for user in users {
            let id = user.to_string();
            let account = call.at_version(&id, next()).await?;
            found.insert(*user, (account, call.at_version(&id, next()).await?));
        }
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

    /// The name that a user signs in with.
    pub(super) fn handle(&self, user_id: UserId) -> &str {
        self.users.get(&user_id).map_or("", |(account, _)| &account.state.handle)
    }
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
