//! Triggers, one row each, with when they are due next as it was planned last.

use events::scheduling::trigger::{Event, SkipReason, Target, Terms, Trigger};
use events::scheduling::{Modifiers, Spec, Subject};
use events::{Decider as _, TenantId, TriggerId, UserId};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Triggers;

row!(Row {
    tenant_id: TenantId = Uuid,
    trigger_id: TriggerId = Uuid,
    name: String = Text,
    owned_by: UserId = Uuid,
    kind: String = Text,
    spec: Spec = Jsonb,
    modifiers: Modifiers = Jsonb,
    time_zone: String = Text,
    command: String = Text,
    args: Value = Jsonb,
    starts_at: Option<Timestamp> = Timestamptz,
    ends_at: Option<Timestamp> = Timestamptz,
    max_fires: Option<u64> = Bigint,
    revision: u32 = Integer,
    effective_from: Option<Timestamp> = Timestamptz,
    status: String = Text,
    next_at: Option<Timestamp> = Timestamptz,
    fires: u64 = Bigint,
    last_fired_at: Option<Timestamp> = Timestamptz,
    last_skipped_at: Option<Timestamp> = Timestamptz,
    last_skip_reason: Option<SkipReason> = Text,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
    last_answered_at: Option<Timestamp> = Timestamptz,
    last_aggregate_id: Option<String> = Text,
    last_refusal_code: Option<String> = Text,
    last_refusal: Option<String> = Text,
    refusals: u64 = Bigint,
    lead_secs: Option<u64> = Bigint,
    managed_kind: Option<String> = Text,
    managed_id: Option<Uuid> = Uuid,
});

const ACTIVE: &str = "active";

impl ReadModel for Triggers {
    const TABLE: Table = Table {
        name: "scheduling_triggers",
        schema: "read",
        table: "scheduling_triggers",
        key: &["tenant_id", "trigger_id"],
        group: "trigger_id",
        resource: ("scheduling.trigger", "trigger_id"),
        columns: Row::COLUMNS,
        reads: &[Trigger::TYPE],
    };
    const BUILD: i32 = 3;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Trigger>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Trigger>()? else { return Ok(()) };
        if let Event::Created { name, owned_by, target, terms, next_at, managed_by, .. } = event {
            let mut row = begun(fact, (name, *owned_by), (target, terms), *next_at)?;
            row.managed_kind = managed_by.as_ref().map(|by: &Subject| by.kind.clone());
            row.managed_id = managed_by.as_ref().map(|by| by.id);
            rows.insert(row);
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("trigger", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        change(row, event);
        Ok(())
    }
}

fn change(row: &mut Row, event: &Event) {
    match event {
        Event::Created { .. } => {}
        Event::Renamed { name } => row.name.clone_from(name),
        Event::Retargeted { target } => {
            row.command.clone_from(&target.command);
            row.args.clone_from(&target.args);
        }
        Event::Revised { version, terms, effective_from, next_at } => {
            row.kind = kind(&terms.spec);
            row.spec.clone_from(&terms.spec);
            row.time_zone.clone_from(&terms.modifiers.time_zone);
            row.modifiers.clone_from(&terms.modifiers);
            row.starts_at = terms.starts_at;
            row.ends_at = terms.ends_at;
            row.max_fires = terms.max_fires;
            row.lead_secs = terms.lead_secs;
            row.revision = *version;
            row.effective_from = Some(*effective_from);
            row.next_at = *next_at;
        }
        Event::Paused => stop(row, "paused"),
        Event::Resumed { next_at, .. } => {
            row.status = ACTIVE.into();
            row.next_at = *next_at;
        }
        Event::Replanned { next_at } => row.next_at = *next_at,
        Event::Fired { occurrence, next_at, .. } => {
            row.fires += 1;
            row.last_fired_at = Some(*occurrence);
            row.next_at = *next_at;
        }
        Event::Skipped { until, reason, next_at, .. } => {
            row.last_skipped_at = Some(*until);
            row.last_skip_reason = Some(*reason);
            row.next_at = *next_at;
        }
        Event::CommandSucceeded { occurrence, aggregate_id, .. } => {
            row.last_answered_at = Some(*occurrence);
            row.last_aggregate_id = Some(aggregate_id.clone());
            (row.last_refusal_code, row.last_refusal) = (None, None);
        }
        Event::CommandRefused { occurrence, code, detail, .. } => {
            row.last_answered_at = Some(*occurrence);
            row.last_aggregate_id = None;
            (row.last_refusal_code, row.last_refusal) = (Some(code.clone()), Some(detail.clone()));
            row.refusals += 1;
        }
        Event::Cancelled => stop(row, "cancelled"),
        Event::Completed => stop(row, "completed"),
    }
}

fn stop(row: &mut Row, status: &str) {
    status.clone_into(&mut row.status);
    row.next_at = None;
}

fn begun(
    fact: &Fact,
    (name, owned_by): (&str, UserId),
    (target, terms): (&Target, &Terms),
    next_at: Option<Timestamp>,
) -> Result<Row, FoldError> {
    Ok(Row {
        tenant_id: fact.tenant(),
        trigger_id: fact.stream_id()?,
        name: name.to_owned(),
        owned_by,
        kind: kind(&terms.spec),
        spec: terms.spec.clone(),
        modifiers: terms.modifiers.clone(),
        time_zone: terms.modifiers.time_zone.clone(),
        command: target.command.clone(),
        args: target.args.clone(),
        starts_at: terms.starts_at,
        ends_at: terms.ends_at,
        max_fires: terms.max_fires,
        revision: 1,
        effective_from: None,
        status: ACTIVE.into(),
        next_at,
        fires: 0,
        last_fired_at: None,
        last_skipped_at: None,
        last_skip_reason: None,
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
        last_answered_at: None,
        last_aggregate_id: None,
        last_refusal_code: None,
        last_refusal: None,
        refusals: 0,
        lead_secs: terms.lead_secs,
        managed_kind: None,
        managed_id: None,
    })
}

/// The kind of a recurrence, as it is stored.
fn kind(spec: &Spec) -> String {
    <&str>::from(spec).to_owned()
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn terms(expression: &str) -> Terms {
        Terms {
            spec: Spec::Cron { expression: expression.into() },
            modifiers: Modifiers { time_zone: "UTC".into(), ..Modifiers::default() },
            starts_at: None,
            ends_at: None,
            max_fires: Some(3),
            lead_secs: None,
        }
    }

    fn after(events: impl IntoIterator<Item = Event>) -> Value {
        let created = Event::Created {
            name: "Nightly".into(),
            owned_by: id(1),
            target: Target { command: "backups_backup_request".into(), args: json!({}) },
            terms: terms("0 1 * * *"),
            counts_from: at("2026-01-01T12:00:00Z"),
            next_at: Some(at("2026-01-02T01:00:00Z")),
            managed_by: Some(Subject { kind: "maintenance.plan".into(), id: id(7) }),
        };
        let events = [created].into_iter().chain(events);
        Past::default().with::<Trigger>(id::<TriggerId>(9), events).row::<Triggers>()
    }

    fn fired() -> Event {
        Event::Fired {
            occurrence: at("2026-01-02T01:00:00Z"),
            version: 1,
            crossings: None,
            reading: None,
            next_at: Some(at("2026-01-03T01:00:00Z")),
        }
    }

    #[test]
    fn a_trigger_shows_when_it_is_due_next() {
        let row = after([]);
        assert_eq!((&row["kind"], &row["status"]), (&json!("cron"), &json!("active")));
        assert_eq!(row["next_at"], "2026-01-02T01:00:00Z");
        let row = after([fired()]);
        assert_eq!((&row["fires"], &row["next_at"]), (&json!(1), &json!("2026-01-03T01:00:00Z")));
        assert_eq!(row["last_fired_at"], "2026-01-02T01:00:00Z");
        let skipped = Event::Skipped {
            occurrence: at("2026-01-03T01:00:00Z"),
            until: at("2026-01-04T01:00:00Z"),
            count: 2,
            reason: SkipReason::Blackout,
            label: None,
            next_at: None,
        };
        let row = after([fired(), skipped]);
        assert_eq!(row["last_skip_reason"], "blackout");
        assert_eq!(
            (&row["last_skipped_at"], &row["next_at"]),
            (&json!("2026-01-04T01:00:00Z"), &json!(null))
        );
    }

    #[test]
    fn a_trigger_shows_what_its_command_came_to_last() {
        let occurrence = at("2026-01-02T01:00:00Z");
        let command = || "backups_backup_request".to_owned();
        let refused = Event::CommandRefused {
            occurrence,
            command: command(),
            code: "FORBIDDEN".into(),
            detail: "you need the permission".into(),
        };
        let row = after([fired(), refused.clone()]);
        assert_eq!((&row["last_refusal_code"], &row["refusals"]), (&json!("FORBIDDEN"), &json!(1)));
        assert_eq!(row["last_answered_at"], "2026-01-02T01:00:00Z");
        let done =
            Event::CommandSucceeded { occurrence, command: command(), aggregate_id: "b1".into() };
        let row = after([fired(), refused, done]);
        assert_eq!((&row["last_refusal_code"], &row["refusals"]), (&json!(null), &json!(1)));
        assert_eq!(row["last_aggregate_id"], "b1");
    }

    #[test]
    fn a_trigger_shows_where_it_stands() {
        let next_at = Some(at("2026-01-09T01:00:00Z"));
        let resumed = Event::Resumed { counts_from: at("2026-01-08T12:00:00Z"), next_at };
        for (events, status) in [
            (vec![Event::Paused], "paused"),
            (vec![Event::Paused, resumed], "active"),
            (vec![Event::Cancelled], "cancelled"),
            (vec![Event::Completed], "completed"),
        ] {
            let row = after(events);
            assert_eq!(row["status"], status);
            assert_eq!(row["next_at"].is_null(), status != "active");
        }
    }

    #[test]
    fn a_revision_replaces_what_was_decided() {
        let revised = Event::Revised {
            version: 2,
            terms: Terms { max_fires: None, lead_secs: Some(60), ..terms("0 2 * * *") },
            effective_from: at("2026-01-02T00:00:00Z"),
            next_at: Some(at("2026-01-02T02:00:00Z")),
        };
        let renamed = Event::Renamed { name: "Late".into() };
        let target = Target { command: "other".into(), args: json!({"a": 1}) };
        let row = after([revised, renamed, Event::Retargeted { target }]);
        assert_eq!(row["spec"], json!({"kind": "cron", "expression": "0 2 * * *"}));
        assert_eq!((&row["revision"], &row["max_fires"]), (&json!(2), &json!(null)));
        assert_eq!((&row["name"], &row["args"]), (&json!("Late"), &json!({"a": 1})));
        assert_eq!((&row["lead_secs"], &row["managed_id"]), (&json!(60), &json!(id::<Uuid>(7))));
        assert_eq!(row["managed_kind"], "maintenance.plan");
    }
}
