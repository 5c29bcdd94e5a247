//! What a caller may do now: the policy, the caller's roles, the session and the account, each with the version it was read at.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use events::identity::api_key::ApiKey;
use events::identity::issuer::Issuer;
use events::identity::organization::Organization;
use events::identity::session::Session;
use events::identity::user::User;
use events::rbac::policy::Policy;
use events::rbac::resolve::Effective;
use events::rbac::user_access::UserAccess;
use events::{ApiKeyId, Decider, TenantId, UserId};
use moka::sync::Cache;

use crate::aggregates::Aggregates;
use crate::clock;
use crate::fold::{FoldError, Folded};
use crate::principal::{ByKey, Principal};
use crate::redis::Away;

mod features;
mod files;
mod guard;
mod reach;
mod shared;
mod standing;
mod subject;
mod units;

pub use files::may_keep;
pub use guard::{authorize, check_at_work, in_person, lacking};
pub use reach::{LetsIn, PlanOf, check_shared};
use shared::Place;
pub use shared::Shared;
pub use standing::{KeyInUse, Rights, Standing, Versions};
pub use units::{Places, lacking_in};

const KEPT_EFFECTIVE: u64 = 50_000;
/// How long a reader may lean on versions it has checked; writers have theirs checked by every append.
pub const TRUSTED: Duration = Duration::from_millis(200);

/// Reads standings: from memory where the versions still hold, then from Redis, then from the log.
#[derive(Clone)]
pub struct Access {
    aggregates: Aggregates,
    shared: Option<Shared>,
    effective: Cache<(TenantId, UserId), Resolved>,
    /// What keys leave of their owners' sets, beside the sets that they were taken from.
    within: Cache<(TenantId, ApiKeyId), (Arc<Effective>, Arc<Effective>)>,
    checked: Cache<Principal, (Instant, Versions)>,
}

/// An effective set and what it was worked out from.
#[derive(Debug, Clone)]
struct Resolved {
    versions: Versions,
    effective: Arc<Effective>,
}

/// What this process knows of a user's rights without asking anybody.
enum Known {
    /// Worked out before.
    Kept(Resolved),
    /// Worked out now from what is folded here.
    Made(Resolved),
    /// Too little is folded here.
    Nothing,
}

impl Access {
    /// Reads through `aggregates`, with `shared` as the second level.
    pub fn new(aggregates: Aggregates, shared: Option<Shared>) -> Self {
        let checked = Cache::builder().max_capacity(KEPT_EFFECTIVE).time_to_live(TRUSTED).build();
        let (effective, within) = (Cache::new(KEPT_EFFECTIVE), Cache::new(KEPT_EFFECTIVE));
        Self { aggregates, shared, effective, within, checked }
    }

    /// The caller's standing as last known in this process; for decisions whose append names the versions.
    pub async fn last_known(&self, principal: &Principal) -> Result<Option<Standing>, FoldError> {
        self.standing(principal, Versions::default(), None).await
    }

    /// The caller's standing at versions not older than `least`, with the effective set where it has just been found.
    async fn standing(
        &self,
        principal: &Principal,
        least: Versions,
        found: Option<Resolved>,
    ) -> Result<Option<Standing>, FoldError> {
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
        let key = self.key(principal).await?;
        let issuer = match issuer_of(session.as_ref().map(|(_, session)| session)) {
            Some(issuer) => {
                let folded = self.aggregates.get::<Issuer>(tenant, &issuer).await?;
                Some((issuer, folded))
            }
            None => None,
        };
        let user = self.aggregates.get::<User>(tenant, &id).await?;
        let organization = self.aggregates.get::<Organization>(tenant, &tenant.to_string()).await?;
        let resolved = match found {
            Some(resolved) => resolved,
            None => match self.in_memory(tenant, user_id, &id) {
                Known::Kept(resolved) | Known::Made(resolved) if resolved.versions.reach(least) => {
                    resolved
                }
                Known::Kept(_) | Known::Made(_) | Known::Nothing => {
                    self.look_up(tenant, user_id, &id).await?
                }
            },
        };
        let Resolved { versions, effective } = resolved;
        let effective = self.within(principal, effective);
        Ok(Some(Standing {
            user_id,
            versions,
            user,
            session,
            key,
            issuer,
            organization,
            effective,
        }))
    }

    /// The API key that the caller acts by.
    async fn key(&self, principal: &Principal) -> Result<Option<KeyInUse>, FoldError> {
        let (Some(id), Some(ByKey { rotation, .. })) = (principal.actor.api_key_id, &principal.key)
        else {
            return Ok(None);
        };
        let (id, rotation) = (id.to_string(), *rotation);
        let folded = self.aggregates.get::<ApiKey>(principal.tenant, &id).await?;
        Ok(Some(KeyInUse { id, rotation, folded }))
    }

    /// What is left of an effective set for whoever acts by an API key: its scope never changes, so it is kept by the set.
    fn within(&self, principal: &Principal, all: Arc<Effective>) -> Arc<Effective> {
        let (Some(id), Some(key)) = (principal.actor.api_key_id, &principal.key) else {
            return all;
        };
        let place = (principal.tenant, id);
        match self.within.get(&place) {
            Some((of, within)) if Arc::ptr_eq(&of, &all) => within,
            Some(_) | None => {
                let within = Arc::new(all.within(&key.scope));
                self.within.insert(place, (all, Arc::clone(&within)));
                within
            }
        }
    }

    /// The caller's standing as the log has it, checked again when the last check is older than [`TRUSTED`].
    pub async fn current(&self, principal: &Principal) -> Result<Option<Standing>, FoldError> {
        if let Some((asked, versions)) = self.checked.get(principal)
            && asked.elapsed() < TRUSTED
        {
            return self.standing(principal, versions, None).await;
        }
        // Counted from before the log is asked, so that a slow answer is not trusted for longer.
        let asked = Instant::now();
        let found = self.renew(principal).await?;
        if let Some(found) = &found {
            self.checked.insert(principal.clone(), (asked, found.versions));
        }
        self.standing(principal, Versions::default(), found).await
    }

    /// Brings what is kept of the caller up to the log, with one round trip when nothing changed.
    pub async fn refresh(&self, principal: &Principal) -> Result<(), FoldError> {
        self.renew(principal).await?;
        Ok(())
    }

    /// Drops what processes share of an organisation that was purged.
    pub async fn forget(&self, tenant: TenantId) -> Result<(), Away> {
        match &self.shared {
            Some(shared) => shared.forget(tenant).await,
            None => Ok(()),
        }
    }

    async fn renew(&self, principal: &Principal) -> Result<Option<Resolved>, FoldError> {
        let Some(user_id) = principal.user() else { return Ok(None) };
        let (tenant, id) = (principal.tenant, user_id.to_string());
        // Whoever acts by a key acts in no session.
        let (by, proof) = match (principal.actor.api_key_id, principal.actor.session_id) {
            (Some(key), _) => (ApiKey::TYPE, key.to_string()),
            (None, session) => {
                (Session::TYPE, session.map(|session| session.to_string()).unwrap_or_default())
            }
        };
        // A session that is not folded here yet names its issuer only below; a key is no session, and has none.
        let issuer = issuer_of(self.aggregates.kept(tenant, &proof).as_ref()).unwrap_or_default();
        let kinds =
            [Policy::TYPE, UserAccess::TYPE, User::TYPE, by, Organization::TYPE, Issuer::TYPE];
        let organization = tenant.to_string();
        let ids = [&*organization, &id, &id, &proof, &organization, &issuer];
        let asked = if issuer.is_empty() { ids.len() - 1 } else { ids.len() };
        let (versions, epoch) = self.ask_log(tenant, &kinds[..asked], &ids[..asked]).await?;
        let at = |index: usize| versions.get(index).copied().unwrap_or_default();
        self.catch_up::<User>(tenant, &id, at(2)).await?;
        if by == ApiKey::TYPE {
            self.catch_up::<ApiKey>(tenant, &proof, at(3)).await?;
        } else {
            self.catch_up::<Session>(tenant, &proof, at(3)).await?;
        }
        self.catch_up::<Organization>(tenant, &organization, at(4)).await?;
        self.catch_up::<Issuer>(tenant, &issuer, at(5)).await?;
        match issuer_of(self.aggregates.kept(tenant, &proof).as_ref()) {
            Some(found) if found != issuer => {
                self.aggregates.refresh::<Issuer>(tenant, &found).await?;
            }
            Some(_) | None => {}
        }
        let versions = Versions { policy: at(0), access: at(1) };
        self.settle(Place { tenant, user: user_id, epoch, versions }, &id).await.map(Some)
    }

    /// What a standing rests on, at its versions or younger ones; folds what this process has not folded.
    pub async fn rights(&self, tenant: TenantId, of: &Standing) -> Result<Rights, FoldError> {
        self.fold(tenant, &of.user_id.to_string(), of.versions).await
    }

    /// Asks the log where streams stand, and in which epoch.
    async fn ask_log(
        &self,
        tenant: TenantId,
        kinds: &[&str],
        ids: &[&str],
    ) -> Result<(Vec<i64>, i32), FoldError> {
        let place = sqlx::query_as("select log.versions($1, $2, $3), epoch from log.head")
            .bind(tenant.0)
            .bind(kinds)
            .bind(ids)
            .fetch_one(self.aggregates.pool())
            .await?;
        Ok(place)
    }

    /// The effective set of somebody of whom too little is known here.
    async fn look_up(
        &self,
        tenant: TenantId,
        user: UserId,
        id: &str,
    ) -> Result<Resolved, FoldError> {
        let (kinds, ids) = ([Policy::TYPE, UserAccess::TYPE], [&*tenant.to_string(), id]);
        let (versions, epoch) = self.ask_log(tenant, &kinds, &ids).await?;
        let at = |index: usize| versions.get(index).copied().unwrap_or_default();
        let versions = Versions { policy: at(0), access: at(1) };
        self.settle(Place { tenant, user, epoch, versions }, id).await
    }

    /// The effective set at versions that the log was just asked for: from memory, from Redis, or by folding.
    async fn settle(&self, place: Place, id: &str) -> Result<Resolved, FoldError> {
        let Place { tenant, user, versions, .. } = place;
        // What is folded here anyway is cheap to bring up to date; what is not is left to who needs it.
        let policy = tenant.to_string();
        if self.aggregates.kept::<Policy>(tenant, &policy).is_some() {
            self.catch_up::<Policy>(tenant, &policy, versions.policy).await?;
        }
        if self.aggregates.kept::<UserAccess>(tenant, id).is_some() {
            self.catch_up::<UserAccess>(tenant, id, versions.access).await?;
        }
        match self.in_memory(tenant, user, id) {
            Known::Kept(resolved) if resolved.versions.reach(versions) => return Ok(resolved),
            Known::Made(resolved) if resolved.versions.reach(versions) => {
                if let Some(shared) = &self.shared {
                    shared.offer(Place { versions: resolved.versions, ..place }, &resolved);
                }
                return Ok(resolved);
            }
            Known::Kept(_) | Known::Made(_) | Known::Nothing => {}
        }
        let Some(shared) = &self.shared else {
            let rights = self.fold(tenant, id, versions).await?;
            return Ok(self.resolve(tenant, user, &rights));
        };
        if let Some(effective) = shared.get(&place).await {
            let resolved = Resolved { versions, effective: Arc::new(effective) };
            self.keep(tenant, user, &resolved);
            return Ok(resolved);
        }
        let rights = self.fold(tenant, id, versions).await?;
        let resolved = self.resolve(tenant, user, &rights);
        shared.put(Place { versions: resolved.versions, ..place }, &resolved);
        Ok(resolved)
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

    async fn fold(
        &self,
        tenant: TenantId,
        id: &str,
        versions: Versions,
    ) -> Result<Rights, FoldError> {
        let policy = self.at_least::<Policy>(tenant, &tenant.to_string(), versions.policy).await?;
        let access = self.at_least::<UserAccess>(tenant, id, versions.access).await?;
        Ok(Rights { policy, access })
    }

    async fn at_least<D: Decider>(
        &self,
        tenant: TenantId,
        id: &str,
        version: i64,
    ) -> Result<Folded<D>, FoldError> {
        match self.aggregates.kept::<D>(tenant, id) {
            Some(kept) if kept.version >= version => Ok(kept),
            Some(_) | None => self.aggregates.refresh(tenant, id).await,
        }
    }

    /// The effective set at the youngest versions known here, without asking anybody.
    fn in_memory(&self, tenant: TenantId, user: UserId, id: &str) -> Known {
        let kept = self.effective.get(&(tenant, user));
        let policy = self.aggregates.kept::<Policy>(tenant, &tenant.to_string());
        let access = self.aggregates.kept::<UserAccess>(tenant, id);
        if let Some(kept) = kept {
            let of = kept.versions;
            let than = |order: Ordering| {
                policy.as_ref().is_some_and(|policy| policy.version.cmp(&of.policy) == order)
                    || access.as_ref().is_some_and(|access| access.version.cmp(&of.access) == order)
            };
            let ended = || kept.effective.valid_until().is_some_and(|end| end <= clock::now());
            if !than(Ordering::Greater) && !ended() {
                metrics::counter!("access_effective_hits_total", "level" => "memory").increment(1);
                return Known::Kept(kept);
            }
            if than(Ordering::Less) {
                return Known::Nothing;
            }
        }
        match (policy, access) {
            (Some(policy), Some(access)) => {
                Known::Made(self.resolve(tenant, user, &Rights { policy, access }))
            }
            (None, _) | (_, None) => Known::Nothing,
        }
    }

    /// Works out the effective set for the organisation as a whole, and keeps it.
    fn resolve(&self, tenant: TenantId, user: UserId, rights: &Rights) -> Resolved {
        metrics::counter!("access_effective_resolved_total").increment(1);
        let effective = rights.holder(user, &[], clock::now()).effective();
        let resolved = Resolved { versions: rights.versions(), effective: Arc::new(effective) };
        self.keep(tenant, user, &resolved);
        resolved
    }

    fn keep(&self, tenant: TenantId, user: UserId, resolved: &Resolved) {
        metrics::counter!("access_effective_misses_total", "level" => "memory").increment(1);
        if self.effective.contains_key(&(tenant, user)) {
            metrics::counter!("access_effective_invalidations_total").increment(1);
        }
        self.effective.insert((tenant, user), resolved.clone());
    }
}

/// The issuer whose word a session rests on, if it does on one's.
fn issuer_of(session: Option<&Folded<Session>>) -> Option<String> {
    session?.state.issuer.map(|(issuer, _)| issuer.to_string())
}
