//! The counters of assets, one row each, with the last reading.

use events::decimal::Decimal;
use events::maintenance::asset::{Asset, Event};
use events::{AssetId, Decider as _, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Usage;

row!(Row {
    tenant_id: TenantId = Uuid,
    asset_id: AssetId = Uuid,
    counter: String = Text,
    value: Decimal = Text,
    value_thousandths: u64 = Bigint,
    total: Decimal = Text,
    total_thousandths: u64 = Bigint,
    readings: u64 = Bigint,
    read_at: Timestamp = Timestamptz,
    reset_at: Option<Timestamp> = Timestamptz,
    reset_reason: Option<String> = Text,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Usage {
    const TABLE: Table = Table {
        name: "maintenance_asset_usage",
        schema: "read",
        table: "maintenance_asset_usage",
        key: &["tenant_id", "asset_id", "counter"],
        group: "asset_id",
        resource: ("maintenance.asset_usage", "asset_id"),
        columns: Row::COLUMNS,
        reads: &[Asset::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let touches = match fact.of::<Asset>()? {
            Some(Event::UsageRecorded { .. } | Event::CounterReset { .. }) => true,
            Some(
                Event::Registered { .. }
                | Event::Retagged { .. }
                | Event::Amended(_)
                | Event::VisibilityChosen { .. }
                | Event::Shared { .. }
                | Event::Unshared { .. }
                | Event::Moved { .. }
                | Event::WarrantyEndAnnounced { .. }
                | Event::Retired,
            )
            | None => false,
        };
        Ok(touches.then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Asset>()? else { return Ok(()) };
        if let Event::UsageRecorded { counter, value, total, at, .. } = event {
            let read = (*value, *total, *at);
            match rows.change(|row| row.counter == *counter) {
                Some(row) => show(row, read, fact.at()),
                None => rows.insert(begun(fact, counter, read)?),
            }
        }
        if let Event::CounterReset { counter, reason, at, .. } = event {
            let row = rows.change(|row| row.counter == *counter);
            let row = row.ok_or_else(|| FoldError::absent("counter", counter))?;
            row.value = Decimal::default();
            row.value_thousandths = 0;
            row.reset_at = Some(*at);
            row.reset_reason = Some(reason.clone());
            row.changed_at = fact.at();
        }
        Ok(())
    }
}

fn show(row: &mut Row, (value, total, at): (Decimal, Decimal, Timestamp), changed_at: Timestamp) {
    row.value = value;
    row.value_thousandths = value.thousandths();
    row.total = total;
    row.total_thousandths = total.thousandths();
    row.readings += 1;
    row.read_at = at;
    row.changed_at = changed_at;
}

fn begun(
    fact: &Fact,
    counter: &str,
    (value, total, at): (Decimal, Decimal, Timestamp),
) -> Result<Row, FoldError> {
    Ok(Row {
        tenant_id: fact.tenant(),
        asset_id: fact.stream_id()?,
        counter: counter.to_owned(),
        value,
        value_thousandths: value.thousandths(),
        total,
        total_thousandths: total.thousandths(),
        readings: 1,
        read_at: at,
        reset_at: None,
        reset_reason: None,
        changed_at: fact.at(),
    })
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    const NOON: &str = "2026-01-01T12:00:00Z";

    fn read(counter: &str, value: &str, total: &str) -> Event {
        let [value, total] = [value, total].map(|text| text.parse().unwrap());
        let delta = "1".parse().unwrap();
        Event::UsageRecorded { counter: counter.into(), value, delta, total, at: at(NOON) }
    }

    #[test]
    fn each_counter_shows_its_last_reading_and_what_it_counted_in_all() {
        let reset = Event::CounterReset {
            counter: "hours".into(),
            previous: "12.5".parse().unwrap(),
            reason: "new meter".into(),
            at: at(NOON),
        };
        let past = [read("hours", "12.5", "12.5"), read("km", "7", "7"), reset.clone()];
        let rows = |events: &[Event]| {
            let past = Past::default().with::<Asset>(id::<AssetId>(9), events.to_vec());
            past.rows::<Usage>()
        };
        let of = |rows: &[serde_json::Value], counter: &str| {
            rows.iter().find(|row| row["counter"] == counter).cloned().unwrap()
        };
        let begun = rows(&past);
        assert_eq!(begun.len(), 2);
        let hours = of(&begun, "hours");
        assert_eq!((&hours["value"], &hours["total"]), (&json!("0"), &json!("12.5")));
        assert_eq!(hours["reset_reason"], "new meter");
        let later = rows(&[past.to_vec(), vec![read("hours", "3.25", "15.75")]].concat());
        let hours = of(&later, "hours");
        assert_eq!((&hours["value"], &hours["value_thousandths"]), (&json!("3.25"), &json!(3250)));
        assert_eq!((&hours["total_thousandths"], &hours["readings"]), (&json!(15_750), &json!(2)));
        assert_eq!(of(&later, "km")["value"], "7");
    }
}
