//! The one reader of the log behind all live streams: woken by the bus, never trusting it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use events::TenantId;
use futures::StreamExt as _;
use nats::tail::Tail;
use nats::{Bus, LogId};
use platform::dataset::{Bind, Statement};
use platform::lifecycle::Shutdown;
use platform::log::COLUMNS;
use platform::problem::Problem;
use sqlx::Row as _;
use sqlx::postgres::{PgArguments, PgRow};
use tokio::sync::{Notify, Semaphore};

use super::cursor::Cursors;
use super::lane::{Entry, Lane, Slice};
use super::spec::Spec;
use crate::ask::fetch;
use crate::readers::Readers;

/// Events read at once.
const PAGE_EVENTS: i64 = 1000;
/// The log's end is looked at this often while the bus is silent and somebody listens.
const POLL: Duration = Duration::from_millis(20);
/// A lane that the bus said nothing about is looked at this often.
const SWEEP: Duration = Duration::from_millis(200);
const AFTER_FAILURE: Duration = Duration::from_millis(200);
const TAIL_EVENTS: usize = 4096;
const LANES_AT_ONCE: usize = 4;
/// Subscribers that read their past from Postgres at the same time; the others wait.
const CATCHING_UP: usize = 4;

/// The lanes of all organisations that somebody follows.
pub(crate) struct Hub {
    readers: Arc<Readers>,
    key: [u8; 32],
    lanes: Mutex<HashMap<TenantId, Arc<Lane>>>,
    followed: Notify,
    catching_up: Semaphore,
    connections: AtomicUsize,
}

/// A connection that counts.
pub(crate) struct Counted(Arc<Hub>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
        metrics::gauge!("annals_stream_connections", "transport" => "websocket").decrement(1);
    }
}

/// A follower of a lane; the lane lives as long as it has one.
pub(crate) struct Followed {
    pub(crate) lane: Arc<Lane>,
    hub: Arc<Hub>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        let mut lanes = self.hub.lanes();
        if self.lane.listeners.fetch_sub(1, Ordering::AcqRel) == 1
            && lanes.get(&self.lane.tenant).is_some_and(|lane| Arc::ptr_eq(lane, &self.lane))
        {
            lanes.remove(&self.lane.tenant);
        }
        metrics::gauge!("annals_stream_followers").decrement(1);
    }
}

impl Hub {
    pub(crate) fn new(readers: Arc<Readers>, key: [u8; 32]) -> Self {
        Self {
            readers,
            key,
            lanes: Mutex::default(),
            followed: Notify::new(),
            catching_up: Semaphore::new(CATCHING_UP),
            connections: AtomicUsize::new(0),
        }
    }

    /// Counts a connection, unless there are as many as there may be.
    pub(crate) fn connect(self: &Arc<Self>, limit: usize) -> Option<Counted> {
        let before = self.connections.fetch_add(1, Ordering::AcqRel);
        metrics::gauge!("annals_stream_connections", "transport" => "websocket").increment(1);
        let counted = Counted(Arc::clone(self));
        (before < limit).then_some(counted)
    }

    /// The epoch of the log now.
    pub(crate) async fn epoch(&self) -> Result<i32, Problem> {
        Ok(self.head().await?.try_get("epoch")?)
    }

    /// Follows an organisation from now on. The lane begins at the present head; what came before is read by page.
    pub(crate) async fn follow(self: &Arc<Self>, tenant: TenantId) -> Result<Followed, Problem> {
        let nothing = Statement { sql: "select 1 where false".to_owned(), binds: Vec::new() };
        let place = fetch(&self.readers, tenant, &[], &nothing).await?.place;
        let lane = {
            let mut lanes = self.lanes();
            let lane = lanes.entry(tenant).or_insert_with(|| {
                let cursors = Cursors::new(self.key, tenant, place.epoch);
                Arc::new(Lane::new(tenant, cursors, place.head))
            });
            lane.listeners.fetch_add(1, Ordering::AcqRel);
            Arc::clone(lane)
        };
        self.followed.notify_one();
        metrics::gauge!("annals_stream_followers").increment(1);
        let followed = Followed { lane, hub: Arc::clone(self) };
        if followed.lane.cursors.epoch == place.epoch {
            return Ok(followed);
        }
        Err(Problem::unavailable("the log is being exchanged; connect again"))
    }

    /// Reads a page of a stream's past from Postgres: the events after `after` that belong to `spec`.
    pub(crate) async fn past(
        &self,
        lane: &Lane,
        spec: &Spec,
        after: i64,
        max: usize,
    ) -> Result<Slice, Problem> {
        let _turn = self.catching_up.acquire().await.map_err(|error| Problem::internal(&error))?;
        let limit = i64::try_from(max).unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS);
        let (entries, to, _) = self.read(lane, spec, after, limit).await?;
        Ok(Slice { entries: entries.into_iter().map(Arc::new).collect(), to })
    }

    /// The last events of a stream up to a position, latest first.
    pub(crate) async fn earlier(
        &self,
        lane: &Lane,
        spec: &Spec,
        to: i64,
        max: usize,
    ) -> Result<Vec<Entry>, Problem> {
        let _turn = self.catching_up.acquire().await.map_err(|error| Problem::internal(&error))?;
        let mut statement = Statement::default();
        let condition = spec.condition(&mut statement);
        let number = statement.bind(Bind::Integer(to));
        statement.sql = format!(
            "select {COLUMNS} from log.events e where e.position <= ${number} and {condition} \
             order by e.position desc limit {max}"
        );
        let asked = fetch(&self.readers, lane.tenant, &[], &statement).await?;
        let entries = asked.rows.iter().map(|row| Entry::of(row, &lane.cursors));
        Ok(entries.collect::<Result<Vec<_>, _>>()?)
    }

    /// Events after `after`, the position up to which there are no others, and the epoch.
    async fn read(
        &self,
        lane: &Lane,
        spec: &Spec,
        after: i64,
        limit: i64,
    ) -> Result<(Vec<Entry>, i64, i32), Problem> {
        let mut statement = Statement::default();
        let condition = spec.condition(&mut statement);
        let number = statement.bind(Bind::Integer(after));
        statement.sql = format!(
            "select {COLUMNS} from log.events e where e.position > ${number} and {condition} \
             order by e.position limit {limit}"
        );
        let asked = fetch(&self.readers, lane.tenant, &[], &statement).await?;
        let entries = asked.rows.iter().map(|row| Entry::of(row, &lane.cursors));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        let full = i64::try_from(entries.len()).is_ok_and(|read| read == limit);
        let to = match entries.last() {
            Some(last) if full => last.position,
            Some(_) | None => asked.place.head.max(after),
        };
        Ok((entries, to, asked.place.epoch))
    }

    /// Keeps all lanes up with the log, until the shutdown signal.
    pub(crate) async fn run(
        self: Arc<Self>,
        bus: Option<Bus>,
        shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let mut tail = None;
        let mut head = 0;
        let mut swept = Instant::now();
        while !shutdown.begun() {
            if self.lanes().is_empty() {
                tail = None; // nobody listens, so nothing has to pass through this process
                tokio::select! {
                    () = self.followed.notified() => {}
                    () = shutdown.wait() => break,
                }
            }
            if let (None, Some(bus)) = (&tail, &bus) {
                tail = self.subscribe(bus).await;
            }
            let woken = tokio::select! {
                woken = passed(tail.as_mut()) => woken,
                () = shutdown.wait() => break,
            };
            let due = match self.due(&woken, &mut head, &mut swept).await {
                Ok(due) => due,
                Err(problem) => {
                    tracing::warn!(code = problem.code, "the end of the log cannot be read");
                    shutdown.sleep(AFTER_FAILURE).await;
                    continue;
                }
            };
            futures::stream::iter(due)
                .for_each_concurrent(LANES_AT_ONCE, |lane| self.advance(lane))
                .await;
        }
        Ok(())
    }

    async fn head(&self) -> Result<PgRow, Problem> {
        let sql = "select position, epoch, born_at from log.head";
        let mut rows = self.readers.fetch(sql, || Ok(PgArguments::default())).await?;
        rows.pop().ok_or_else(|| Problem::internal(&"the log has no head"))
    }

    async fn subscribe(&self, bus: &Bus) -> Option<Tail> {
        let head = self.head().await.ok()?;
        let epoch = head.try_get("epoch").ok()?;
        let born_at: jiff_sqlx::Timestamp = head.try_get("born_at").ok()?;
        let log = LogId { epoch, born_us: born_at.to_jiff().as_microsecond() };
        Tail::subscribe(bus, log).await.ok()
    }

    /// The lanes to look at: those that the bus spoke of, and now and then all of them.
    async fn due(
        &self,
        woken: &[TenantId],
        head: &mut i64,
        swept: &mut Instant,
    ) -> Result<Vec<Arc<Lane>>, Problem> {
        if woken.is_empty() || swept.elapsed() >= SWEEP {
            let now: i64 = self.head().await?.try_get("position")?;
            *swept = Instant::now();
            let moved = now != *head;
            *head = now;
            let lanes = self.lanes();
            let behind = lanes.values().filter(|lane| moved || lane.reached() < now);
            return Ok(behind.cloned().collect());
        }
        let lanes = self.lanes();
        Ok(woken.iter().filter_map(|tenant| lanes.get(tenant)).cloned().collect())
    }

    /// Brings one lane up to the end of the log.
    async fn advance(&self, lane: Arc<Lane>) {
        while lane.is_followed() {
            let reached = lane.reached();
            match self.read(&lane, &Spec::All, reached, PAGE_EVENTS).await {
                Ok((_, _, epoch)) if epoch != lane.cursors.epoch => {
                    self.lanes().remove(&lane.tenant); // the next follower begins in the new epoch
                    lane.end();
                    return;
                }
                Ok((entries, to, _)) => {
                    let full = i64::try_from(entries.len()).is_ok_and(|read| read == PAGE_EVENTS);
                    if to > reached {
                        lane.extend(entries, to);
                    }
                    if !full {
                        return;
                    }
                }
                Err(problem) => {
                    tracing::warn!(code = problem.code, "live events cannot be read");
                    return;
                }
            }
        }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The organisations of which events passed on the bus; none when it was silent for the length of a poll.
async fn passed(tail: Option<&mut Tail>) -> Vec<TenantId> {
    let Some(tail) = tail else {
        tokio::time::sleep(POLL).await;
        return Vec::new();
    };
    let started = Instant::now();
    let Some(passed) = tail.next(TAIL_EVENTS, POLL).await else {
        // A subscription that has ended answers at once.
        tokio::time::sleep(POLL.saturating_sub(started.elapsed())).await;
        return Vec::new();
    };
    let mut tenants: Vec<_> = passed.messages.iter().map(|m| TenantId(m.tenant_id)).collect();
    tenants.sort_unstable();
    tenants.dedup();
    tenants
}
