//! The recent events of one organisation, read from the log once for all its subscribers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use axum::http::StatusCode;
use events::identity::api_key::ApiKey;
use events::identity::issuer::Issuer;
use events::identity::organization::Organization;
use events::identity::session::Session;
use events::identity::user::User;
use events::rbac::policy::Policy;
use events::rbac::user_access::UserAccess;
use events::{Decider as _, TenantId, UserId};
use platform::cloud_event::{self, Lifted};
use platform::log::Record;
use platform::problem::Problem;
use serde::Deserialize;
use sqlx::FromRow as _;
use sqlx::postgres::PgRow;
use tokio::sync::{broadcast, watch};

use super::cursor::{Cursors, Unusable};
use super::words::Words;

/// Most events kept; who is further behind reads from Postgres.
const KEPT_EVENTS: usize = 4096;
/// Most bytes of events kept.
const KEPT_BYTES: usize = 4 << 20;
const RIGHTS_KEPT: usize = 256;

/// One event, made ready once for all who get it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) position: i64,
    pub(crate) aggregate_type: String,
    pub(crate) aggregate_id: String,
    pub(crate) event_type: String,
    /// The user whom a notification is for.
    pub(crate) concerns: Option<UserId>,
    /// The event as `CloudEvents` JSON.
    pub(crate) json: String,
    /// The cursor that stands after it.
    pub(crate) cursor: String,
}

impl Entry {
    /// The module that the event belongs to.
    pub(crate) fn module(&self) -> &str {
        self.aggregate_type.split('.').next().unwrap_or_default()
    }

    /// Makes a row of the log ready.
    pub(crate) fn of(row: &PgRow, cursors: &Cursors) -> Result<Self, sqlx::Error> {
        let record = Record::from_row(row)?;
        let mut json = String::with_capacity(record.payload.len() + record.metadata.len() + 512);
        cloud_event::write(&record, &mut json);
        Ok(Self {
            position: record.position,
            aggregate_type: record.aggregate_type.to_owned(),
            aggregate_id: record.aggregate_id.to_owned(),
            event_type: record.event_type.to_owned(),
            concerns: concerns(&record),
            json,
            cursor: cursors.write(record.position),
        })
    }
}

/// A notification is made for a user, and everything else about it is done by that user.
fn concerns(record: &Record<'_>) -> Option<UserId> {
    #[derive(Deserialize)]
    struct Made {
        user_id: UserId,
    }
    if record.aggregate_type != "notifications.notification" {
        return None;
    }
    if let Ok(made) = serde_json::from_str::<Made>(record.payload) {
        return Some(made.user_id);
    }
    let metadata: Lifted<'_> = serde_json::from_str(record.metadata).unwrap_or_default();
    metadata.actor_id.and_then(|id| id.parse().ok())
}

/// What may have changed what somebody may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RightsChange {
    /// The organisation's policy.
    Everybody,
    /// Somebody's roles or account.
    User(String),
    /// A session.
    Session(String),
    /// An API key.
    ApiKey(String),
}

/// The recent events of one organisation.
pub(crate) struct Lane {
    pub(crate) tenant: TenantId,
    pub(crate) cursors: Cursors,
    ring: RwLock<Ring>,
    reached: watch::Sender<i64>,
    rights: broadcast::Sender<RightsChange>,
    pub(super) listeners: AtomicUsize,
    pub(super) words: Words,
    ended: AtomicBool,
}

/// Every event of the organisation after `from` up to `to`.
struct Ring {
    from: i64,
    to: i64,
    bytes: usize,
    entries: VecDeque<Arc<Entry>>,
}

/// Events, and the position up to which there are no others.
pub(crate) struct Slice {
    pub(crate) entries: Vec<Arc<Entry>>,
    pub(crate) to: i64,
}

impl Lane {
    /// A lane that knows nothing before `head`.
    pub(crate) fn new(tenant: TenantId, cursors: Cursors, head: i64) -> Self {
        let ring = Ring { from: head, to: head, bytes: 0, entries: VecDeque::new() };
        Self {
            tenant,
            cursors,
            ring: RwLock::new(ring),
            reached: watch::channel(head).0,
            rights: broadcast::channel(RIGHTS_KEPT).0,
            listeners: AtomicUsize::new(0),
            words: Words::default(),
            ended: AtomicBool::new(false),
        }
    }

    /// The position up to which the lane knows everything.
    pub(crate) fn reached(&self) -> i64 {
        *self.reached.borrow()
    }

    /// Tells when the lane gets further.
    pub(crate) fn progress(&self) -> watch::Receiver<i64> {
        self.reached.subscribe()
    }

    /// Tells what may have changed anybody's rights.
    pub(crate) fn rights(&self) -> broadcast::Receiver<RightsChange> {
        self.rights.subscribe()
    }

    /// The position from which a stream can go on after a cursor.
    pub(crate) fn resume(&self, cursor: &str) -> Result<i64, Problem> {
        let gone = |code, detail| Problem::new(StatusCode::GONE, code, detail);
        self.cursors.read(cursor, self.reached()).map_err(|unusable| match unusable {
            Unusable::Invalid => {
                Problem::bad_request("CURSOR_INVALID", "this is not a cursor of a stream of ours")
            }
            Unusable::EpochChanged => {
                gone("EPOCH_CHANGED", "the log was restored since; start without the cursor")
                    .with("epoch", self.cursors.epoch)
            }
            Unusable::Gone => {
                gone("CURSOR_GONE", "the log does not reach that far; start without the cursor")
            }
        })
    }

    /// Whether anybody listens.
    pub(crate) fn is_followed(&self) -> bool {
        self.listeners.load(Ordering::Acquire) > 0
    }

    /// Ends the lane: its epoch is over.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.reached.send_modify(|_| {});
    }

    /// Whether its epoch is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Takes in what follows on `reached()`, up to `to`.
    pub(crate) fn extend(&self, entries: Vec<Entry>, to: i64) {
        let changes: Vec<_> = entries.iter().filter_map(rights_change).collect();
        {
            let mut ring = self.write();
            for entry in entries {
                ring.bytes += entry.json.len();
                ring.entries.push_back(Arc::new(entry));
            }
            ring.to = to;
            while ring.entries.len() > KEPT_EVENTS || ring.bytes > KEPT_BYTES {
                let Some(oldest) = ring.entries.pop_front() else { break };
                ring.bytes -= oldest.json.len();
                ring.from = oldest.position;
            }
        }
        for change in changes {
            let _nobody_listens = self.rights.send(change);
        }
        self.reached.send_replace(to);
    }

    /// At most `max` events after `after`; nothing when the lane no longer knows what came right after it.
    pub(crate) fn after(&self, after: i64, max: usize) -> Option<Slice> {
        let ring = self.read();
        if after < ring.from {
            return None;
        }
        let start = ring.entries.partition_point(|entry| entry.position <= after);
        let entries: Vec<_> = ring.entries.iter().skip(start).take(max).cloned().collect();
        let all = start + entries.len() == ring.entries.len();
        let to = match entries.last() {
            Some(last) if !all => last.position,
            Some(_) | None => ring.to.max(after),
        };
        Some(Slice { entries, to })
    }

    fn read(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn rights_change(entry: &Entry) -> Option<RightsChange> {
    let id = || entry.aggregate_id.clone();
    let kind = entry.aggregate_type.as_str();
    // Which sessions rest on an issuer is not known here; it changes rarely.
    if [Policy::TYPE, Organization::TYPE, Issuer::TYPE].contains(&kind) {
        Some(RightsChange::Everybody)
    } else if kind == UserAccess::TYPE || kind == User::TYPE {
        Some(RightsChange::User(id()))
    } else if kind == Session::TYPE {
        Some(RightsChange::Session(id()))
    } else if kind == ApiKey::TYPE {
        Some(RightsChange::ApiKey(id()))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use events::testing::id;

    use super::*;

    fn entry(position: i64, kind: &str) -> Entry {
        Entry {
            position,
            aggregate_type: kind.to_owned(),
            aggregate_id: "x".to_owned(),
            event_type: format!("{kind}.done"),
            concerns: None,
            json: "{}".repeat(100),
            cursor: String::new(),
        }
    }

    fn lane() -> Lane {
        Lane::new(id(1), Cursors::new([0; 32], id(1), 1), 10)
    }

    fn positions(slice: &Slice) -> Vec<i64> {
        slice.entries.iter().map(|entry| entry.position).collect()
    }

    #[test]
    fn what_follows_a_position_is_complete_or_refused() {
        let lane = lane();
        lane.extend(vec![entry(12, "a.b"), entry(15, "a.b")], 20);
        let slice = lane.after(10, 100).unwrap();
        assert_eq!((positions(&slice), slice.to), (vec![12, 15], 20));
        let slice = lane.after(10, 1).unwrap();
        assert_eq!((positions(&slice), slice.to), (vec![12], 12));
        let slice = lane.after(15, 100).unwrap();
        assert_eq!((positions(&slice), slice.to), (vec![], 20));
        assert!(lane.after(9, 100).is_none());
    }

    #[test]
    fn memory_is_bounded_and_what_was_dropped_is_known() {
        let lane = lane();
        let many = (11..=10_010).map(|position| entry(position, "a.b")).collect();
        lane.extend(many, 10_010);
        assert!(lane.after(5000, 1).is_none());
        let kept = lane.after(9000, 10_000).unwrap();
        assert_eq!(kept.entries.len(), 1010);
        assert!(lane.read().entries.len() <= KEPT_EVENTS && lane.read().bytes <= KEPT_BYTES);
    }

    #[tokio::test]
    async fn changes_of_rights_are_told() {
        let lane = lane();
        let mut rights = lane.rights();
        lane.extend(vec![entry(11, Policy::TYPE), entry(12, "a.b"), entry(13, Session::TYPE)], 13);
        assert_eq!(rights.recv().await, Ok(RightsChange::Everybody));
        assert_eq!(rights.recv().await, Ok(RightsChange::Session("x".into())));
    }
}
