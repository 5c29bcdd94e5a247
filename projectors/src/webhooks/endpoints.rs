//! Addresses that hear of events, one row each; a deleted one has none.

use events::webhooks::Wanted;
use events::webhooks::endpoint::{DisableReason, Endpoint, Event};
use events::{Decider as _, EndpointId, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Endpoints;

row!(Row {
    tenant_id: TenantId = Uuid,
    endpoint_id: EndpointId = Uuid,
    url: String = Text,
    events: Vec<Wanted> = Jsonb,
    description: Option<String> = Text,
    owned_by: UserId = Uuid,
    status: String = Text,
    disabled_reason: Option<DisableReason> = Text,
    rotated_at: Option<Timestamp> = Timestamptz,
    old_valid_until: Option<Timestamp> = Timestamptz,
    failing_since: Option<Timestamp> = Timestamptz,
    dead_letters: u64 = Bigint,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

const ENABLED: &str = "enabled";

impl ReadModel for Endpoints {
    const TABLE: Table = Table {
        name: "webhooks_endpoints",
        schema: "read",
        table: "webhooks_endpoints",
        key: &["tenant_id", "endpoint_id"],
        group: "endpoint_id",
        resource: ("webhooks.endpoint", "endpoint_id"),
        columns: Row::COLUMNS,
        reads: &[Endpoint::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Endpoint>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Endpoint>()? else { return Ok(()) };
        if let Event::Registered { url, events, description, owned_by, .. } = event {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                endpoint_id: fact.stream_id()?,
                url: url.clone(),
                events: events.clone(),
                description: description.clone(),
                owned_by: *owned_by,
                status: ENABLED.into(),
                disabled_reason: None,
                rotated_at: None,
                old_valid_until: None,
                failing_since: None,
                dead_letters: 0,
                version: fact.version(),
                created_at: fact.at(),
                changed_at: fact.at(),
            });
            return Ok(());
        }
        if *event == Event::Deleted {
            rows.remove(|_| true);
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("endpoint", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        change(row, event, fact.at());
        Ok(())
    }
}

fn change(row: &mut Row, event: &Event, at: Timestamp) {
    match event {
        Event::Revised { url, events, description } => {
            row.url.clone_from(url);
            row.events.clone_from(events);
            row.description.clone_from(description);
        }
        Event::SecretRotated { old_valid_until, .. } => {
            row.rotated_at = Some(at);
            row.old_valid_until = *old_valid_until;
        }
        Event::Disabled { reason } => {
            row.status = "disabled".into();
            row.disabled_reason = Some(*reason);
        }
        Event::Enabled { owned_by } => {
            row.status = ENABLED.into();
            row.disabled_reason = None;
            row.failing_since = None;
            row.owned_by = *owned_by;
        }
        Event::FailingAnnounced { since } => row.failing_since = Some(*since),
        Event::DeliveryDeadLettered { .. } => row.dead_letters += 1,
        Event::Registered { .. }
        | Event::TestRequested
        | Event::RedeliveryRequested { .. }
        | Event::Deleted => {}
    }
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Past;

    fn registered() -> Event {
        Event::Registered {
            url: "https://hooks.acme.example/x".into(),
            events: vec![Wanted::read("rbac.*").unwrap()],
            description: None,
            owned_by: id(1),
            secret_id: id(7),
        }
    }

    fn after(events: impl IntoIterator<Item = Event>) -> Value {
        let events = [registered()].into_iter().chain(events);
        Past::default().with::<Endpoint>(id::<EndpointId>(9), events).row::<Endpoints>()
    }

    #[test]
    fn an_endpoint_shows_where_it_stands_and_never_its_secret() {
        let row = after([]);
        assert_eq!((&row["status"], &row["events"]), (&json!("enabled"), &json!(["rbac.*"])));
        assert!(!row.to_string().contains("secret"), "{row}");
        let row = after([Event::Disabled { reason: DisableReason::Gone }]);
        assert_eq!(row["disabled_reason"], "gone");
        let row = after([
            Event::FailingAnnounced { since: at("2026-01-01T00:00:00Z") },
            Event::Disabled { reason: DisableReason::Failing },
            Event::Enabled { owned_by: id(2) },
        ]);
        assert_eq!((&row["status"], &row["failing_since"]), (&json!("enabled"), &json!(null)));
        assert_eq!(row["owned_by"], id::<UserId>(2).to_string());
    }

    #[test]
    fn an_endpoint_shows_what_was_given_up_and_until_when_two_secrets_sign() {
        let dead = Event::DeliveryDeadLettered {
            delivery_id: id(8),
            event_id: id::<UserId>(9).0,
            attempts: 10,
            last_status: None,
        };
        let until = Some(at("2026-01-02T00:00:00Z"));
        let rotated = Event::SecretRotated { secret_id: id(10), old_valid_until: until };
        let row = after([dead, rotated, Event::TestRequested]);
        assert_eq!((&row["dead_letters"], &row["version"]), (&json!(1), &json!(4)));
        assert_eq!(row["old_valid_until"], "2026-01-02T00:00:00Z");
    }
}
