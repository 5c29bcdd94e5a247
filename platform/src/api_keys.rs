//! API keys as programs send them: how one is written, whom it speaks for, and when it was last used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use events::identity::api_key::ApiKey;
use events::rbac::scope::Scope;
use events::{Actor, ActorKind, ApiKeyId, TenantId};
use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;
use uuid::Uuid;

use crate::aggregates::Aggregates;
use crate::bearer;
use crate::clock;
use crate::db::begin_for;
use crate::fold::{FoldError, Folded};
use crate::lifecycle::Shutdown;
use crate::principal::{ByKey, Principal};
use crate::problem::Problem;
use crate::secrets::{fingerprint, random_token};

/// How a key begins, for programs that look for secrets where none should be.
const PREFIX: &str = "annals-key";
/// Digits of SHA-256 at its end, by which such a program tells a key from what only looks like one.
const CHECK_DIGITS: usize = 8;
const SECRET_CHARS: usize = 43;
/// Prefix, tenant, key, secret and check, with dots between.
const CHARS: usize = PREFIX.len() + 32 + 32 + SECRET_CHARS + CHECK_DIGITS + 4;
const TELL_EVERY: Duration = Duration::from_secs(2);
/// The use of one key is told so often.
const TOLD_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Uses kept untold at once; more are forgotten.
const MOST: usize = 20_000;

/// A new key, to be shown once; its SHA-256 is what is kept.
pub fn make(tenant: TenantId, id: ApiKeyId) -> String {
    write(tenant, id, &random_token())
}

/// Whether a token is meant as a key of ours.
pub fn is_meant(token: &str) -> bool {
    token.starts_with(PREFIX)
}

fn write(tenant: TenantId, id: ApiKeyId, secret: &str) -> String {
    let body = bearer::name(PREFIX, tenant, id.0, secret);
    let check: String = fingerprint(&body).chars().take(CHECK_DIGITS).collect();
    format!("{body}.{check}")
}

/// The key that a token names, where it is one of ours to the letter.
fn named(token: &str) -> Option<(TenantId, ApiKeyId)> {
    if token.len() != CHARS {
        return None;
    }
    let (tenant, id) = bearer::named::<Uuid>(PREFIX, token)?;
    let secret = token.split('.').nth(3)?;
    let id = ApiKeyId(id);
    (write(tenant, id, secret) == token).then_some((tenant, id))
}

/// Reads keys, and remembers when they were used; clones share it.
#[derive(Clone)]
pub struct ApiKeys {
    aggregates: Aggregates,
    uses: Arc<Mutex<HashMap<(TenantId, ApiKeyId), Use>>>,
}

#[derive(Debug, Clone, Copy)]
struct Use {
    last: Timestamp,
    told: Timestamp,
}

impl ApiKeys {
    /// Reads keys through `aggregates`.
    pub fn new(aggregates: Aggregates) -> Self {
        Self { aggregates, uses: Arc::default() }
    }

    /// Whom a key speaks for; whether it still may is asked elsewhere, on every request. `stranger` is asked first where the
    /// log has to be looked into for it, so that guesses are counted before they cost anything.
    pub async fn verify(
        &self,
        token: &str,
        stranger: impl FnOnce() -> Result<(), Problem> + Send,
    ) -> Result<Arc<Principal>, Problem> {
        let refused = || Problem::token_refused("the API key is not valid; use another");
        let (tenant, id) = named(token).ok_or_else(refused)?;
        let (key_id, presented) = (id.to_string(), fingerprint(token));
        let now = clock::now();
        let kept = self.aggregates.kept::<ApiKey>(tenant, &key_id);
        let known = kept.and_then(|key| Some((key.state.rotation_of(&presented)?, key)));
        let known = known.filter(|(rotation, key)| key.state.alive(*rotation, now).is_ok());
        // What is not good here may be new, or have another secret or another end since.
        let (rotation, key) = if let Some(known) = known {
            known
        } else {
            stranger()?;
            let key = self.aggregates.refresh::<ApiKey>(tenant, &key_id).await;
            let key = key.map_err(unreadable)?;
            let rotation = key.state.rotation_of(&presented).ok_or_else(refused)?;
            key.state.alive(rotation, now).map_err(|rejection| ended(&rejection))?;
            (rotation, key)
        };
        self.note(tenant, id);
        Ok(Arc::new(speaking(tenant, id, rotation, &key)))
    }

    /// The caller that a key stands for which was good when it was used; for work that goes on afterwards.
    pub async fn speaking(
        aggregates: &Aggregates,
        tenant: TenantId,
        id: ApiKeyId,
    ) -> Result<Principal, FoldError> {
        let key = aggregates.get::<ApiKey>(tenant, &id.to_string()).await?;
        Ok(speaking(tenant, id, key.state.rotation, &key))
    }

    fn note(&self, tenant: TenantId, id: ApiKeyId) {
        let now = clock::now();
        let mut uses = self.lock();
        if let Some(used) = uses.get_mut(&(tenant, id)) {
            used.last = now;
        } else if uses.len() < MOST {
            uses.insert((tenant, id), Use { last: now, told: Timestamp::MIN });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, ApiKeyId), Use>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the database when keys were used, each at most once a minute, until the signal, and then what is left. What a
    /// crash loses is a minute at most.
    pub async fn run(self, pool: PgPool, shutdown: Shutdown) -> anyhow::Result<()> {
        while shutdown.sleep(TELL_EVERY).await {
            self.tell(&pool, TOLD_EVERY).await;
        }
        self.tell(&pool, SignedDuration::ZERO).await;
        Ok(())
    }

    async fn tell(&self, pool: &PgPool, pause: SignedDuration) {
        for (tenant, uses) in self.due(pause) {
            if let Err(error) = store(pool, tenant, &uses).await {
                tracing::warn!(%error, uses = uses.len(), "when API keys were used was not kept");
            }
        }
    }

    /// What is to be told now; what was not used since it was told is forgotten.
    fn due(&self, pause: SignedDuration) -> HashMap<TenantId, Vec<(ApiKeyId, Timestamp)>> {
        let mut due: HashMap<TenantId, Vec<_>> = HashMap::new();
        let mut uses = self.lock();
        let now = clock::now();
        let is_new = |used: &Use| used.told < used.last;
        uses.retain(|_, used| is_new(used) || now.duration_since(used.told) < TOLD_EVERY);
        let waited = |used: &Use| used.told.checked_add(pause).is_ok_and(|end| end <= now);
        for ((tenant, id), used) in uses.iter_mut().filter(|(_, used)| is_new(used)) {
            if waited(used) {
                used.told = used.last;
                due.entry(*tenant).or_default().push((*id, used.last));
            }
        }
        due
    }
}

fn speaking(tenant: TenantId, id: ApiKeyId, rotation: u32, key: &Folded<ApiKey>) -> Principal {
    let overlap = key.state.overlap.as_ref().filter(|_| rotation != key.state.rotation);
    let expires_at = overlap.map_or(key.state.expires_at, |(_, end)| *end);
    Principal {
        tenant,
        actor: Actor {
            kind: ActorKind::User,
            id: key.state.owner_id.to_string(),
            session_id: None,
            on_behalf_of: None,
            api_key_id: Some(id),
        },
        expires_at,
        key: Some(ByKey { scope: Scope::new(key.state.scope.clone()), rotation }),
        through: None,
    }
}

/// A key that was good and is no more.
pub(crate) fn ended(rejection: &events::identity::api_key::Rejection) -> Problem {
    Problem::token_refused(rejection.to_string())
}

fn unreadable(error: FoldError) -> Problem {
    match error {
        FoldError::Database(error) => error.into(),
        FoldError::Personal(error) => error.into(),
        error @ (FoldError::Decode(_) | FoldError::Gap { .. }) => Problem::internal(&error),
    }
}

async fn store(
    pool: &PgPool,
    tenant: TenantId,
    uses: &[(ApiKeyId, Timestamp)],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = uses.iter().map(|(id, _)| id.0).collect();
    let times: Vec<_> = uses.iter().map(|(_, at)| at.to_sqlx()).collect();
    let mut transaction = begin_for(pool, tenant).await?;
    sqlx::query(
        "insert into work.identity_api_key_uses as known (tenant_id, api_key_id, last_used_at)
         select $1, used.id, used.at from unnest($2::uuid[], $3::timestamptz[]) used (id, at)
         on conflict (tenant_id, api_key_id)
         do update set last_used_at = greatest(known.last_used_at, excluded.last_used_at)",
    )
    .bind(tenant.0)
    .bind(ids)
    .bind(times)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use events::testing::id;

    use super::*;

    fn good() -> String {
        write(id(1), id(2), &random_token())
    }

    #[test]
    fn a_key_names_its_tenant_and_itself_and_is_told_from_what_looks_like_one() {
        let key = good();
        assert_eq!(key.len(), CHARS);
        assert_eq!(named(&key), Some((id(1), id(2))));
        assert!(key.starts_with("annals-key.") && is_meant(&key));
        assert_ne!(key, good());
    }

    #[test]
    fn what_differs_by_a_letter_names_nothing() {
        let key = good();
        for at in 0..key.len() {
            let mut other = key.clone().into_bytes();
            other[at] = if other[at] == b'a' { b'b' } else { b'a' };
            assert_eq!(named(&String::from_utf8(other).unwrap()), None, "{at}");
            assert_eq!(named(&key[..at]), None, "{at}");
        }
        for other in [key.to_uppercase(), format!("{key} "), format!("{key}.x"), String::new()] {
            assert_eq!(named(&other), None, "{other}");
        }
    }
}
