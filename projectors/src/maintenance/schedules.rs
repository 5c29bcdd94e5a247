//! The schedules of assets, one row each, with what was decided of them last and how many of their tasks are not over.

use events::maintenance::plan::{Event, LeftOut, Plan, Template};
use events::scheduling::trigger::Terms;
use events::scheduling::{Modifiers, Spec};
use events::{AssetId, Decider as _, MaintenanceScheduleId, TaskId, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Schedules;

row!(Row {
    tenant_id: TenantId = Uuid,
    schedule_id: MaintenanceScheduleId = Uuid,
    asset_id: AssetId = Uuid,
    title: String = Text,
    owned_by: UserId = Uuid,
    kind: String = Text,
    spec: Spec = Jsonb,
    modifiers: Modifiers = Jsonb,
    starts_at: Option<Timestamp> = Timestamptz,
    ends_at: Option<Timestamp> = Timestamptz,
    max_fires: Option<u64> = Bigint,
    lead_secs: Option<u64> = Bigint,
    task: Template = Jsonb,
    depends_on: Vec<MaintenanceScheduleId> = Jsonb,
    revision: u32 = Integer,
    effective_from: Option<Timestamp> = Timestamptz,
    status: String = Text,
    tasks_open: u64 = Bigint,
    waiting: Vec<TaskId> = Jsonb,
    last_due_at: Option<Timestamp> = Timestamptz,
    last_left_out_at: Option<Timestamp> = Timestamptz,
    last_left_out_because: Option<LeftOut> = Text,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

const ACTIVE: &str = "active";

impl ReadModel for Schedules {
    const TABLE: Table = Table {
        name: "maintenance_plan_schedules",
        schema: "read",
        table: "maintenance_plan_schedules",
        key: &["tenant_id", "schedule_id"],
        group: "schedule_id",
        resource: ("maintenance.schedule", "schedule_id"),
        columns: Row::COLUMNS,
        reads: &[Plan::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.of::<Plan>()?.map(|event| event.schedule().to_string()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Plan>()? else { return Ok(()) };
        if let Event::ScheduleAdded { .. } = event {
            // A schedule that was removed before anything came of it can be added once more.
            rows.remove(|_| true);
            rows.insert(begun(fact, event)?);
            return Ok(());
        }
        let id = event.schedule().to_string();
        let row = rows.only().ok_or_else(|| FoldError::absent("schedule", &id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        change(row, event);
        Ok(())
    }
}

fn change(row: &mut Row, event: &Event) {
    match event {
        Event::ScheduleAdded { .. } => {}
        Event::ScheduleRevised { version, title, terms, task, effective_from, .. } => {
            row.title.clone_from(title);
            row.task.clone_from(task);
            row.revision = *version;
            row.effective_from = Some(*effective_from);
            recur(row, terms);
        }
        Event::SchedulePaused { .. } => "paused".clone_into(&mut row.status),
        Event::ScheduleResumed { .. } => ACTIVE.clone_into(&mut row.status),
        Event::ScheduleCompleted { .. } => "completed".clone_into(&mut row.status),
        Event::ScheduleRemoved { .. } => "removed".clone_into(&mut row.status),
        Event::DependenciesReplaced { depends_on, .. } => row.depends_on.clone_from(depends_on),
        Event::OccurrenceGenerated { due_at, task_id, .. } => {
            row.waiting.retain(|waiting| waiting != task_id);
            row.tasks_open += 1;
            row.last_due_at = row.last_due_at.max(Some(*due_at));
        }
        Event::OccurrenceHeldBack { task_id, .. } => row.waiting.push(*task_id),
        Event::OccurrenceWithdrawn { task_id, .. } => {
            row.waiting.retain(|waiting| waiting != task_id);
        }
        Event::OccurrenceLeftOut { due_at, because, .. } => {
            row.last_left_out_at = Some(*due_at);
            row.last_left_out_because = Some(*because);
        }
        Event::OccurrenceClosed { .. } => row.tasks_open = row.tasks_open.saturating_sub(1),
    }
}

fn recur(row: &mut Row, terms: &Terms) {
    row.kind = kind(&terms.spec);
    row.spec.clone_from(&terms.spec);
    row.modifiers.clone_from(&terms.modifiers);
    row.starts_at = terms.starts_at;
    row.ends_at = terms.ends_at;
    row.max_fires = terms.max_fires;
    row.lead_secs = terms.lead_secs;
}

/// The kind of a recurrence, as it is stored.
fn kind(spec: &Spec) -> String {
    <&str>::from(spec).to_owned()
}

fn begun(fact: &Fact, event: &Event) -> Result<Row, FoldError> {
    let mut plan = Plan::default();
    plan.evolve(event);
    let id = event.schedule();
    let absent = || FoldError::absent("schedule", id);
    let schedule = plan.schedules.remove(&id).ok_or_else(absent)?;
    let version = schedule.versions.into_iter().next().ok_or_else(absent)?;
    let mut row = Row {
        tenant_id: fact.tenant(),
        schedule_id: id,
        asset_id: fact.stream_id()?,
        title: version.title,
        owned_by: schedule.owned_by,
        kind: String::new(),
        spec: version.terms.spec.clone(),
        modifiers: version.terms.modifiers.clone(),
        starts_at: None,
        ends_at: None,
        max_fires: None,
        lead_secs: None,
        task: version.task,
        depends_on: schedule.depends_on.into_iter().collect(),
        revision: version.number,
        effective_from: None,
        status: ACTIVE.into(),
        tasks_open: 0,
        waiting: Vec::new(),
        last_due_at: None,
        last_left_out_at: None,
        last_left_out_because: None,
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
    };
    recur(&mut row, &version.terms);
    Ok(row)
}

#[cfg(test)]
mod tests {
    use events::maintenance::plan::{Because, Removal};
    use events::testing::{at, id};
    use serde_json::{Value, json};

    use super::super::plan_events::*;
    use super::*;
    use crate::testing::Past;

    fn after(events: impl IntoIterator<Item = Event>) -> Value {
        let events = [added(10, &[])].into_iter().chain(events);
        Past::default().with::<Plan>(id::<AssetId>(3), events).row::<Schedules>()
    }

    #[test]
    fn a_schedule_shows_what_was_decided_of_it_last() {
        let row = after([]);
        assert_eq!((&row["kind"], &row["status"]), (&json!("daily"), &json!("active")));
        assert_eq!((&row["asset_id"], &row["revision"]), (&json!(id::<AssetId>(3)), &json!(1)));
        assert_eq!(row["task"]["title"], "Change the oil");
        let row = after([revised(10, 2)]);
        assert_eq!((&row["revision"], &row["lead_secs"]), (&json!(2), &json!(3_600)));
        assert_eq!(row["effective_from"], "2026-01-05T00:00:00Z");
        let row = after([replaced(10, &[11])]);
        assert_eq!(row["depends_on"], json!([id::<MaintenanceScheduleId>(11)]));
        assert_eq!(row["version"], 2);
    }

    #[test]
    fn a_schedule_shows_where_it_stands() {
        let schedule_id = id(10);
        let counts_from = at("2026-01-03T12:00:00Z");
        let paused = Event::SchedulePaused { schedule_id };
        for (events, status) in [
            (vec![paused.clone()], "paused"),
            (vec![paused, Event::ScheduleResumed { schedule_id, counts_from }], "active"),
            (vec![Event::ScheduleCompleted { schedule_id, last_due_at: None }], "completed"),
            (vec![Event::ScheduleRemoved { schedule_id, because: Removal::Requested }], "removed"),
        ] {
            assert_eq!(after(events)["status"], status);
        }
        let removed = Event::ScheduleRemoved { schedule_id, because: Removal::Requested };
        assert_eq!(after([removed, added(10, &[])])["status"], "active");
    }

    #[test]
    fn a_schedule_counts_its_tasks_that_are_not_over_and_what_waits() {
        let counts = |events: &[Event]| {
            let row = after(events.to_vec());
            let waiting = row["waiting"].as_array().map(Vec::len);
            (row["tasks_open"].as_u64(), waiting)
        };
        let (held, made) = (held_back(10, 2), generated(10, 2));
        assert_eq!(counts(std::slice::from_ref(&held)), (Some(0), Some(1)));
        assert_eq!(counts(&[held.clone(), withdrawn(10, 2)]), (Some(0), Some(0)));
        assert_eq!(counts(&[held.clone(), made.clone()]), (Some(1), Some(0)));
        let closed = closed(10, 2, Because::Completed);
        assert_eq!(counts(&[held, made.clone(), closed]), (Some(0), Some(0)));
        let left_out = Event::OccurrenceLeftOut {
            schedule_id: id(10),
            due_at: at("2026-01-03T09:00:00Z"),
            because: LeftOut::AlreadyOpen,
        };
        let row = after([made, left_out]);
        assert_eq!(row["last_due_at"], "2026-01-02T09:00:00Z");
        assert_eq!(row["last_left_out_at"], "2026-01-03T09:00:00Z");
        assert_eq!(row["last_left_out_because"], "already_open");
    }
}
