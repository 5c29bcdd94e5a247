//! Which schedules of assets come before which, one row each.

use events::maintenance::plan::{Event, Plan};
use events::{AssetId, Decider as _, MaintenanceScheduleId, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Dependencies;

row!(Row {
    tenant_id: TenantId = Uuid,
    schedule_id: MaintenanceScheduleId = Uuid,
    depends_on_id: MaintenanceScheduleId = Uuid,
    asset_id: AssetId = Uuid,
    since: Timestamp = Timestamptz,
});

impl ReadModel for Dependencies {
    const TABLE: Table = Table {
        name: "maintenance_plan_dependencies",
        schema: "read",
        table: "maintenance_plan_dependencies",
        key: &["tenant_id", "schedule_id", "depends_on_id"],
        group: "schedule_id",
        resource: ("maintenance.schedule_dependency", "schedule_id"),
        columns: Row::COLUMNS,
        reads: &[Plan::TYPE],
    };
    const BUILD: i32 = 1;
    const ECHOES: bool = true;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.of::<Plan>()?.and_then(all).map(|(schedule, _)| schedule.to_string()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some((schedule_id, before)) = fact.of::<Plan>()?.and_then(all) else { return Ok(()) };
        rows.remove(|row| !before.contains(&row.depends_on_id));
        for depends_on_id in before {
            if rows.iter().any(|row| row.depends_on_id == *depends_on_id) {
                continue;
            }
            rows.insert(Row {
                tenant_id: fact.tenant(),
                schedule_id,
                depends_on_id: *depends_on_id,
                asset_id: fact.stream_id()?,
                since: fact.at(),
            });
        }
        Ok(())
    }
}

/// A schedule and all that come before it, where an event says so.
fn all(event: &Event) -> Option<(MaintenanceScheduleId, &[MaintenanceScheduleId])> {
    match event {
        Event::ScheduleAdded { schedule_id, depends_on, .. }
        | Event::DependenciesReplaced { schedule_id, depends_on } => {
            Some((*schedule_id, depends_on))
        }
        Event::ScheduleRemoved { schedule_id, .. } => Some((*schedule_id, &[])),
        Event::ScheduleRevised { .. }
        | Event::SchedulePaused { .. }
        | Event::ScheduleResumed { .. }
        | Event::ScheduleCompleted { .. }
        | Event::OccurrenceGenerated { .. }
        | Event::OccurrenceHeldBack { .. }
        | Event::OccurrenceWithdrawn { .. }
        | Event::OccurrenceLeftOut { .. }
        | Event::OccurrenceClosed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use events::maintenance::plan::Removal;
    use events::testing::id;
    use serde_json::{Value, json};

    use super::super::plan_events::*;
    use super::*;
    use crate::testing::Past;

    fn before(events: impl IntoIterator<Item = Event>) -> BTreeSet<String> {
        let past = Past::default().with::<Plan>(id::<AssetId>(3), events);
        let of = |row: &Value| row["depends_on_id"].as_str().unwrap_or_default().to_owned();
        past.rows::<Dependencies>().iter().map(of).collect()
    }

    #[test]
    fn a_row_is_there_for_as_long_as_one_comes_before_the_other() {
        let ids = |numbers: &[u128]| -> BTreeSet<String> {
            numbers.iter().map(|number| id::<MaintenanceScheduleId>(*number).to_string()).collect()
        };
        assert_eq!(before([added(10, &[11, 12])]), ids(&[11, 12]));
        assert_eq!(before([added(10, &[11, 12]), replaced(10, &[12, 13])]), ids(&[12, 13]));
        let removed = Event::ScheduleRemoved { schedule_id: id(10), because: Removal::Requested };
        assert_eq!(before([added(10, &[11]), generated(10, 2), removed]), ids(&[]));
        let past = Past::default().with::<Plan>(id::<AssetId>(3), [added(10, &[11])]);
        assert_eq!(past.row::<Dependencies>()["asset_id"], json!(id::<AssetId>(3)));
    }
}
