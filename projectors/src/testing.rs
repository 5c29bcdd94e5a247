//! For tests of read models: given these events, the rows are these.

use std::collections::HashMap;

use events::envelope::{Recorded, encode};
use events::testing::{at, id};
use events::{Decider, TenantId};
use jiff::ToSpan as _;
use serde_json::Value;

use crate::model::{Fact, FoldError, ReadModel, Rows};

/// What has happened so far in organisation 0.
#[derive(Default)]
pub(crate) struct Past {
    facts: Vec<Fact>,
    versions: HashMap<String, i64>,
}

impl Past {
    /// Further events of one stream, a second apart.
    #[must_use]
    pub(crate) fn with<D: Decider>(
        mut self,
        stream: impl std::fmt::Display,
        events: impl IntoIterator<Item = D::Event>,
    ) -> Self {
        for event in events {
            let encoded = encode(&event).unwrap();
            let position = i64::try_from(self.facts.len()).unwrap() + 1;
            let version = self.versions.entry(format!("{}/{stream}", D::TYPE)).or_default();
            *version += 1;
            self.facts.push(Fact::new(Recorded {
                position,
                tenant_id: id::<TenantId>(0),
                tenant_seq: position,
                aggregate_type: D::TYPE.into(),
                aggregate_id: stream.to_string(),
                sequence: *version,
                event_id: uuid::Uuid::from_u128(position.unsigned_abs().into()),
                event_type: encoded.event_type,
                event_version: encoded.event_version,
                payload: encoded.payload,
                metadata: r#"{"actor_kind":"user","actor_id":"somebody"}"#.into(),
                recorded_at: at("2026-01-01T12:00:00Z") + position.seconds(),
                chain: Vec::new(),
            }));
        }
        self
    }

    /// The rows as JSON, in the order of their text.
    pub(crate) fn rows<M: ReadModel>(&self) -> Vec<Value> {
        self.folded::<M>().unwrap()
    }

    /// The only row.
    pub(crate) fn row<M: ReadModel>(&self) -> Value {
        let mut rows = self.rows::<M>();
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// The rows, or why an event cannot be folded.
    pub(crate) fn folded<M: ReadModel>(&self) -> Result<Vec<Value>, FoldError> {
        let mut groups: HashMap<String, Rows<M::Row>> = HashMap::new();
        for fact in &self.facts {
            assert!(
                M::TABLE.reads(&fact.recorded.aggregate_type) || M::group(fact)?.is_none(),
                "{} folds streams it does not declare",
                M::TABLE.name
            );
            if let Some(group) = M::group(fact)? {
                M::fold(groups.entry(group).or_default(), fact)?;
            }
        }
        let rows = groups.values().flat_map(Rows::iter);
        let mut rows: Vec<Value> = rows.map(|row| serde_json::to_value(row).unwrap()).collect();
        rows.sort_by_key(Value::to_string);
        Ok(rows)
    }
}
