//! Reactions: readers of the log that turn events into jobs, each from its own checkpoint.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use events::envelope::Recorded;
use metrics::{counter, gauge};
use nats::tail::Tail;
use nats::{Bus, LogId};
use platform::commands::Cause;
use platform::lifecycle::Shutdown;
use platform::log::{COLUMNS, recorded};
use sqlx::{PgConnection, PgPool};

use super::process::Matters;
use super::queue::{self, NewJob};
use super::{Effect, React, Reaction, id_caused_by, process, timers};

/// Without a wake-up the log is looked at this often.
const POLL: Duration = Duration::from_millis(500);
/// However often the bus wakes, the log is not looked at more often.
const PACE: Duration = Duration::from_millis(20);
const RETRY: Duration = Duration::from_secs(1);
/// Positions looked through in one transaction.
const SPAN: i64 = 20_000;
/// Events turned into jobs in one transaction.
const EVENTS: i64 = 1_000;
/// A checkpoint that moves over events of no interest is written when it moved so far.
const CHECKPOINT_EVERY: i64 = 5_000;

/// All reactions of a process.
pub(super) struct Reading {
    pub(super) pool: PgPool,
    pub(super) bus: Option<Bus>,
    pub(super) reactions: Vec<Reaction>,
    /// Attempts by kind of job.
    pub(super) limits: HashMap<&'static str, i32>,
    pub(super) shutdown: Shutdown,
}

/// How far a reaction is.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Everything up to here was looked at.
    known: i64,
    /// Everything up to here stays looked at after a restart.
    stored: i64,
}

impl Reading {
    /// Reads until the process ends; an outage is waited out.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut places = Vec::new();
        let mut wake = Wake { bus: self.bus.clone(), tail: None };
        let mut well = true;
        while !self.shutdown.begun() {
            let result = tokio::select! {
                result = self.round(&mut places) => result,
                () = self.shutdown.wait() => break,
            };
            let rest = match result {
                Ok(more) => {
                    if !std::mem::replace(&mut well, true) {
                        tracing::info!("reactions read the log again");
                    }
                    if more {
                        continue;
                    }
                    wake.next(&self.pool, &self.shutdown).await;
                    PACE
                }
                Err(error) => {
                    if std::mem::replace(&mut well, false) {
                        tracing::warn!(
                            error = format!("{error:#}"),
                            "reactions pause, trying again"
                        );
                    }
                    RETRY
                }
            };
            self.shutdown.sleep(rest).await;
        }
        Ok(())
    }

    /// Where the reactions stand, with a checkpoint for those that have none yet.
    async fn begin(&self) -> anyhow::Result<Vec<Place>> {
        let names: Vec<&str> = self.reactions.iter().map(|reaction| reaction.name).collect();
        sqlx::query(BEGIN).bind(&names).execute(&self.pool).await?;
        let stored: Vec<i64> =
            sqlx::query_scalar(STORED).bind(&names).fetch_all(&self.pool).await?;
        Ok(stored.into_iter().map(|stored| Place { known: stored, stored }).collect())
    }

    /// Brings every reaction up to the head of the log, a span at most; whether there is more. A reaction that fails does
    /// not hold up the others.
    async fn round(&self, places: &mut Vec<Place>) -> anyhow::Result<bool> {
        if places.is_empty() {
            *places = self.begin().await?;
        }
        let from = places.iter().map(|place| place.known).min().unwrap_or_default();
        let (head, seen): (i64, Vec<String>) =
            sqlx::query_as(LOOK).bind(from).bind(from + SPAN).fetch_one(&self.pool).await?;
        let seen: HashSet<String> = seen.into_iter().collect();
        let until = head.min(from + SPAN);
        let (mut more, mut failure) = (false, None);
        for (reaction, place) in self.reactions.iter().zip(places) {
            let of_interest = reaction.events.iter().any(|event| seen.contains(*event));
            let quiet = !of_interest && until - place.stored < CHECKPOINT_EVERY;
            if place.known < until && quiet {
                place.known = until; // nothing to do, and nothing to remember yet
            } else if place.known < until {
                match self.advance(reaction, *place, head).await {
                    Ok(reached) => *place = reached,
                    Err(error) => {
                        failure.get_or_insert(error.context(format!("reaction {}", reaction.name)));
                        continue;
                    }
                }
            }
            more |= place.known < head;
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            gauge!("reaction_lag_events", "reaction" => reaction.name)
                .set((head - place.known) as f64);
        }
        failure.map_or(Ok(more), Err)
    }

    /// One transaction of one reaction: its checkpoint and the jobs that follow; where it stands then. Another instance
    /// waits for the checkpoint's row, and goes on behind it.
    async fn advance(&self, reaction: &Reaction, place: Place, head: i64) -> anyhow::Result<Place> {
        let mut transaction = self.pool.begin().await?;
        let stored: i64 =
            sqlx::query_scalar(CHECKPOINT).bind(reaction.name).fetch_one(&mut *transaction).await?;
        let from = place.known.max(stored);
        let until = head.min(from + SPAN);
        if until <= from {
            return Ok(Place { known: from, stored });
        }
        let select = format!(
            "select {COLUMNS} from log.events e where e.position > $1 and e.position <= $2 \
             and e.event_type = any($3) order by e.position limit $4"
        );
        let rows = sqlx::query(&select)
            .bind(from)
            .bind(until)
            .bind(reaction.events)
            .bind(EVENTS)
            .fetch_all(&mut *transaction)
            .await?;
        let news = rows.iter().map(recorded).collect::<Result<Vec<_>, _>>()?;
        let full = i64::try_from(news.len()).is_ok_and(|count| count == EVENTS);
        let reached = news.last().filter(|_| full).map_or(until, |event| event.position);
        if news.is_empty() && reached - stored < CHECKPOINT_EVERY {
            return Ok(Place { known: reached, stored });
        }
        let added = self.apply(&mut transaction, reaction, &news).await?;
        sqlx::query(ADVANCE).bind(reaction.name).bind(reached).execute(&mut *transaction).await?;
        transaction.commit().await?;
        counter!("jobs_added_total", "reaction" => reaction.name).increment(added.len() as u64);
        self.announce(&added).await;
        Ok(Place { known: reached, stored: reached })
    }

    /// Makes and cancels jobs as the events say; the ones that are new.
    async fn apply(
        &self,
        transaction: &mut PgConnection,
        reaction: &Reaction,
        news: &[Recorded],
    ) -> anyhow::Result<Vec<NewJob>> {
        let limit = |kind: &str| self.limits.get(kind).copied().unwrap_or(1);
        let (mut added, mut jobs) = (Vec::new(), Vec::new());
        let mut matters = Matters::of(reaction.name);
        for event in news {
            let effects = match reaction.react {
                React::Event(react) => react(event),
                React::Process(manager) => manager.take(transaction, &mut matters, event).await,
            };
            let effects =
                effects.with_context(|| format!("the event at position {}", event.position))?;
            let tenant = event.tenant_id;
            let id = |step: &str| id_caused_by(reaction.name, &event.event_id.to_string(), step);
            for effect in effects {
                match effect {
                    Effect::Start { kind, subject_id, body } => {
                        let job_id = id(&format!("{kind}/{subject_id}"));
                        let cause = Cause::of(event);
                        jobs.push(NewJob { job_id, tenant, kind, subject_id, body, cause });
                    }
                    Effect::Give { step, path, body } => {
                        jobs.push(process::command(event, id(&step), (path, body)));
                    }
                    Effect::Cancel { kind, subject_id } => {
                        // In order: what was started before is there to be cancelled.
                        let before = std::mem::take(&mut jobs);
                        added.extend(queue::add(transaction, before, limit).await?);
                        queue::cancel(transaction, tenant, kind, &subject_id).await?;
                    }
                    Effect::Interrupt { kind, subject_id } => {
                        queue::interrupt(transaction, tenant, kind, &subject_id).await?;
                    }
                    Effect::Remind(reminder) => {
                        timers::set(transaction, tenant, &reminder).await?;
                    }
                    Effect::Forget { kind, subject_id } => {
                        timers::unset(transaction, tenant, kind, &subject_id).await?;
                    }
                }
            }
        }
        matters.keep(transaction).await?;
        added.extend(queue::add(transaction, jobs, limit).await?);
        Ok(added)
    }

    /// Wakes workers; who is not reached polls.
    async fn announce(&self, added: &[NewJob]) {
        let Some(bus) = &self.bus else { return };
        for job in added {
            let id = job.job_id.to_string();
            if let Err(error) = nats::jobs::enqueue(bus, job.kind, &id, Bytes::new()).await {
                tracing::debug!(%error, "could not wake workers, they poll");
                return;
            }
        }
    }
}

/// What ends the pause between two looks at the log.
struct Wake {
    bus: Option<Bus>,
    tail: Option<Tail>,
}

impl Wake {
    async fn next(&mut self, pool: &PgPool, shutdown: &Shutdown) {
        if self.tail.is_none()
            && let Some(bus) = self.bus.as_ref().filter(|bus| bus.is_connected())
        {
            self.tail = subscribe(pool, bus).await;
        }
        match &mut self.tail {
            Some(tail) => {
                tokio::select! {
                    _ = tail.next(usize::MAX, POLL) => {}
                    () = shutdown.wait() => {}
                }
            }
            None => {
                shutdown.sleep(POLL).await;
            }
        }
    }
}

async fn subscribe(pool: &PgPool, bus: &Bus) -> Option<Tail> {
    let (epoch, born_us): (i32, i64) = sqlx::query_as(
        "select epoch, (extract(epoch from born_at) * 1000000)::bigint from log.head",
    )
    .fetch_one(pool)
    .await
    .ok()?;
    Tail::subscribe(bus, LogId { epoch, born_us }).await.ok()
}

const LOOK: &str = "
    select h.position, array(
        select distinct e.event_type from log.events e where e.position > $1 and e.position <= $2)
      from log.head h";

const BEGIN: &str =
    "insert into work.reactions (name) select unnest($1::text[]) on conflict do nothing";

const STORED: &str = "
    select r.position from unnest($1::text[]) with ordinality n (name, at) join work.reactions r using (name) order by n.at";

const CHECKPOINT: &str = "select position from work.reactions where name = $1 for update";

const ADVANCE: &str = "update work.reactions set position = greatest(position, $2), changed_at = now() where name = $1";
