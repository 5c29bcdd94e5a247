//! Redis as a memory that processes share: nothing depends on it, and nobody waits for it for long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, Cmd, FromRedisValue, RedisError};
use anyhow::Context as _;
use events::TenantId;

/// The longest wait for one answer.
pub const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// How many keys are looked at in one question.
const KEYS_AT_ONCE: u32 = 1_000;
/// How long a Redis that failed is left alone.
pub const REST: Duration = Duration::from_secs(1);

/// A connection that is made when first needed and made again when lost; clones share it.
#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
    breaker: Arc<Breaker>,
}

/// Why Redis gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Away {
    /// It failed a moment ago and is not asked.
    #[error("redis failed a moment ago and is left alone")]
    Resting,
    /// It took longer than anybody should wait.
    #[error("redis did not answer within {} ms", LONGEST_WAIT.as_millis())]
    Late,
    /// It cannot be reached, or refuses.
    #[error("redis failed")]
    Failed(#[from] RedisError),
}

impl Redis {
    /// A connection to `url`; none where it is empty. Reaches nobody yet.
    pub fn open(url: &str) -> anyhow::Result<Option<Self>> {
        if url.is_empty() {
            return Ok(None);
        }
        let client = Client::open(url).context("REDIS_URL is not a Redis URL")?;
        // The breaker decides when to try again.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(REST))
            .set_response_timeout(Some(LONGEST_WAIT));
        let connection = ConnectionManager::new_lazy_with_config(client, config)
            .context("REDIS_URL cannot be used")?;
        Ok(Some(Self { connection, breaker: Arc::default() }))
    }

    /// The answer to a command, waited for at most [`LONGEST_WAIT`].
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Away> {
        if !self.breaker.admits(Instant::now()) {
            return Err(Away::Resting);
        }
        let mut connection = self.connection.clone();
        let answer = tokio::time::timeout(LONGEST_WAIT, command.query_async(&mut connection)).await;
        let away = match answer {
            Ok(Ok(answer)) => {
                self.breaker.close();
                return Ok(answer);
            }
            // It is there; only what was asked for is of another kind.
            Ok(Err(error)) if error.code() == Some("WRONGTYPE") => {
                self.breaker.close();
                return Err(Away::Failed(error));
            }
            Ok(Err(error)) => Away::Failed(error),
            Err(_) => Away::Late,
        };
        self.breaker.open(Instant::now());
        Err(away)
    }
}

impl Redis {
    /// Whether nobody has set `key` before; from now on, and for `life`, somebody has.
    pub async fn is_first(&self, key: &str, life: Duration) -> Result<bool, Away> {
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        let mut command = ::redis::cmd("SET");
        command.arg(key).arg(1).arg("NX").arg("PX").arg(life);
        Ok(self.ask::<Option<String>>(&command).await?.is_some())
    }
}

impl Redis {
    /// Drops every key that names an organisation.
    pub async fn forget(&self, tenant: TenantId) -> Result<(), Away> {
        let named = format!("*{tenant}*");
        let mut cursor: u64 = 0;
        loop {
            let mut scan = ::redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&named).arg("COUNT").arg(KEYS_AT_ONCE);
            let (next, keys): (u64, Vec<String>) = self.ask(&scan).await?;
            if !keys.is_empty() {
                self.ask::<()>(::redis::cmd("UNLINK").arg(keys)).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}

/// Until when Redis is left alone.
#[derive(Default)]
struct Breaker(Mutex<Option<Instant>>);

impl Breaker {
    /// Whether to ask now. After a rest one caller tries for all.
    fn admits(&self, now: Instant) -> bool {
        let mut resting_until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *resting_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                *resting_until = Some(now + REST);
                true
            }
        }
    }

    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn open(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    fn ping() -> Cmd {
        ::redis::cmd("PING")
    }

    #[test]
    fn after_a_rest_one_caller_tries_for_all() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        assert!(breaker.admits(start) && breaker.admits(start));
        breaker.open(start);
        assert!(!breaker.admits(start + REST / 2));
        let later = start + REST;
        assert!(breaker.admits(later) && !breaker.admits(later));
        breaker.close();
        assert!(breaker.admits(later) && breaker.admits(later));
    }

    #[tokio::test]
    async fn a_redis_that_never_answers_is_waited_for_once() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", silent.local_addr().unwrap());
        let redis = Redis::open(&url).unwrap().unwrap();
        let began = Instant::now();
        assert!(matches!(redis.ask::<String>(&ping()).await, Err(Away::Late)));
        assert!(began.elapsed() >= LONGEST_WAIT && began.elapsed() < SOON);
        assert!(matches!(redis.ask::<String>(&ping()).await, Err(Away::Resting)));
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_left_alone() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let redis = Redis::open(&format!("redis://{free}")).unwrap().unwrap();
        assert!(matches!(redis.ask::<String>(&ping()).await, Err(Away::Failed(_))));
        assert!(matches!(redis.ask::<String>(&ping()).await, Err(Away::Resting)));
    }

    #[tokio::test]
    async fn no_url_means_no_redis_and_a_wrong_one_is_refused() {
        assert!(Redis::open("").unwrap().is_none());
        assert!(Redis::open("postgres://x").is_err());
    }
}
