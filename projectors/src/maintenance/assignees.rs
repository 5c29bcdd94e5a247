//! Who is to do which task, one row each, so that somebody's tasks are found by them.

use events::maintenance::asset::With;
use events::maintenance::task::{Event, Task};
use events::{Decider as _, TaskId, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Assignees;

row!(Row {
    tenant_id: TenantId = Uuid,
    task_id: TaskId = Uuid,
    assignee: String = Text,
    reader: String = Text,
    assigned_at: Timestamp = Timestamptz,
    confirmed_at: Option<Timestamp> = Timestamptz,
});

impl ReadModel for Assignees {
    const TABLE: Table = Table {
        name: "maintenance_task_assignees",
        schema: "read",
        table: "maintenance_task_assignees",
        key: &["tenant_id", "task_id", "assignee"],
        group: "task_id",
        resource: ("maintenance.task_assignee", "task_id"),
        columns: Row::COLUMNS,
        reads: &[Task::TYPE],
    };
    const BUILD: i32 = 1;
    const ECHOES: bool = true;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let touches = match fact.of::<Task>()? {
            Some(
                Event::Assigned { .. }
                | Event::Unassigned { .. }
                | Event::AssigneeConfirmed { .. }
                | Event::Reopened { .. },
            ) => true,
            Some(
                Event::Created(_)
                | Event::Amended(_)
                | Event::SubtaskAdded { .. }
                | Event::SubtaskRenamed { .. }
                | Event::SubtaskMoved { .. }
                | Event::SubtaskAssigned { .. }
                | Event::SubtaskRemoved { .. }
                | Event::SubtaskCompleted { .. }
                | Event::SubtaskReopened { .. }
                | Event::RequirementsDefined { .. }
                | Event::PrerequisitesLinked { .. }
                | Event::PrerequisitesUnlinked { .. }
                | Event::ChecklistTicked { .. }
                | Event::ChecklistUnticked { .. }
                | Event::PhotoAttached { .. }
                | Event::PhotoDetached { .. }
                | Event::CriterionRecorded { .. }
                | Event::Started
                | Event::Blocked { .. }
                | Event::Resumed
                | Event::Completed
                | Event::Cancelled { .. }
                | Event::Rescheduled { .. }
                | Event::Superseded { .. }
                | Event::DueAnnounced { .. }
                | Event::OverdueAnnounced { .. },
            )
            | None => false,
        };
        Ok(touches.then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Task>()? else { return Ok(()) };
        if let Event::Assigned { user_ids } = event {
            for user in user_ids {
                rows.insert(Row {
                    tenant_id: fact.tenant(),
                    task_id: fact.stream_id()?,
                    assignee: user.to_string(),
                    reader: With::User(*user).to_string(),
                    assigned_at: fact.at(),
                    confirmed_at: None,
                });
            }
        }
        if let Event::Unassigned { user_ids } = event {
            let gone: Vec<String> = user_ids.iter().map(ToString::to_string).collect();
            rows.remove(|row| gone.contains(&row.assignee));
        }
        if let Event::AssigneeConfirmed { user_id } = event {
            let assignee = user_id.to_string();
            let row = rows.change(|row| row.assignee == assignee);
            row.ok_or_else(|| FoldError::absent("assignee", &assignee))?.confirmed_at =
                Some(fact.at());
        }
        if let Event::Reopened { .. } = event {
            while let Some(row) = rows.change(|row| row.confirmed_at.is_some()) {
                row.confirmed_at = None;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::UserId;
    use events::testing::id;

    use super::*;
    use crate::testing::Past;

    #[test]
    fn a_row_is_there_for_as_long_as_somebody_is_assigned_and_says_whether_they_confirmed() {
        let users = |of: &[u128]| of.iter().map(|user| id(*user)).collect::<Vec<UserId>>();
        let confirmed = |user| Event::AssigneeConfirmed { user_id: id(user) };
        let mut events = vec![
            Event::Assigned { user_ids: users(&[1, 2, 3]) },
            Event::Unassigned { user_ids: users(&[2]) },
            confirmed(1),
        ];
        let rows = |events: &[Event]| {
            let past = Past::default().with::<Task>(id::<TaskId>(9), events.to_vec());
            past.rows::<Assignees>()
        };
        let shown = rows(&events);
        assert_eq!(shown.len(), 2, "{shown:?}");
        let first = |rows: &[serde_json::Value]| {
            let user = id::<UserId>(1).to_string();
            rows.iter().find(|row| row["assignee"] == user.as_str()).cloned().unwrap()
        };
        assert!(first(&shown)["confirmed_at"].is_string());
        assert_eq!(first(&shown)["reader"], format!("user:{}", id::<UserId>(1)));
        events.extend([confirmed(3), Event::Reopened { reason: "it drips".into() }]);
        let shown = rows(&events);
        assert!(shown.iter().all(|row| row["confirmed_at"].is_null()), "{shown:?}");
    }
}
