//! Rate limits: decided from what this process knows, at once; what was spent is settled with the other processes
//! through Redis a moment later. See docs/decisions for why.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use events::TenantId;
use moka::sync::Cache;

use crate::config::Settings;
use crate::lifecycle::Shutdown;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::redis::Redis;
use crate::secrets::{fingerprint, random};

/// How often processes tell each other what they let through.
const SETTLE: Duration = Duration::from_millis(100);
const KEPT: u64 = 200_000;
const KEPT_FOR: Duration = Duration::from_hours(1);
const SETTLED_AT_ONCE: usize = 500;

/// How many in how long: the generic cell rate algorithm lets the whole number through at once, and then one after the other
/// as time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The name that headers and problems use.
    pub name: &'static str,
    /// How many.
    pub most: u32,
    /// In how many seconds.
    pub seconds: u32,
}

impl Quota {
    fn window(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds))
    }

    fn interval(&self) -> Duration {
        self.window() / self.most.max(1)
    }
}

/// What is left of the limits that a request counted against.
#[derive(Debug, Clone, Default)]
pub struct Spent(Vec<Left>);

#[derive(Debug, Clone)]
struct Left {
    quota: Quota,
    rest: u128,
    /// Seconds until all of it is there again.
    full_in: u64,
}

impl Spent {
    /// The value of `RateLimit-Policy`.
    pub fn policies(&self) -> String {
        let mut text = String::new();
        for Left { quota: Quota { name, most, seconds }, .. } in &self.0 {
            let comma = if text.is_empty() { "" } else { ", " };
            let _never = write!(text, "{comma}\"{name}\";q={most};w={seconds}");
        }
        text
    }

    /// The value of `RateLimit`: of the limit that ends first.
    pub fn left(&self) -> String {
        let scarce = self.0.iter().min_by_key(|left| left.rest);
        scarce.map_or_else(String::new, |Left { quota, rest, full_in }| {
            format!("\"{}\";r={rest};t={full_in}", quota.name)
        })
    }
}

/// One count, as far as this process knows it.
#[derive(Debug)]
struct Cell(Mutex<Count>);

#[derive(Debug)]
struct Count {
    /// The theoretical arrival time: when everything spent will have come back.
    arrival: Instant,
    /// What the other processes have not been told of, in time.
    unsettled: Duration,
}

impl Cell {
    fn new() -> Self {
        Self(Mutex::new(Count { arrival: Instant::now(), unsettled: Duration::ZERO }))
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    /// How long until one more goes through; nothing if it does now.
    fn wait(&self, quota: &Quota, now: Instant) -> Option<Duration> {
        let backlog = self.arrival.saturating_duration_since(now);
        let over = (backlog + quota.interval()).saturating_sub(quota.window());
        (!over.is_zero()).then_some(over)
    }

    fn take(&mut self, quota: &Quota, now: Instant) {
        self.arrival = self.arrival.max(now) + quota.interval();
        self.unsettled += quota.interval();
    }

    fn left(&self, quota: Quota, now: Instant) -> Left {
        let backlog = self.arrival.saturating_duration_since(now);
        let rest = quota.window().saturating_sub(backlog);
        let rest = rest.as_nanos() / quota.interval().as_nanos().max(1);
        Left { quota, rest, full_in: backlog.as_secs() + u64::from(backlog.subsec_nanos() > 0) }
    }
}

/// The limits of one process.
pub struct Limits {
    user: Option<Quota>,
    tenant: Option<Quota>,
    address: Option<Quota>,
    login: Option<Quota>,
    cells: Cache<String, Arc<Cell>>,
    unsettled: Mutex<Vec<(String, Quota, Arc<Cell>)>>,
    redis: Option<Redis>,
}

/// Takes what a process let through off the common counts and answers what is spent of each, in microseconds. Redis' own clock
/// counts, so that those of the processes need not agree.
const SETTLING: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local backlogs = {}
for i, key in ipairs(KEYS) do
  local spent, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local arrival = math.max(tonumber(redis.call('GET', key) or '0'), now) + spent
  arrival = math.min(arrival, now + 2 * window)
  redis.call('SET', key, string.format('%.0f', arrival), 'PX', math.floor((arrival - now) / 1000) + 1)
  backlogs[i] = arrival - now
end
return backlogs";

impl Limits {
    /// The limits that the settings ask for.
    pub fn open(settings: &Settings) -> anyhow::Result<Arc<Self>> {
        let quota =
            |name, most: u32| (most > 0).then_some(Quota { name, most, seconds: MINUTE_SECONDS });
        Ok(Arc::new(Self {
            user: quota("user", settings.limit_user_per_minute),
            tenant: quota("tenant", settings.limit_tenant_per_minute),
            address: quota("address", settings.limit_address_per_minute),
            login: quota("login", settings.limit_login_per_minute),
            cells: Cache::builder().max_capacity(KEPT).time_to_idle(KEPT_FOR).build(),
            unsettled: Mutex::default(),
            redis: Redis::open(&settings.redis_url)?,
        }))
    }

    /// Counts a request of somebody known, and of `route` where that has a limit of its own. Our own services are not counted:
    /// what they do follows from what was.
    pub fn admit(&self, principal: &Principal, route: Option<Quota>) -> Result<Spent, Problem> {
        let Some(user) = principal.user() else { return Ok(Spent::default()) };
        let tenant = principal.tenant;
        let mut wanted = Vec::with_capacity(3);
        wanted.extend(self.user.map(|quota| (quota, key(tenant, quota.name, &user.to_string()))));
        wanted.extend(self.tenant.map(|quota| (quota, key(tenant, quota.name, ""))));
        let route = route.filter(|_| self.user.is_some());
        wanted.extend(route.map(|quota| (quota, key(tenant, quota.name, &user.to_string()))));
        self.take(wanted)
    }

    /// Counts a request of nobody known, by where it comes from.
    pub fn admit_address(&self, address: Option<std::net::IpAddr>) -> Result<Spent, Problem> {
        let (Some(quota), Some(address)) = (self.address, address) else {
            return Ok(Spent::default());
        };
        let digest = fingerprint(&address.to_string());
        self.take(vec![(quota, key(TenantId::default(), quota.name, &digest))])
    }

    /// Counts an attempt to sign in as somebody, wherever it comes from.
    pub fn admit_login(&self, organization: &str, login: &str) -> Result<Spent, Problem> {
        let Some(quota) = self.login else { return Ok(Spent::default()) };
        let name = format!("{}\n{}", organization.to_lowercase(), login.to_lowercase());
        self.take(vec![(quota, key(TenantId::default(), quota.name, &fingerprint(&name)))])
    }

    /// Takes one of each, or none of any.
    fn take(&self, wanted: Vec<(Quota, String)>) -> Result<Spent, Problem> {
        let now = Instant::now();
        let cell = |key: &str| {
            self.cells
                .get(key)
                .unwrap_or_else(|| self.cells.get_with(key.to_owned(), || Arc::new(Cell::new())))
        };
        let wanted: Vec<_> =
            wanted.into_iter().map(|(quota, key)| (quota, cell(&key), key)).collect();
        let refused: Vec<(&Quota, Duration)> = wanted
            .iter()
            .filter_map(|(quota, cell, _)| Some((quota, cell.count().wait(quota, now)?)))
            .collect();
        if !refused.is_empty() {
            return Err(exceeded(&refused));
        }
        let mut spent = Vec::with_capacity(wanted.len());
        for (quota, cell, key) in wanted {
            let mut count = cell.count();
            let first = count.unsettled.is_zero();
            count.take(&quota, now);
            spent.push(count.left(quota, now));
            drop(count);
            if first && self.redis.is_some() {
                self.unsettled().push((key, quota, cell));
            }
        }
        Ok(Spent(spent))
    }

    fn unsettled(&self) -> MutexGuard<'_, Vec<(String, Quota, Arc<Cell>)>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Settles with the other processes until the shutdown signal. While Redis is away each process counts alone.
    pub async fn run(self: Arc<Self>, shutdown: Shutdown) -> anyhow::Result<()> {
        let Some(redis) = self.redis.clone() else { return Ok(()) };
        while shutdown.sleep(SETTLE).await {
            self.settle(&redis).await;
        }
        Ok(())
    }

    async fn settle(&self, redis: &Redis) {
        let unsettled = std::mem::take(&mut *self.unsettled());
        for some in unsettled.chunks(SETTLED_AT_ONCE) {
            let mut command = ::redis::cmd("EVAL");
            command.arg(SETTLING).arg(some.len());
            for (key, ..) in some {
                command.arg(key);
            }
            for (_, quota, cell) in some {
                let spent = std::mem::take(&mut cell.count().unsettled);
                command.arg(micros(spent)).arg(micros(quota.window()));
            }
            match redis.ask::<Vec<u64>>(&command).await {
                Ok(backlogs) => {
                    let now = Instant::now();
                    for ((.., cell), backlog) in some.iter().zip(backlogs) {
                        let mut count = cell.count();
                        count.arrival = now + Duration::from_micros(backlog) + count.unsettled;
                    }
                }
                Err(error) => tracing::debug!(%error, "rate limits are not settled"),
            }
        }
    }
}

const MINUTE_SECONDS: u32 = 60;

/// The tenant comes first, in Redis as everywhere; the counts of nobody known are those of the nil tenant.
fn key(tenant: TenantId, quota: &str, whose: &str) -> String {
    format!("limit:{tenant}:{quota}:{whose}")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// With a random part, so that those who were refused together do not come back together.
fn exceeded(refused: &[(&Quota, Duration)]) -> Problem {
    let names = refused.iter().map(|(quota, _)| quota.name);
    for name in names.clone() {
        metrics::counter!("annals_rate_limited_total", "policy" => name).increment(1);
    }
    let longest = refused.iter().map(|(_, wait)| *wait).max().unwrap_or_default();
    let [part] = random::<1>();
    let wait = longest.mul_f64(1.0 + f64::from(part) / 1020.0).as_secs().saturating_add(1);
    let wait = u32::try_from(wait).unwrap_or(u32::MAX);
    Problem::quota_exceeded(names.map(str::to_owned).collect(), wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Quota = Quota { name: "ten", most: 10, seconds: 60 };
    const THREE: Quota = Quota { name: "three", most: 3, seconds: 60 };

    fn limits(redis_url: &str) -> Arc<Limits> {
        Limits::open(&Settings { redis_url: redis_url.into(), ..Settings::default() }).unwrap()
    }

    fn take(limits: &Limits, quota: Quota, key: &str) -> Result<Spent, Problem> {
        limits.take(vec![(quota, key.to_owned())])
    }

    #[test]
    fn lets_the_whole_number_through_at_once_and_then_one_by_one() {
        let (cell, start) = (Cell::new(), Instant::now());
        let mut count = cell.count();
        for _ in 0..10 {
            assert_eq!(count.wait(&TEN, start), None);
            count.take(&TEN, start);
        }
        let wait = count.wait(&TEN, start).expect("the number is used up");
        assert!(wait <= TEN.interval() && wait > TEN.interval() / 2, "{wait:?}");
        assert_eq!(count.wait(&TEN, start + TEN.interval()), None);
        count.take(&TEN, start + TEN.interval());
        assert!(count.wait(&TEN, start + TEN.interval()).is_some());
    }

    #[test]
    fn a_refusal_names_the_limit_and_takes_nothing_from_the_others() {
        let limits = limits("");
        let both = || vec![(TEN, "a".to_owned()), (THREE, "b".to_owned())];
        for _ in 0..3 {
            limits.take(both()).unwrap();
        }
        let problem = limits.take(both()).unwrap_err();
        assert_eq!((problem.status, problem.violated_policies), (429, vec!["three".to_owned()]));
        assert!((20..=30).contains(&problem.retry_after.unwrap()), "{:?}", problem.retry_after);
        let spent = take(&limits, TEN, "a").unwrap();
        assert_eq!(spent.policies(), "\"ten\";q=10;w=60");
        assert!(spent.left().starts_with("\"ten\";r=6;t=2"), "{}", spent.left());
    }

    #[tokio::test]
    async fn processes_count_together_through_redis() {
        let url = crate::testkit::engine("REDIS_URL").unwrap();
        let (one, two) = (limits(&url), limits(&url));
        let name = fingerprint(&crate::secrets::random_token());
        for _ in 0..6 {
            take(&one, TEN, &name).unwrap();
        }
        one.settle(one.redis.as_ref().unwrap()).await;
        for _ in 0..3 {
            take(&two, TEN, &name).unwrap(); // which knows nothing of the other's yet
        }
        two.settle(two.redis.as_ref().unwrap()).await;
        take(&two, TEN, &name).unwrap();
        assert_eq!(take(&two, TEN, &name).unwrap_err().status, 429);
        take(&one, TEN, &name).unwrap(); // it learns of it when it settles
        one.settle(one.redis.as_ref().unwrap()).await;
        assert_eq!(take(&one, TEN, &name).unwrap_err().status, 429);
    }

    #[tokio::test]
    async fn without_redis_a_process_counts_alone() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let limits = limits(&format!("redis://{free}"));
        for _ in 0..3 {
            take(&limits, THREE, "a").unwrap();
            limits.settle(limits.redis.as_ref().unwrap()).await;
        }
        assert_eq!(take(&limits, THREE, "a").unwrap_err().status, 429);
    }
}
