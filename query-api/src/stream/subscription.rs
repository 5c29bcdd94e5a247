//! One subscription of a WebSocket conversation: what it has sent, and how much more it may.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::Utf8Bytes;
use platform::problem::Problem;

use super::end::End;
use super::feed::{Feed, STEP_EVENTS};
use super::frames::{self, ServerFrame};
use super::hub::Hub;
use super::lane::{Entry, Lane};
use super::socket::Output;
use super::words;

/// Most events that a client may have asked for and not got.
pub(super) const MAX_CREDIT: u32 = 10_000;
/// A checkpoint comes at least this often, and after so many positions.
const CHECKPOINT: Duration = Duration::from_secs(5);
const CHECKPOINT_POSITIONS: i64 = 1000;

/// One subscription.
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) feed: Feed,
    credit: u32,
    fields: Option<Vec<String>>,
    live: bool,
    behind_since: Option<Instant>,
    told_at: i64,
    told: Instant,
}

impl Subscription {
    pub(super) fn new(id: String, feed: Feed, credit: u32, fields: Option<Vec<String>>) -> Self {
        Self {
            id,
            told_at: feed.after,
            feed,
            credit: credit.min(MAX_CREDIT),
            fields,
            live: false,
            behind_since: None,
            told: Instant::now(),
        }
    }

    /// Whether there is something to look at and leave to send it.
    pub(super) fn wants(&self, reached: i64) -> bool {
        self.credit > 0 && self.feed.after < reached
    }

    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    pub(super) fn add_credit(&mut self, more: u32) {
        self.credit = self.credit.saturating_add(more).min(MAX_CREDIT);
    }

    /// Sends what comes next, as far as credit reaches.
    pub(super) async fn pump(
        &mut self,
        hub: &Hub,
        lane: &Lane,
        output: &mut Output,
    ) -> Result<(), End> {
        if self.credit == 0 {
            return Ok(());
        }
        let from = self.feed.after;
        let max = usize::try_from(self.credit).unwrap_or(STEP_EVENTS).min(STEP_EVENTS);
        let step = match self.feed.step(hub, lane, max).await {
            Ok(step) => step,
            Err(problem) => return self.failed(&problem, output).await,
        };
        if step.from_past && self.live {
            self.live = false;
            output.frame(&self.state(false, lane.cursors.write(self.feed.after))).await?;
        }
        let since = self.behind_since.unwrap_or_else(Instant::now);
        self.behind_since = (!step.caught_up).then_some(since);
        let sent = u32::try_from(step.entries.len()).unwrap_or(u32::MAX);
        self.credit = self.credit.saturating_sub(sent);
        for message in self.messages(lane, &step.entries) {
            let sent = output.text(message).await;
            sent.map_err(|end| end.after(&self.state(false, lane.cursors.write(from))))?;
        }
        if let Some(last) = step.entries.last() {
            self.told_at = last.position;
            self.told = Instant::now();
        }
        if self.feed.after - self.told_at >= CHECKPOINT_POSITIONS {
            self.tell(lane, output).await?;
        }
        if step.caught_up && !self.live {
            self.live = true;
            output.frame(&self.state(true, lane.cursors.write(self.feed.after))).await?;
        }
        Ok(())
    }

    /// Who wants all members of events is told in the same words as everybody else.
    fn messages(&self, lane: &Lane, entries: &[Arc<Entry>]) -> Vec<Utf8Bytes> {
        match &self.fields {
            None => lane.words.of(&self.id, entries),
            Some(fields) => words::messages(&self.id, entries, Some(fields)),
        }
    }

    async fn failed(&self, problem: &Problem, output: &mut Output) -> Result<(), End> {
        output.frame(&frames::error(Some(&self.id), problem)).await?;
        // The place is kept; the next step tries again.
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(())
    }

    /// That it has caught up, or fell behind.
    fn state(&self, live: bool, cursor: String) -> ServerFrame<'_> {
        let (id, at) = (&*self.id, platform::clock::now().to_string());
        if live {
            ServerFrame::Live { id, cursor, at }
        } else {
            ServerFrame::Behind { id, cursor, at }
        }
    }

    /// A checkpoint when the last word is old.
    pub(super) async fn checkpoint(&mut self, lane: &Lane, output: &mut Output) -> Result<(), End> {
        if self.told.elapsed() < CHECKPOINT {
            return Ok(());
        }
        self.tell(lane, output).await
    }

    async fn tell(&mut self, lane: &Lane, output: &mut Output) -> Result<(), End> {
        self.told = Instant::now();
        self.told_at = self.feed.after;
        let lag = self.behind_since.map_or(0, |since| since.elapsed().as_millis());
        let cursor = lane.cursors.write(self.feed.after);
        let lag_ms = u64::try_from(lag).unwrap_or(u64::MAX);
        output.frame(&ServerFrame::Ckpt { id: &self.id, cursor, lag_ms }).await
    }
}
