//! Folded aggregates kept in memory by version, so that a decision or a check costs no read of the log.

use std::any::Any;
use std::sync::Arc;

use events::{Decider, TenantId};
use moka::Equivalent;
use moka::sync::Cache;
use sqlx::PgPool;

use crate::fold::{FoldError, Folded, fold_opening};
use crate::personal::Personal;

type Key = (&'static str, TenantId, String);

/// The same, borrowed: looking up allocates nothing.
#[derive(Hash)]
struct Named<'a>(&'static str, TenantId, &'a str);

impl Equivalent<Key> for Named<'_> {
    fn equivalent(&self, (kind, tenant, id): &Key) -> bool {
        (self.0, self.1, self.2) == (*kind, *tenant, id.as_str())
    }
}

/// The cache and the log behind it.
#[derive(Clone)]
pub struct Aggregates {
    pool: PgPool,
    personal: Option<Personal>,
    kept: Cache<Key, Arc<dyn Any + Send + Sync>>,
}

impl Aggregates {
    /// A cache of at most `capacity` aggregates.
    pub fn new(pool: PgPool, capacity: u64) -> Self {
        Self { pool, personal: None, kept: Cache::new(capacity) }
    }

    /// With what is personal in events opened; otherwise states hold it sealed.
    #[must_use]
    pub fn opening(self, personal: Personal) -> Self {
        Self { personal: Some(personal), ..self }
    }

    /// The aggregate as last known here: perhaps stale, which the append notices.
    pub async fn get<D: Decider>(
        &self,
        tenant: TenantId,
        id: &str,
    ) -> Result<Folded<D>, FoldError> {
        match self.kept::<D>(tenant, id) {
            Some(folded) => Ok(folded),
            None => self.refresh(tenant, id).await,
        }
    }

    /// The aggregate as the log has it now: what is kept, brought up to date.
    pub async fn refresh<D: Decider>(
        &self,
        tenant: TenantId,
        id: &str,
    ) -> Result<Folded<D>, FoldError> {
        let from = self.kept::<D>(tenant, id).unwrap_or_default();
        let folded =
            fold_opening::<D>(&self.pool, self.personal.as_ref(), tenant, id, from).await?;
        self.keep(tenant, id, folded.clone());
        Ok(folded)
    }

    /// What is kept of an aggregate.
    pub fn kept<D: Decider>(&self, tenant: TenantId, id: &str) -> Option<Folded<D>> {
        let kept = self.kept.get(&Named(D::TYPE, tenant, id))?;
        kept.downcast_ref::<Folded<D>>().cloned()
    }

    /// Keeps an aggregate, unless a newer version is kept already. That an aggregate is absent is kept as well; the cache
    /// admits by frequency, so probing for ids does not push out what is used.
    pub fn keep<D: Decider>(&self, tenant: TenantId, id: &str, folded: Folded<D>) {
        let key = (D::TYPE, tenant, id.to_owned());
        // Most are new; should another be kept in between, the append notices which of the two is stale.
        if !self.kept.contains_key(&key) {
            return self.kept.insert(key, Arc::new(folded));
        }
        self.kept.entry(key).and_upsert_with(|old| match old {
            Some(entry) if newer::<D>(entry.value(), folded.version) => entry.into_value(),
            _ => Arc::new(folded),
        });
    }

    /// The pool behind the cache.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

fn newer<D: Decider>(kept: &Arc<dyn Any + Send + Sync>, version: i64) -> bool {
    kept.downcast_ref::<Folded<D>>().is_some_and(|kept| kept.version > version)
}
