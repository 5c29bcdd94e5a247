//! The calendars of days on which nothing is to happen, one row each with all its days.

use events::scheduling::blackout_calendar::{BlackoutCalendar, Entry, Event};
use events::{BlackoutCalendarId, Decider as _, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct BlackoutCalendars;

row!(Row {
    tenant_id: TenantId = Uuid,
    blackout_calendar_id: BlackoutCalendarId = Uuid,
    name: String = Text,
    blackouts: Vec<Entry> = Jsonb,
    status: String = Text,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for BlackoutCalendars {
    const TABLE: Table = Table {
        name: "scheduling_blackout_calendars",
        schema: "read",
        table: "scheduling_blackout_calendars",
        key: &["tenant_id", "blackout_calendar_id"],
        group: "blackout_calendar_id",
        resource: ("scheduling.blackout_calendar", "blackout_calendar_id"),
        columns: Row::COLUMNS,
        reads: &[BlackoutCalendar::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<BlackoutCalendar>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<BlackoutCalendar>()? else { return Ok(()) };
        if let Event::Defined { name } = event {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                blackout_calendar_id: fact.stream_id()?,
                name: name.clone(),
                blackouts: Vec::new(),
                status: "defined".into(),
                version: fact.version(),
                created_at: fact.at(),
                changed_at: fact.at(),
            });
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("calendar of blackouts", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        match event {
            Event::Defined { .. } => {}
            Event::Renamed { name } => row.name.clone_from(name),
            Event::BlackoutAdded { blackout_id, blackout } => {
                row.blackouts.push(Entry::new(*blackout_id, blackout));
                row.blackouts.sort_by_key(|entry| (entry.from, entry.blackout_id));
            }
            Event::BlackoutRemoved { blackout_id } => {
                row.blackouts.retain(|entry| entry.blackout_id != *blackout_id);
            }
            Event::Retired => row.status = "retired".into(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::scheduling::{Blackout, Recurring};
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn added(number: u128, day: &str) -> Event {
        let (from, to) = (day.parse().unwrap(), day.parse().unwrap());
        let (label, recurring) = ("Holiday".to_owned(), Recurring::None);
        let blackout = Blackout { from, to, label, recurring };
        Event::BlackoutAdded { blackout_id: id(number), blackout }
    }

    #[test]
    fn a_calendar_shows_its_days_in_their_order() {
        let events = [
            Event::Defined { name: "Holidays".into() },
            added(1, "2026-12-25"),
            added(2, "2026-01-01"),
            added(3, "2026-05-01"),
            Event::BlackoutRemoved { blackout_id: id(3) },
            Event::Renamed { name: "Feiertage".into() },
            Event::Retired,
        ];
        let calendar = id::<BlackoutCalendarId>(9);
        let row =
            Past::default().with::<BlackoutCalendar>(calendar, events).row::<BlackoutCalendars>();
        assert_eq!((&row["name"], &row["status"]), (&json!("Feiertage"), &json!("retired")));
        let days: Vec<_> =
            row["blackouts"].as_array().unwrap().iter().map(|e| &e["from"]).collect();
        assert_eq!(days, ["2026-01-01", "2026-12-25"]);
        assert_eq!(row["version"], 7);
    }
}
