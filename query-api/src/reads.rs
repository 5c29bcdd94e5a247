//! Who read what is sensitive: gathered in memory while answers go out, and told the log some minutes later, never on a
//! question's way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::{ApiKeyId, SessionId, TenantId};
use jiff::{SignedDuration, Timestamp};
use platform::clock;
use platform::dataset::{Column, Dataset, Query};
use platform::principal::Principal;
use serde::Serialize;

use crate::call::Call;
use crate::telling::{By, MOST, Story, Telling, dropped};

/// The trail's dataset, which is sensitive as a whole.
pub(crate) const TRAIL: &str = "audit.trail";
/// The dataset of its months that were brought back.
pub(crate) const RESTORED: &str = "audit.restored";
/// The name under which reading events themselves is recorded.
pub(crate) const EVENTS: &str = "audit.events";
/// What one caller reads of one dataset within this time is one record.
pub(crate) const WINDOW: SignedDuration = SignedDuration::from_mins(5);
const PATH: &str = "/audit-logs/reads";
/// Different filters kept of one record.
const FILTERS: usize = 5;

/// What was read lately.
pub(crate) struct Reads {
    telling: Arc<Telling>,
    gathered: Mutex<HashMap<Key, Record>>,
}

/// Who reads what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tenant: TenantId,
    reader: String,
    api_key_id: Option<ApiKeyId>,
    dataset: &'static str,
}

impl Key {
    fn of(by: &Principal, dataset: &'static str) -> Self {
        let (reader, api_key_id) = (by.actor.id.clone(), by.actor.api_key_id);
        Self { tenant: by.tenant, reader, api_key_id, dataset }
    }
}

/// What one caller read of one dataset, as command-api takes it.
#[derive(Debug, Clone, Serialize)]
struct Record {
    reader_kind: &'static str,
    reader_id: String,
    session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_id: Option<ApiKeyId>,
    dataset: &'static str,
    filters: Vec<String>,
    reads: u64,
    rows: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    /// The story of the first of the requests, for the record is of several.
    #[serde(skip)]
    story: Story,
}

impl Reads {
    pub(crate) fn new(telling: Arc<Telling>) -> Self {
        Self { telling, gathered: Mutex::default() }
    }

    /// Notes that rows of a dataset were shown, where that is worth a record.
    pub(crate) fn rows(&self, call: &Call, data: &'static Dataset, query: &Query, rows: usize) {
        let own = query.owner.is_some() && query.owner == call.me();
        if own || !is_sensitive(data, query) {
            return;
        }
        let filter = query.filter.as_ref().map(ToString::to_string).unwrap_or_default();
        self.note(call.by(), data.name, &filter, rows);
    }

    /// Notes a reading.
    pub(crate) fn note(&self, by: By<'_>, dataset: &'static str, filter: &str, rows: usize) {
        let (now, rows) = (clock::now(), rows as u64);
        let (key, actor) = (Key::of(by.principal, dataset), &by.principal.actor);
        let mut gathered = self.gathered();
        if gathered.len() >= MOST && !gathered.contains_key(&key) {
            dropped("full");
            return;
        }
        let record = gathered.entry(key).or_insert_with(|| Record {
            reader_kind: actor.kind.into(),
            reader_id: actor.id.clone(),
            session_id: actor.session_id,
            api_key_id: actor.api_key_id,
            dataset,
            filters: Vec::new(),
            reads: 0,
            rows: 0,
            first_at: now,
            last_at: now,
            story: Story::of(by),
        });
        record.reads += 1;
        record.rows += rows;
        record.last_at = now;
        if record.filters.len() < FILTERS && !record.filters.iter().any(|known| known == filter) {
            record.filters.push(filter.to_owned());
        }
    }

    /// Adds rows to a reading that goes on.
    pub(crate) fn more(&self, by: By<'_>, dataset: &'static str, rows: usize) {
        let key = Key::of(by.principal, dataset);
        if let Some(record) = self.gathered().get_mut(&key) {
            record.rows += rows as u64;
            record.last_at = clock::now();
        } else {
            self.note(by, dataset, "", rows);
        }
    }

    /// Has told what was first read before that moment.
    pub(crate) fn gather(&self, before: Timestamp) {
        let ended: Vec<(Key, Record)> =
            self.gathered().extract_if(|_, record| record.first_at <= before).collect();
        for (_, record) in ended {
            self.telling.add(record.story.clone(), PATH, &record);
        }
    }

    fn gathered(&self) -> MutexGuard<'_, HashMap<Key, Record>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an answer shows, or is chosen by, what is sensitive.
fn is_sensitive(data: &Dataset, query: &Query) -> bool {
    let sensitive = |column: &&Column| column.sensitive;
    if matches!(data.name, TRAIL | RESTORED)
        || query.fields.iter().copied().any(|column| sensitive(&column))
    {
        return true;
    }
    let chosen_by = query.fingerprint();
    data.columns.iter().filter(sensitive).any(|column| chosen_by.contains(column.key))
}

#[cfg(test)]
mod tests {
    use events::UserId;
    use events::testing::id;
    use platform::dataset::find;
    use serde_json::json;

    use super::*;
    use crate::telling::{asking, somebody};

    fn reads() -> Reads {
        Reads::new(Arc::new(Telling::nowhere()))
    }

    #[test]
    fn one_caller_and_dataset_are_one_record_however_often_it_is_read() {
        let (reads, one) = (reads(), somebody(1));
        for page in 0..100 {
            let filter = format!("level = {}", page / 10);
            reads.note(asking(&one, &format!("page {page}")), "identity.users", &filter, 50);
        }
        reads.note(asking(&somebody(2), ""), "identity.users", "", 1);
        reads.note(asking(&somebody(1), ""), EVENTS, "", 0);
        reads.more(asking(&somebody(1), ""), EVENTS, 10_000);
        reads.gather(Timestamp::MAX);
        let due = reads.telling.waiting();
        assert_eq!(due.len(), 3);
        assert!(reads.telling.stories().contains(&"page 0".to_owned()));
        let of = |reader: u128, dataset: &str| {
            let reader = json!(id::<UserId>(reader));
            let mut due = due.iter();
            let found = due.find(|it| it["reader_id"] == reader && it["dataset"] == dataset);
            let filters = |record: &serde_json::Value| record["filters"].as_array().map(Vec::len);
            found.map(|it| (it["reads"].as_u64(), it["rows"].as_u64(), filters(it)))
        };
        assert_eq!(of(1, "identity.users"), Some((Some(100), Some(5_000), Some(FILTERS))));
        assert_eq!(of(2, "identity.users"), Some((Some(1), Some(1), Some(1))));
        assert_eq!(of(1, EVENTS), Some((Some(1), Some(10_000), Some(1))));
    }

    #[test]
    fn a_reading_waits_until_its_minutes_are_over() {
        let reads = reads();
        reads.note(asking(&somebody(1), ""), "identity.users", "", 1);
        reads.gather(clock::now() - WINDOW);
        assert!(reads.telling.waiting().is_empty());
        reads.gather(clock::now());
        assert_eq!(reads.telling.waiting().len(), 1);
        assert!(reads.gathered().is_empty());
    }

    #[test]
    fn memory_is_bounded_and_what_is_too_much_is_dropped() {
        let reads = reads();
        for number in 0..MOST as u128 + 10 {
            reads.note(asking(&somebody(number), ""), "identity.users", "", 1);
        }
        reads.note(asking(&somebody(1), ""), "identity.users", "", 1);
        assert_eq!(reads.gathered().len(), MOST);
        reads.gather(Timestamp::MAX);
        reads.note(asking(&somebody(1), ""), "identity.users", "", 1);
        reads.gather(Timestamp::MAX);
        assert_eq!(reads.telling.waiting().len(), MOST);
    }

    #[tokio::test]
    async fn what_the_log_does_not_take_now_stays_due() {
        let reads = reads();
        reads.note(asking(&somebody(1), ""), "identity.users", "", 1);
        reads.gather(Timestamp::MAX);
        reads.telling.tell().await;
        assert_eq!(reads.telling.waiting().len(), 1);
    }

    #[test]
    fn what_is_sensitive_is_told_from_the_columns_shown_and_chosen_by() {
        let asked = |dataset: &str, fields: &str, filter: &str| {
            let data = find(dataset).unwrap();
            let query = Query::everything(data).unwrap().only(data, fields.split(',')).unwrap();
            is_sensitive(data, &query.filtered(data, filter, None).unwrap())
        };
        assert!(asked("identity.users", "handle,login_failures", ""));
        assert!(asked("identity.users", "handle", "login_failures > 3"));
        assert!(!asked("identity.users", "handle", "status = active"));
        assert!(asked("audit.trail", "action", ""));
        assert!(!asked("rbac.roles", "name", ""));
    }
}
