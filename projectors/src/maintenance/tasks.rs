//! The tasks, one row each, with all that is known of them: what is shown besides follows from the state that their rules see.

use events::maintenance::task::{Demand, Event, Missing, Part, Priority, Status, Task};
use events::{AssetId, Decider as _, MaintenanceScheduleId, TaskId, TenantId, UnitId, UserId};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Tasks;

row!(Row {
    tenant_id: TenantId = Uuid,
    task_id: TaskId = Uuid,
    title: String = Text,
    details: Option<String> = Text,
    status: Status = Text,
    priority: Priority = Text,
    asset_id: Option<AssetId> = Uuid,
    unit_id: Option<UnitId> = Uuid,
    schedule_id: Option<MaintenanceScheduleId> = Uuid,
    occurrence: Option<Date> = Text,
    schedule_version: Option<u64> = Bigint,
    due_at: Option<Timestamp> = Timestamptz,
    assignees: Vec<UserId> = Jsonb,
    subtasks_count: u64 = Bigint,
    subtasks_done: u64 = Bigint,
    requirements_count: u64 = Bigint,
    requirements_done: u64 = Bigint,
    prerequisites: Vec<TaskId> = Jsonb,
    parts: Vec<Part> = Jsonb,
    demands: Vec<Demand> = Jsonb,
    missing: Missing = Jsonb,
    reason: Option<String> = Text,
    readers: Vec<String> = Jsonb,
    state: Task = Jsonb,
    started_at: Option<Timestamp> = Timestamptz,
    completed_at: Option<Timestamp> = Timestamptz,
    ended_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Tasks {
    const TABLE: Table = Table {
        name: "maintenance_tasks",
        schema: "read",
        table: "maintenance_tasks",
        key: &["tenant_id", "task_id"],
        group: "task_id",
        resource: ("maintenance.task", "task_id"),
        columns: Row::COLUMNS,
        reads: &[Task::TYPE],
    };
    /// Raised as well when the state of a task has another shape, which the rows hold.
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Task>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Task>()? else { return Ok(()) };
        if let Event::Created(_) = event {
            rows.insert(begun(fact)?);
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("task", id))?;
        row.state.evolve(event);
        row.version = fact.version();
        row.changed_at = fact.at();
        stage(row, event, fact.at());
        show(row);
        Ok(())
    }
}

/// When it got where it stands, and why.
fn stage(row: &mut Row, event: &Event, at: Timestamp) {
    if let Event::Started = event {
        row.started_at = Some(at);
    }
    if let Event::Completed = event {
        row.completed_at = Some(at);
    }
    if let Event::Reopened { .. } = event {
        row.completed_at = None;
    }
    if let Event::Cancelled { .. } | Event::Superseded { .. } = event {
        row.ended_at = Some(at);
    }
    if let Event::Blocked { reason } | Event::Reopened { reason } | Event::Cancelled { reason } =
        event
    {
        row.reason = Some(reason.clone());
    }
    if let Event::Resumed | Event::Completed = event {
        row.reason = None;
    }
}

/// Shows what its rules see.
fn show(row: &mut Row) {
    let task = &row.state;
    let progress = task.progress();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    row.title.clone_from(&task.title);
    row.details.clone_from(&task.details);
    (row.status, row.priority, row.due_at) = (task.status, task.priority, task.due_at);
    (row.asset_id, row.unit_id) = (task.asset_id, task.unit_id);
    row.schedule_id = task.source.map(|source| source.schedule_id);
    row.occurrence = task.source.map(|source| source.occurrence);
    row.schedule_version = task.source.map(|source| source.version.into());
    row.assignees = task.assignees.iter().copied().collect();
    row.subtasks_count = count(progress.subtasks);
    row.subtasks_done = count(progress.subtasks_done);
    row.requirements_count = count(progress.requirements);
    row.requirements_done = count(progress.requirements_done);
    row.prerequisites = task.prerequisites.iter().copied().collect();
    row.parts = task.parts();
    row.demands = task.demands();
    row.missing = task.missing();
    row.readers = task.readers();
}

/// An empty row, which the event fills.
fn begun(fact: &Fact) -> Result<Row, FoldError> {
    Ok(Row {
        tenant_id: fact.tenant(),
        task_id: fact.stream_id()?,
        title: String::new(),
        details: None,
        status: Status::Open,
        priority: Priority::Normal,
        asset_id: None,
        unit_id: None,
        schedule_id: None,
        occurrence: None,
        schedule_version: None,
        due_at: None,
        assignees: Vec::new(),
        subtasks_count: 0,
        subtasks_done: 0,
        requirements_count: 0,
        requirements_done: 0,
        prerequisites: Vec::new(),
        parts: Vec::new(),
        demands: Vec::new(),
        missing: Missing::default(),
        reason: None,
        readers: Vec::new(),
        state: Task::default(),
        started_at: None,
        completed_at: None,
        ended_at: None,
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
    })
}

#[cfg(test)]
mod tests {
    use events::maintenance::task::{Created, Item, Requirements, Source};
    use events::testing::{at, id};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Past;

    fn created() -> Event {
        let item = Item { id: id(31), text: "Drain".into(), mandatory: true };
        Event::Created(Created {
            title: "Change the oil".into(),
            asset_id: Some(id(7)),
            unit_id: Some(id(3)),
            source: Some(Source {
                schedule_id: id(70),
                occurrence: "2026-01-09".parse().unwrap(),
                version: 2,
            }),
            due_at: Some(at("2026-01-09T08:00:00Z")),
            requirements: Requirements { checklist: vec![item], ..Requirements::default() },
            ..Created::default()
        })
    }

    fn after(events: impl IntoIterator<Item = Event>) -> Value {
        let events = [created()].into_iter().chain(events);
        Past::default().with::<Task>(id::<TaskId>(9), events).row::<Tasks>()
    }

    fn added(subtask: u128, parent: Option<u128>) -> Event {
        Event::SubtaskAdded {
            subtask_id: id(subtask),
            parent_id: parent.map(id),
            title: format!("Subtask {subtask}"),
            mandatory: true,
            assignees: vec![],
        }
    }

    #[test]
    fn a_task_shows_where_it_stands_and_what_it_lacks() {
        let row = after([]);
        assert_eq!((&row["status"], &row["priority"]), (&json!("open"), &json!("normal")));
        assert_eq!(
            (&row["occurrence"], &row["schedule_version"]),
            (&json!("2026-01-09"), &json!(2))
        );
        assert_eq!(row["missing"]["checklist"][0]["title"], "Drain");
        let events = [
            Event::Assigned { user_ids: vec![id(1), id(2)] },
            added(20, None),
            added(21, Some(20)),
            Event::Started,
            Event::SubtaskCompleted { subtask_id: id(21) },
            Event::ChecklistTicked { item_id: id(31) },
            Event::Blocked { reason: "no parts".into() },
        ];
        let row = after(events.clone());
        assert_eq!((&row["status"], &row["reason"]), (&json!("blocked"), &json!("no parts")));
        assert_eq!((&row["subtasks_count"], &row["subtasks_done"]), (&json!(2), &json!(1)));
        assert_eq!((&row["requirements_count"], &row["requirements_done"]), (&json!(1), &json!(1)));
        assert_eq!(row["parts"][0]["subtasks"][0]["done"], true);
        assert_eq!(row["missing"]["subtasks"].as_array().map(Vec::len), Some(1));
        assert_eq!(row["readers"][1], format!("user:{}", id::<UserId>(2)));
        assert!(row["started_at"].is_string());
        let done =
            [Event::Resumed, Event::SubtaskCompleted { subtask_id: id(20) }, Event::Completed];
        let row = after(events.into_iter().chain(done));
        assert_eq!((&row["status"], &row["reason"]), (&json!("completed"), &json!(null)));
        assert!(row["completed_at"].is_string() && row["ended_at"].is_null());
        assert_eq!(row["missing"], json!(Missing::default()));
    }

    #[test]
    fn what_is_reopened_is_completed_no_more_and_what_is_cancelled_has_ended() {
        let reopened = Event::Reopened { reason: "it drips".into() };
        let row = after([Event::Started, Event::Completed, reopened]);
        assert_eq!((&row["completed_at"], &row["reason"]), (&json!(null), &json!("it drips")));
        let row = after([Event::Cancelled { reason: "sold".into() }]);
        assert_eq!((&row["status"], &row["reason"]), (&json!("cancelled"), &json!("sold")));
        assert!(row["ended_at"].is_string());
        let row = after([Event::Superseded { by_version: 3 }]);
        assert_eq!(row["status"], "superseded");
        assert!(row["ended_at"].is_string());
    }
}
