//! What a caller may do now: the policy, the caller's roles, the session and the account, each with the version it was read at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use events::identity::session::Session;
use events::identity::user::{Status, User};
use events::rbac::policy::Policy;
use events::rbac::resolve::{Effective, Holder, service_allows};
use events::rbac::user_access::UserAccess;
use events::{ActorKind, Decider, Permission, TenantId, UnitId, UserId};
use jiff::Timestamp;
use moka::sync::Cache;

use crate::aggregates::Aggregates;
use crate::clock;
use crate::fold::{FoldError, Folded};
use crate::principal::Principal;
use crate::problem::Problem;

const KEPT_EFFECTIVE: u64 = 50_000;
/// How long a reader may lean on versions it has checked; writers have theirs checked by every append.
pub const TRUSTED: Duration = Duration::from_millis(200);

/// A user's standing in an organisation, all of it at known versions.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whose it is.
    pub user_id: UserId,
    /// The organisation's roles and permissions.
    pub policy: Folded<Policy>,
    /// The roles assigned to the user.
    pub access: Folded<UserAccess>,
    /// The account.
    pub user: Folded<User>,
    /// The session in use, with its id.
    pub session: Option<(String, Folded<Session>)>,
    /// What follows for the organisation as a whole.
    pub effective: Arc<Effective>,
}

/// Reads standings, from memory where the versions still hold.
#[derive(Clone)]
pub struct Access {
    aggregates: Aggregates,
    effective: Cache<(TenantId, UserId), Arc<Resolved>>,
    checked: Cache<Principal, Instant>,
}

/// An effective set, and the versions and the time it holds for.
struct Resolved {
    policy: i64,
    access: i64,
    effective: Arc<Effective>,
}

impl Access {
    /// Reads through `aggregates`.
    pub fn new(aggregates: Aggregates) -> Self {
        let checked = Cache::builder().max_capacity(KEPT_EFFECTIVE).time_to_live(TRUSTED).build();
        Self { aggregates, effective: Cache::new(KEPT_EFFECTIVE), checked }
    }

    /// The caller's standing as last known in this process; for decisions whose append names the versions.
    pub async fn last_known(&self, principal: &Principal) -> Result<Option<Standing>, FoldError> {
        let Some(user_id) = principal.user() else { return Ok(None) };
        let (tenant, id) = (principal.tenant, user_id.to_string());
        let session = match principal.actor.session_id {
            Some(session) => {
                let session = session.to_string();
                let folded = self.aggregates.get::<Session>(tenant, &session).await?;
                Some((session, folded))
            }
            None => None,
        };
        let policy = self.aggregates.get::<Policy>(tenant, &tenant.to_string()).await?;
        let access = self.aggregates.get::<UserAccess>(tenant, &id).await?;
        let user = self.aggregates.get::<User>(tenant, &id).await?;
        let effective = self.resolve(tenant, user_id, &policy, &access);
        Ok(Some(Standing { user_id, policy, access, user, session, effective }))
    }

    /// The caller's standing as the log has it, checked again when the last check is older than [`TRUSTED`].
    pub async fn current(&self, principal: &Principal) -> Result<Option<Standing>, FoldError> {
        if self.checked.get(principal).is_none() {
            self.refresh(principal).await?;
            self.checked.insert(principal.clone(), Instant::now());
        }
        self.last_known(principal).await
    }

    /// Brings what is kept of the caller up to the log, with one round trip when nothing changed.
    pub async fn refresh(&self, principal: &Principal) -> Result<(), FoldError> {
        let Some(user_id) = principal.user() else { return Ok(()) };
        let (tenant, id) = (principal.tenant, user_id.to_string());
        let session =
            principal.actor.session_id.map(|session| session.to_string()).unwrap_or_default();
        let kinds = [Policy::TYPE, UserAccess::TYPE, User::TYPE, Session::TYPE];
        let ids = [tenant.to_string(), id.clone(), id.clone(), session.clone()];
        let versions: Vec<i64> = sqlx::query_scalar("select log.versions($1, $2, $3)")
            .bind(tenant.0)
            .bind(&kinds[..])
            .bind(&ids[..])
            .fetch_one(self.aggregates.pool())
            .await?;
        let at = |index: usize| versions.get(index).copied().unwrap_or_default();
        self.catch_up::<Policy>(tenant, &ids[0], at(0)).await?;
        self.catch_up::<UserAccess>(tenant, &id, at(1)).await?;
        self.catch_up::<User>(tenant, &id, at(2)).await?;
        self.catch_up::<Session>(tenant, &session, at(3)).await
    }

    async fn catch_up<D: Decider>(
        &self,
        tenant: TenantId,
        id: &str,
        version: i64,
    ) -> Result<(), FoldError> {
        let kept = self.aggregates.kept::<D>(tenant, id).map_or(0, |kept| kept.version);
        if kept < version {
            self.aggregates.refresh::<D>(tenant, id).await?;
        }
        Ok(())
    }

    /// The effective set for the organisation as a whole; computed once per pair of versions.
    fn resolve(
        &self,
        tenant: TenantId,
        user_id: UserId,
        policy: &Folded<Policy>,
        access: &Folded<UserAccess>,
    ) -> Arc<Effective> {
        let now = clock::now();
        let key = (tenant, user_id);
        if let Some(kept) = self.effective.get(&key)
            && kept.policy == policy.version
            && kept.access == access.version
            && kept.effective.valid_until().is_none_or(|until| until > now)
        {
            metrics::counter!("access_effective_hits_total").increment(1);
            return Arc::clone(&kept.effective);
        }
        metrics::counter!("access_effective_misses_total").increment(1);
        let effective = Arc::new(holder(user_id, policy, access, &[], now).effective());
        let resolved = Resolved {
            policy: policy.version,
            access: access.version,
            effective: Arc::clone(&effective),
        };
        self.effective.insert(key, Arc::new(resolved));
        effective
    }
}

fn holder<'a>(
    user_id: UserId,
    policy: &'a Folded<Policy>,
    access: &'a Folded<UserAccess>,
    unit_path: &'a [UnitId],
    now: Timestamp,
) -> Holder<'a> {
    Holder { policy: &policy.state, user_id, access: &access.state, unit_path, now }
}

impl Standing {
    /// The user seen at a unit and a moment, for answers that say why.
    pub fn holder<'a>(&'a self, unit_path: &'a [UnitId], now: Timestamp) -> Holder<'a> {
        holder(self.user_id, &self.policy, &self.access, unit_path, now)
    }

    /// Whether the account and the session still stand; a token outlives neither.
    pub fn check_session(&self, now: Timestamp) -> Result<(), Problem> {
        match self.user.state.status {
            Status::Active => {}
            Status::Absent | Status::Deactivated => {
                return Err(Problem::unauthenticated("the account is not active"));
            }
        }
        match &self.session {
            Some((_, session)) if session.state.alive(now).is_ok() => Ok(()),
            Some(_) => Err(Problem::unauthenticated("the session has ended; sign in again")),
            None => Err(Problem::unauthenticated("the token names no session; sign in again")),
        }
    }
}

/// Whether the caller may do what needs `permission`, anywhere in the organisation; `standing` is a user's.
pub fn authorize(
    principal: &Principal,
    standing: Option<&Standing>,
    permission: Permission,
) -> Result<(), Problem> {
    let allowed = match (principal.actor.kind, standing) {
        (ActorKind::User, Some(standing)) => standing.effective.permits(permission),
        (ActorKind::Service, _) => service_allows(&principal.actor.id, permission),
        (ActorKind::User, None) | (ActorKind::System, _) => false,
    };
    if allowed {
        return Ok(());
    }
    let detail = format!(
        "you need the permission {}; ask an administrator for a role that has it",
        permission.name()
    );
    Err(Problem::forbidden(detail).with("permission", permission.name()))
}
