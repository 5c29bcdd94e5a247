//! The keys of issuers elsewhere: fetched when they are needed, kept for a while, and looked at again when an issuer changes them.

mod fetch;
mod keys;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use events::identity::issuer::Algorithm;
use jsonwebtoken::DecodingKey;
use moka::sync::Cache;
use tokio::sync::Mutex;

pub use token::{Malformed, Presented};

use fetch::Fetcher;
use keys::Keys;

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

/// A key, and when it was fetched.
struct Found {
    decoding: DecodingKey,
    fetched_at: Instant,
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
    async fn key(
        &self,
        source: &Source,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Found, KeyError> {
        let kept = self.kept(source);
        if let Some(held) = kept.held.load_full()
            && held.is_fresh(Instant::now())
            && let Some(found) = held.find(kid, algorithm)
        {
            return Ok(found);
        }
        let mut tries = kept.fetching.lock().await;
        let (now, held) = (Instant::now(), kept.held.load_full());
        let renewed = match held.as_ref().filter(|held| held.is_fresh(now)) {
            Some(held) => {
                if let Some(found) = held.find(kid, algorithm) {
                    return Ok(found); // fetched while we waited
                }
                self.look_again(source, &kept, &mut tries).await
            }
            None if over(tries.failed_at, TRY_AGAIN, now) => {
                self.renew(source, &kept, &mut tries).await
            }
            None => None,
        };
        let held = renewed.or_else(|| held.filter(|held| held.is_usable(now)));
        held.ok_or(KeyError::Unavailable)?.find(kid, algorithm).ok_or(KeyError::Unknown)
    }

    /// Another key than one that did not fit, of an issuer that does not name its keys and may have a new one.
    async fn another(&self, source: &Source, algorithm: Algorithm, than: &Found) -> Option<Found> {
        let kept = self.kept(source);
        let mut tries = kept.fetching.lock().await;
        let held = kept.held.load_full().filter(|held| held.fetched_at > than.fetched_at);
        let newer = match held {
            Some(held) => held,
            None => self.look_again(source, &kept, &mut tries).await?,
        };
        newer.find(None, algorithm)
    }

    fn kept(&self, source: &Source) -> Arc<Kept> {
        self.sets.get_with_by_ref(source, Arc::default)
    }

    /// Fetches a set that is fresh still, now and then.
    async fn look_again(
        &self,
        source: &Source,
        kept: &Kept,
        tries: &mut Tries,
    ) -> Option<Arc<Held>> {
        let now = Instant::now();
        if !over(tries.looked_at, LOOK_AGAIN, now) {
            return None;
        }
        tries.looked_at = Some(now);
        self.renew(source, kept, tries).await
    }

    async fn renew(&self, source: &Source, kept: &Kept, tries: &mut Tries) -> Option<Arc<Held>> {
        let fetched_at = Instant::now();
        match self.fetcher.fetch(source).await {
            Ok((keys, fresh_for)) => {
                count("fetched");
                tries.failed_at = None;
                let held = Arc::new(Held { keys, fetched_at, fresh_for });
                kept.held.store(Some(Arc::clone(&held)));
                Some(held)
            }
            Err(error) => {
                count("failed");
                let issuer = &source.issuer;
                tracing::warn!(
                    issuer,
                    error = format!("{error:#}"),
                    "an issuer's keys were not fetched"
                );
                tries.failed_at = Some(Instant::now());
                None
            }
        }
    }
}

impl Held {
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<Found> {
        let decoding = self.keys.pick(kid, algorithm)?;
        Some(Found { decoding, fetched_at: self.fetched_at })
    }

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
