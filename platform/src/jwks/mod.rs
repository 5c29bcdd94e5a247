//! The keys of issuers elsewhere: fetched when they are needed, kept for a while, and looked at again when an issuer changes them.

mod fetch;
mod keys;
mod reachable;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use events::identity::issuer::Algorithm;
use moka::sync::Cache;
use tokio::sync::Mutex;

pub use token::{Malformed, Presented};

use fetch::Fetcher;
use keys::{Key, Keys};

/// Key sets kept at most.
const KEPT: u64 = 1_000;
/// Between two looks for a key that a fresh set does not have.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Between two attempts at an issuer that does not answer.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// How long after its time a set is used while the issuer does not answer.
const STALE_MOST: Duration = Duration::from_hours(1);

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// The issuer's address.
    pub issuer: String,
    /// Its key set; by discovery when absent.
    pub jwks_uri: Option<String>,
}

/// Why there is no key to verify with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The issuer has no such key.
    #[error("the issuer has no such key")]
    Unknown,
    /// The issuer does not say which keys it has.
    #[error("the issuer's keys cannot be fetched")]
    Unavailable,
}

/// The key sets of every issuer that was asked for.
pub struct KeySets {
    fetcher: Fetcher,
    sets: Cache<Source, Arc<Kept>>,
}

/// One issuer's set, and who fetches it now: one at a time.
#[derive(Default)]
struct Kept {
    held: ArcSwapOption<Held>,
    fetching: Mutex<Tries>,
}

/// A set that was fetched.
struct Held {
    keys: Keys,
    fetched_at: Instant,
    fresh_for: Duration,
}

/// When fetching was last tried in vain, and when last for a key that a fresh set did not have.
#[derive(Default)]
struct Tries {
    failed_at: Option<Instant>,
    looked_at: Option<Instant>,
}

impl KeySets {
    /// Nothing fetched yet; issuers on this machine, and without TLS there, where `loopback` allows it.
    pub fn new(loopback: bool) -> anyhow::Result<Self> {
        Ok(Self { fetcher: Fetcher::new(loopback)?, sets: Cache::new(KEPT) })
    }

    /// The key that an issuer has signed with.
    pub(crate) async fn key(
        &self,
        source: &Source,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Key, KeyError> {
        let kept = self.sets.get_with_by_ref(source, Arc::default);
        if let Some(held) = kept.held.load_full()
            && held.is_fresh(Instant::now())
            && let Some(key) = held.keys.pick(kid, algorithm)
        {
            return Ok(key);
        }
        let mut tries = kept.fetching.lock().await;
        let (now, held) = (Instant::now(), kept.held.load_full());
        let worthwhile = match held.as_ref().filter(|held| held.is_fresh(now)) {
            Some(held) => {
                if let Some(key) = held.keys.pick(kid, algorithm) {
                    return Ok(key); // fetched while we waited
                }
                let pause_is_over = over(tries.looked_at, LOOK_AGAIN, now);
                tries.looked_at = if pause_is_over { Some(now) } else { tries.looked_at };
                pause_is_over
            }
            None => over(tries.failed_at, TRY_AGAIN, now),
        };
        if worthwhile {
            match self.fetcher.fetch(source).await {
                Ok((keys, fresh_for)) => {
                    count("fetched");
                    let key = keys.pick(kid, algorithm);
                    tries.failed_at = None;
                    let held = Held { keys, fetched_at: now, fresh_for };
                    kept.held.store(Some(Arc::new(held)));
                    return key.ok_or(KeyError::Unknown);
                }
                Err(error) => {
                    count("failed");
                    tracing::warn!(issuer = source.issuer, %error, "an issuer's keys were not fetched");
                    tries.failed_at = Some(now);
                }
            }
        }
        let held = held.filter(|held| held.is_usable(now)).ok_or(KeyError::Unavailable)?;
        held.keys.pick(kid, algorithm).ok_or(KeyError::Unknown)
    }
}

impl Held {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.fetched_at) < self.fresh_for
    }

    /// Whether it can be used still while there is no newer one.
    fn is_usable(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.fetched_at) < self.fresh_for + STALE_MOST
    }
}

fn over(last: Option<Instant>, pause: Duration, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= pause)
}

fn count(outcome: &'static str) {
    metrics::counter!("issuer_key_fetches_total", "outcome" => outcome).increment(1);
}
