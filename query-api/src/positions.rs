//! How far every projection has come, polled by one task for all who wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use platform::clock;
use platform::lifecycle::Shutdown;
use platform::problem::Problem;
use sqlx::FromRow as _;
use sqlx::postgres::PgArguments;
use tokio::sync::{Notify, watch};

use crate::readers::Readers;

/// The pause between two looks; longer when Postgres is so busy that a look takes longer.
const POLL: Duration = Duration::from_millis(1);
/// The pause while nobody is there but those who wait for any change.
const UNHURRIED: Duration = Duration::from_millis(20);
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// One projection, as it stood a moment ago.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Progress {
    pub(crate) position: i64,
    pub(crate) epoch: i32,
    pub(crate) state: String,
    pub(crate) last_event_at: Option<Timestamp>,
}

/// The log and all projections, as they stood a moment ago.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) head: i64,
    pub(crate) epoch: i32,
    pub(crate) projections: HashMap<String, Progress>,
}

/// A projection that is not where it should be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Behind {
    pub(crate) projection: String,
    pub(crate) events: i64,
    pub(crate) ms: i64,
    pub(crate) state: String,
}

/// The shared view, and those who wait for it to change.
pub(crate) struct Positions {
    latest: watch::Sender<Arc<Snapshot>>,
    waiting: AtomicUsize,
    /// Of those who wait, the ones in no hurry.
    unhurried: AtomicUsize,
    wake: Notify,
}

impl Positions {
    /// Reads the positions once.
    pub(crate) async fn read(readers: &Readers) -> Result<Self, Problem> {
        let snapshot = Arc::new(snapshot(readers).await?);
        Ok(Self {
            latest: watch::channel(snapshot).0,
            waiting: AtomicUsize::new(0),
            unhurried: AtomicUsize::new(0),
            wake: Notify::new(),
        })
    }

    /// Polls while somebody waits, until the shutdown signal.
    pub(crate) async fn run(&self, readers: &Readers, shutdown: &Shutdown) {
        while !shutdown.begun() {
            if self.waiting.load(Ordering::Acquire) == 0 {
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = shutdown.wait() => return,
                }
            }
            let asked = Instant::now();
            match snapshot(readers).await {
                Ok(snapshot) => {
                    self.latest.send_replace(Arc::new(snapshot));
                    let waiting = self.waiting.load(Ordering::Acquire);
                    let hurry = waiting > self.unhurried.load(Ordering::Acquire);
                    let pause = if hurry { POLL } else { UNHURRIED };
                    tokio::select! {
                        _ = shutdown.sleep(pause.max(asked.elapsed())) => {}
                        () = self.wake.notified(), if !hurry => {}
                    }
                }
                Err(problem) => {
                    tracing::warn!(problem.detail, "the positions of projections cannot be read");
                    shutdown.sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Waits until all of `projections` are further than `position`, or the log where there are none; whether they are. Not at all
    /// for one that is not moving.
    pub(crate) async fn moved(&self, projections: &[&str], position: i64, limit: Duration) -> bool {
        let mut latest = self.latest.subscribe();
        latest.mark_unchanged();
        let _waiting = Waiting::new(self, true);
        let reached = async {
            loop {
                // While nobody waited nobody looked, so what is known may be old.
                if latest.changed().await.is_err() {
                    return false;
                }
                let seen = Arc::clone(&latest.borrow_and_update());
                match seen.behind(projections, position + 1) {
                    None if projections.is_empty() && seen.head <= position => {}
                    None => return true,
                    Some(behind) if behind.state != "live" => return false,
                    Some(_) => {}
                }
            }
        };
        tokio::time::timeout(limit, reached).await.unwrap_or(false)
    }

    /// Waits until all of `projections` have reached `position`; not at all for one that is not moving.
    pub(crate) async fn reached(
        &self,
        projections: &[&str],
        position: i64,
        limit: Duration,
    ) -> Result<(), Behind> {
        let started = clock::now();
        let mut latest = self.latest.subscribe();
        latest.mark_unchanged();
        let _waiting = Waiting::new(self, false);
        let deadline = tokio::time::Instant::now() + limit;
        let outcome = loop {
            let changed = tokio::time::timeout_at(deadline, latest.changed()).await;
            let seen = Arc::clone(&latest.borrow_and_update());
            let Some(behind) = seen.behind(projections, position) else { break Ok(()) };
            if changed.is_err() || behind.state != "live" {
                break Err(behind);
            }
        };
        let waited = clock::now().duration_since(started).as_secs_f64();
        let label = if outcome.is_ok() { "reached" } else { "behind" };
        metrics::histogram!("annals_consistency_wait_seconds", "outcome" => label).record(waited);
        outcome
    }
}

impl Snapshot {
    /// The projection that is farthest behind `position`, preferring one that does not move at all.
    pub(crate) fn behind(&self, projections: &[&str], position: i64) -> Option<Behind> {
        let behind = projections.iter().filter_map(|name| self.one_behind(name, position));
        behind.max_by_key(|behind| (behind.state != "live", behind.events))
    }

    fn one_behind(&self, name: &str, position: i64) -> Option<Behind> {
        let Some(progress) = self.projections.get(name) else {
            return Some(Behind {
                projection: name.to_owned(),
                events: position,
                ms: 0,
                state: "absent".to_owned(),
            });
        };
        if progress.position >= position && progress.epoch == self.epoch {
            return None;
        }
        let ms = progress.last_event_at.map_or(0, |at| clock::now().duration_since(at).as_millis());
        Some(Behind {
            projection: name.to_owned(),
            events: (position - progress.position).max(0),
            ms: i64::try_from(ms).unwrap_or(i64::MAX),
            state: progress.state.clone(),
        })
    }
}

/// Somebody who waits; polling ends when the last is gone.
struct Waiting<'a> {
    positions: &'a Positions,
    unhurried: bool,
}

impl<'a> Waiting<'a> {
    fn new(positions: &'a Positions, unhurried: bool) -> Self {
        positions.unhurried.fetch_add(usize::from(unhurried), Ordering::AcqRel);
        positions.waiting.fetch_add(1, Ordering::AcqRel);
        positions.wake.notify_one();
        Self { positions, unhurried }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.positions.waiting.fetch_sub(1, Ordering::AcqRel);
        self.positions.unhurried.fetch_sub(usize::from(self.unhurried), Ordering::AcqRel);
    }
}

const SNAPSHOT: &str =
    "select h.position, h.epoch, c.projection, c.position, c.epoch, c.state, c.last_event_at
   from log.head h left join read.checkpoints c on true";

async fn snapshot(readers: &Readers) -> Result<Snapshot, Problem> {
    type Row = (
        i64,
        i32,
        Option<String>,
        Option<i64>,
        Option<i32>,
        Option<String>,
        Option<jiff_sqlx::Timestamp>,
    );
    let rows = readers.fetch(SNAPSHOT, || Ok(PgArguments::default())).await?;
    let mut snapshot = Snapshot::default();
    for row in &rows {
        let (head, epoch, name, position, of_epoch, state, last_event_at) = Row::from_row(row)?;
        (snapshot.head, snapshot.epoch) = (head, epoch);
        if let (Some(name), Some(position), Some(epoch), Some(state)) =
            (name, position, of_epoch, state)
        {
            let last_event_at = last_event_at.map(jiff_sqlx::Timestamp::to_jiff);
            snapshot.projections.insert(name, Progress { position, epoch, state, last_event_at });
        }
    }
    Ok(snapshot)
}
