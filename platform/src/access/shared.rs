//! Effective permissions in Redis: what one process worked out need not be worked out by the next.

use std::sync::Arc;
use std::time::Duration;

use events::rbac::resolve::{Effective, edition};
use events::{TenantId, UserId};
use moka::sync::Cache;
use subtle::ConstantTimeEq as _;

use super::{Resolved, Versions};
use crate::clock;
use crate::lifecycle::detach;
use crate::redis::{Away, Redis};
use crate::secrets::{MasterKey, hmac};

/// The envelope: a signature, the head as one line of text, the set as JSON.
const FORMAT: u32 = 1;
const SIGNATURE_BYTES: usize = 32;
/// Nobody needs a value longer; versions tell what is stale.
const LIFE_SECONDS: u64 = 3600;
/// A set larger than this is worked out again rather than carried over the wire.
const MAX_BYTES: usize = 1024 * 1024;
/// One user's set is written at most this often by a process that did not miss it.
const PAUSE: Duration = Duration::from_secs(1);
const REMEMBERED: u64 = 10_000;

/// The second level of the cache; clones share it.
///
/// Redis is not trusted: a value counts only with our signature over the key, the epoch and the versions that were asked for.
#[derive(Clone)]
pub struct Shared {
    redis: Redis,
    key: [u8; 32],
    edition: Arc<str>,
    written: Cache<(TenantId, UserId), ()>,
}

/// Where a value belongs: whose it is, and what it must have been worked out from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) tenant: TenantId,
    pub(super) user: UserId,
    pub(super) epoch: i32,
    pub(super) versions: Versions,
}

impl Shared {
    /// The second level at `url`; none where it is empty.
    pub fn open(url: &str, master: &MasterKey) -> anyhow::Result<Option<Self>> {
        let Some(redis) = Redis::open(url)? else { return Ok(None) };
        let written = Cache::builder().max_capacity(REMEMBERED).time_to_live(PAUSE).build();
        let key = master.derive("effective-permissions/v1");
        Ok(Some(Self { redis, key, edition: edition().into(), written }))
    }

    /// The set worked out from exactly these versions, if it is there.
    pub(super) async fn get(&self, place: &Place) -> Option<Effective> {
        let found = self.redis.ask(::redis::cmd("GET").arg(place.key())).await;
        let found: Option<Vec<u8>> = match found {
            Ok(found) => found,
            Err(Away::Resting) => {
                metrics::counter!("access_effective_skipped_total", "level" => "redis")
                    .increment(1);
                return None;
            }
            Err(away @ (Away::Late | Away::Failed(_))) => {
                report(&away);
                return None;
            }
        };
        let effective = found.and_then(|bytes| self.open_value(place, &bytes));
        let outcome = if effective.is_some() {
            metrics::counter!("access_effective_hits_total", "level" => "redis")
        } else {
            metrics::counter!("access_effective_misses_total", "level" => "redis")
        };
        outcome.increment(1);
        effective
    }

    /// Keeps a set for others, beside the request; they find it sooner or later or never.
    pub(super) fn put(&self, place: Place, resolved: &Resolved) {
        self.written.insert((place.tenant, place.user), ());
        let (shared, effective) = (self.clone(), Arc::clone(&resolved.effective));
        detach(async move {
            let Some(value) = shared.value(&place, &effective) else { return };
            let mut command = ::redis::cmd("SET");
            command.arg(place.key()).arg(value).arg("EX").arg(LIFE_SECONDS);
            match shared.redis.ask::<()>(&command).await {
                Ok(()) | Err(Away::Resting) => {}
                Err(away @ (Away::Late | Away::Failed(_))) => report(&away),
            }
        });
    }

    /// As [`Self::put`], unless this process wrote one for the same user a moment ago: a policy that changes with every
    /// command should not be written with every command.
    pub(super) fn offer(&self, place: Place, resolved: &Resolved) {
        if self.written.get(&(place.tenant, place.user)).is_none() {
            self.put(place, resolved);
        }
    }

    /// Drops what is kept of an organisation.
    pub(super) async fn forget(&self, tenant: TenantId) -> Result<(), Away> {
        self.redis.forget(tenant).await
    }

    fn value(&self, place: &Place, effective: &Effective) -> Option<Vec<u8>> {
        let mut body = place.head(&self.edition).into_bytes();
        serde_json::to_writer(&mut body, effective).ok()?;
        let size = SIGNATURE_BYTES + body.len();
        (size <= MAX_BYTES).then(|| [&self.sign(place, &body)[..], &body].concat())
    }

    /// Another build's, another epoch's or another version's value is no value, and neither is one that we did not write.
    fn open_value(&self, place: &Place, bytes: &[u8]) -> Option<Effective> {
        let (signature, body) = bytes.split_at_checked(SIGNATURE_BYTES)?;
        let set = body.strip_prefix(place.head(&self.edition).as_bytes())?;
        if !bool::from(signature.ct_eq(&self.sign(place, body))) {
            return None;
        }
        let effective: Effective = serde_json::from_slice(set).ok()?;
        let live = effective.valid_until().is_none_or(|until| until > clock::now());
        live.then_some(effective)
    }

    fn sign(&self, place: &Place, body: &[u8]) -> [u8; SIGNATURE_BYTES] {
        hmac(&self.key, &[place.key().as_bytes(), b"\n", body].concat())
    }
}

impl Place {
    fn key(&self) -> String {
        format!("rbac:tenant:{}:user:{}", self.tenant, self.user)
    }

    fn head(&self, edition: &str) -> String {
        let Versions { policy, access } = self.versions;
        format!("{FORMAT} {edition} {} {policy} {access}\n", self.epoch)
    }
}

fn report(away: &Away) {
    metrics::counter!("access_effective_errors_total", "level" => "redis").increment(1);
    tracing::debug!(error = %away, "effective permissions are worked out without Redis");
}

#[cfg(test)]
mod tests {
    use events::testing::id;

    use super::*;

    fn shared(byte: u8) -> Shared {
        let master = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [byte; 32]);
        let master = MasterKey::parse(&master).unwrap();
        Shared::open("redis://127.0.0.1:1", &master).unwrap().unwrap()
    }

    fn place() -> Place {
        let versions = Versions { policy: 7, access: 3 };
        Place { tenant: id(1), user: id(2), epoch: 1, versions }
    }

    fn effective() -> Effective {
        let set = r#"{"catalogue":["rbac.roles:read"],"custom":["shop.till:see"],"patterns":[],
            "max_level":5,"valid_until":null}"#;
        serde_json::from_str(set).unwrap()
    }

    #[tokio::test]
    async fn a_value_is_read_where_it_belongs_and_nowhere_else() {
        let shared = self::shared(1);
        let value = shared.value(&place(), &effective()).unwrap();
        assert!(shared.open_value(&place(), &value).unwrap().allows("shop.till:see"));

        let at = |policy, access| Place { versions: Versions { policy, access }, ..place() };
        let elsewhere = [
            at(8, 3),
            at(6, 3),
            at(7, 4),
            at(7, 2),
            Place { epoch: 2, ..place() },
            Place { tenant: id(9), ..place() },
            Place { user: id(9), ..place() },
        ];
        for place in elsewhere {
            assert!(shared.open_value(&place, &value).is_none(), "{place:?}");
        }
        assert!(self::shared(2).open_value(&place(), &value).is_none());
        let other_build = Shared { edition: "0".into(), ..shared };
        assert!(other_build.open_value(&place(), &value).is_none());
    }

    #[tokio::test]
    async fn garbage_is_no_value() {
        let shared = shared(1);
        let value = shared.value(&place(), &effective()).unwrap();
        for length in 0..value.len() {
            assert!(shared.open_value(&place(), &value[..length]).is_none(), "{length} bytes");
        }
        for at in 0..value.len() {
            let mut flipped = value.clone();
            flipped[at] ^= 1;
            assert!(shared.open_value(&place(), &flipped).is_none(), "byte {at}");
        }
    }

    #[tokio::test]
    async fn a_set_that_has_ended_is_no_value() {
        let shared = shared(1);
        let set = serde_json::to_string(&effective()).unwrap();
        let until = |moment: &str| -> Effective {
            serde_json::from_str(&set.replace(":null", &format!(":\"{moment}\""))).unwrap()
        };
        let past = shared.value(&place(), &until("2020-01-01T00:00:00Z")).unwrap();
        assert!(shared.open_value(&place(), &past).is_none());
        let future = shared.value(&place(), &until("2120-01-01T00:00:00Z")).unwrap();
        assert!(shared.open_value(&place(), &future).is_some());
    }

    #[tokio::test]
    async fn a_key_begins_with_its_tenant_and_a_value_holds_no_secret() {
        let key = place().key();
        assert_eq!(key, format!("rbac:tenant:{}:user:{}", place().tenant, place().user));
        let value = shared(1).value(&place(), &effective()).unwrap();
        let body = String::from_utf8(value[SIGNATURE_BYTES..].to_vec()).unwrap();
        let (head, set) = body.split_once('\n').unwrap();
        assert_eq!(head, format!("1 {} 1 7 3", edition()));
        assert!(set.starts_with(r#"{"catalogue":["rbac.roles:read"],"#), "{set}");
    }
}
