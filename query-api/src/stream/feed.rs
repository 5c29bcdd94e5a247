//! One subscriber's way through a stream: from the past in Postgres to what is live, by position, without gap or duplicate.

use std::sync::Arc;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use platform::db;
use platform::problem::Problem;
use sqlx::PgPool;

use super::hub::Hub;
use super::lane::{Entry, Lane, Slice};
use super::matching::Matcher;
use super::spec::Spec;

/// Events looked at in one step.
pub(crate) const STEP_EVENTS: usize = 128;
/// Steps that are looked back for one page; a narrow filter may need several pages to find something.
const EARLIER_STEPS: usize = 40;

/// One subscriber's place in a stream.
pub(crate) struct Feed {
    pub(crate) spec: Spec,
    pub(crate) filter: Option<Matcher>,
    /// Everything up to here has been delivered or does not belong to the stream.
    pub(crate) after: i64,
}

/// What a step brought.
pub(crate) struct Step {
    /// The events, in order.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// Whether the subscriber has everything that the lane has.
    pub(crate) caught_up: bool,
    /// Whether it had to be read from Postgres.
    pub(crate) from_past: bool,
}

impl Feed {
    /// The next events, at most `max`; none when there are none now.
    pub(crate) async fn step(
        &mut self,
        hub: &Hub,
        lane: &Lane,
        max: usize,
    ) -> Result<Step, Problem> {
        let (slice, from_past) = match lane.after(self.after, STEP_EVENTS) {
            Some(slice) => (slice, false),
            None => (hub.past(lane, &self.spec, self.after, STEP_EVENTS).await?, true),
        };
        let entries = self.take(slice, max);
        Ok(Step { entries, caught_up: self.after >= lane.reached(), from_past })
    }

    /// At most `max` events of the slice that belong here; the place moves to the last one looked at.
    fn take(&mut self, slice: Slice, max: usize) -> Vec<Arc<Entry>> {
        let mut taken = Vec::new();
        for entry in slice.entries {
            if taken.len() == max {
                return taken;
            }
            self.after = entry.position;
            if self.belongs(&entry) {
                taken.push(entry);
            }
        }
        self.after = self.after.max(slice.to);
        taken
    }

    fn belongs(&self, entry: &Entry) -> bool {
        let wanted = self.filter.as_ref().is_none_or(|filter| filter.holds(entry));
        wanted && self.spec.holds(entry)
    }
}

/// The last `max` events up to a position that belong to a stream, in order, and the position before them: 0 where nothing can
/// come before.
pub(crate) async fn earlier(
    (hub, lane): (&Hub, &Lane),
    feed: &Feed,
    max: usize,
) -> Result<(Vec<Arc<Entry>>, i64), Problem> {
    let (mut found, mut to) = (Vec::new(), feed.after);
    for _ in 0..EARLIER_STEPS {
        let entries = hub.earlier(lane, &feed.spec, to, STEP_EVENTS).await?;
        let last = entries.len() < STEP_EVENTS;
        for entry in entries {
            to = entry.position - 1;
            if feed.belongs(&entry) {
                found.push(Arc::new(entry));
                if found.len() == max {
                    break;
                }
            }
        }
        let full = found.len() == max;
        if last && !full {
            to = 0;
        }
        if last || full {
            break;
        }
    }
    found.reverse();
    Ok((found, to))
}

/// The position before the first event that was recorded at `time` or later. Times rise with positions, so it is searched
/// by halves.
pub(crate) async fn before(pool: &PgPool, lane: &Lane, time: Timestamp) -> Result<i64, Problem> {
    let mut transaction = db::begin_for(pool, lane.tenant).await?;
    let (mut low, mut high) = (0, lane.reached());
    while low < high {
        let middle = low + (high - low) / 2;
        let earlier: Option<(i64, bool)> = sqlx::query_as(
            "select position, recorded_at < $2 from log.events where position > $1 order by position limit 1",
        )
        .bind(middle)
        .bind(time.to_sqlx())
        .fetch_optional(&mut *transaction)
        .await?;
        match earlier {
            Some((position, true)) => low = position,
            Some((_, false)) | None => high = middle,
        }
    }
    transaction.commit().await?;
    Ok(low)
}
