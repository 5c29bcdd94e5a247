//! What came of schedules, one row for each task that there is or will be.

use events::maintenance::plan::{Because, Event, Plan};
use events::{AssetId, Decider as _, MaintenanceScheduleId, TaskId, TenantId};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Occurrences;

row!(Row {
    tenant_id: TenantId = Uuid,
    task_id: TaskId = Uuid,
    schedule_id: MaintenanceScheduleId = Uuid,
    asset_id: AssetId = Uuid,
    occurrence: Date = Text,
    due_at: Timestamp = Timestamptz,
    revision: u32 = Integer,
    state: String = Text,
    waits_for: Vec<MaintenanceScheduleId> = Jsonb,
    generated_at: Option<Timestamp> = Timestamptz,
    closed_at: Option<Timestamp> = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Occurrences {
    const TABLE: Table = Table {
        name: "maintenance_plan_occurrences",
        schema: "read",
        table: "maintenance_plan_occurrences",
        key: &["tenant_id", "task_id"],
        group: "task_id",
        resource: ("maintenance.occurrence", "task_id"),
        columns: Row::COLUMNS,
        reads: &[Plan::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.of::<Plan>()?.and_then(task).map(|task| task.to_string()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Plan>()? else { return Ok(()) };
        let Some(task_id) = task(event) else { return Ok(()) };
        if let Some(known) = rows.only() {
            known.changed_at = fact.at();
            change(known, event, fact.at());
            return Ok(());
        }
        if let Some(row) = begun(fact, event)? {
            rows.insert(row);
            return Ok(());
        }
        Err(FoldError::absent("occurrence", task_id))
    }
}

/// The task of an occurrence that an event is about.
fn task(event: &Event) -> Option<TaskId> {
    match event {
        Event::OccurrenceGenerated { task_id, .. }
        | Event::OccurrenceHeldBack { task_id, .. }
        | Event::OccurrenceWithdrawn { task_id, .. }
        | Event::OccurrenceClosed { task_id, .. } => Some(*task_id),
        Event::ScheduleAdded { .. }
        | Event::ScheduleRevised { .. }
        | Event::SchedulePaused { .. }
        | Event::ScheduleResumed { .. }
        | Event::ScheduleCompleted { .. }
        | Event::ScheduleRemoved { .. }
        | Event::DependenciesReplaced { .. }
        | Event::OccurrenceLeftOut { .. } => None,
    }
}

fn change(row: &mut Row, event: &Event, at: Timestamp) {
    if let Event::OccurrenceGenerated { .. } = event {
        "open".clone_into(&mut row.state);
        row.generated_at = Some(at);
        row.closed_at = None;
    }
    if let Event::OccurrenceHeldBack { waits_for, .. } = event {
        "waiting".clone_into(&mut row.state);
        row.waits_for.clone_from(waits_for);
        row.closed_at = None;
    }
    if let Event::OccurrenceWithdrawn { .. } = event {
        "withdrawn".clone_into(&mut row.state);
        row.closed_at = Some(at);
    }
    if let Event::OccurrenceClosed { because, .. } = event {
        ended(*because).clone_into(&mut row.state);
        row.closed_at = Some(at);
    }
}

fn ended(because: Because) -> &'static str {
    because.into()
}

fn begun(fact: &Fact, event: &Event) -> Result<Option<Row>, FoldError> {
    // Two events of many; the others are about what is there.
    let (Event::OccurrenceGenerated { schedule_id, version, occurrence, due_at, task_id }
    | Event::OccurrenceHeldBack { schedule_id, version, occurrence, due_at, task_id, .. }) = event
    else {
        return Ok(None);
    };
    let mut row = Row {
        tenant_id: fact.tenant(),
        task_id: *task_id,
        schedule_id: *schedule_id,
        asset_id: fact.stream_id()?,
        occurrence: *occurrence,
        due_at: *due_at,
        revision: *version,
        state: String::new(),
        waits_for: Vec::new(),
        generated_at: None,
        closed_at: None,
        changed_at: fact.at(),
    };
    change(&mut row, event, fact.at());
    Ok(Some(row))
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::super::plan_events::*;
    use super::*;
    use crate::testing::Past;

    #[test]
    fn an_occurrence_shows_what_came_of_it() {
        let after = |events: &[Event]| {
            let past = Past::default().with::<Plan>(id::<AssetId>(3), events.to_vec());
            past.row::<Occurrences>()
        };
        let (held, made) = (held_back(10, 2), generated(10, 2));
        let row = after(&[added(10, &[]), held.clone()]);
        assert_eq!((&row["state"], &row["occurrence"]), (&json!("waiting"), &json!("2026-01-02")));
        assert_eq!(row["waits_for"], json!([id::<MaintenanceScheduleId>(99)]));
        assert_eq!(row["generated_at"], json!(null));
        let row = after(&[held.clone(), made.clone()]);
        assert_eq!((&row["state"], &row["revision"]), (&json!("open"), &json!(1)));
        assert!(row["generated_at"].is_string());
        let row = after(&[held.clone(), withdrawn(10, 2)]);
        assert_eq!(row["state"], "withdrawn");
        for (because, state) in [
            (Because::Completed, "completed"),
            (Because::Cancelled, "cancelled"),
            (Because::Superseded, "superseded"),
        ] {
            let row = after(&[made.clone(), closed(10, 2, because)]);
            assert_eq!(row["state"], state);
            assert!(row["closed_at"].is_string());
        }
    }
}
