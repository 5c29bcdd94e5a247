//! The assets, one row each, with those who see them besides whoever holds the permission where they belong.

use events::maintenance::asset::{Amended, Asset, Event, Share, Status, Visibility, With, readers};
use events::money::Money;
use events::{AssetId, Decider as _, TenantId, UnitId};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Assets;

row!(Row {
    tenant_id: TenantId = Uuid,
    asset_id: AssetId = Uuid,
    tag: String = Text,
    name: String = Text,
    category: Option<String> = Text,
    serial: Option<String> = Text,
    unit_id: Option<UnitId> = Uuid,
    acquired_on: Option<Date> = Text,
    warranty_until: Option<Date> = Text,
    cost_amount: Option<String> = Text,
    cost_currency: Option<String> = Text,
    cost_minor: Option<u64> = Bigint,
    visibility: Visibility = Text,
    shares: Vec<Share> = Jsonb,
    readers: Vec<String> = Jsonb,
    status: Status = Text,
    retired_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Assets {
    const TABLE: Table = Table {
        name: "maintenance_assets",
        schema: "read",
        table: "maintenance_assets",
        key: &["tenant_id", "asset_id"],
        group: "asset_id",
        resource: ("maintenance.asset", "asset_id"),
        columns: Row::COLUMNS,
        reads: &[Asset::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Asset>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Asset>()? else { return Ok(()) };
        if let Event::Registered { .. } = event {
            rows.insert(begun(fact, event)?);
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("asset", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        change(row, event, fact.at());
        row.readers = readers(row.unit_id, row.visibility, row.shares.iter().map(|it| it.with));
        Ok(())
    }
}

fn change(row: &mut Row, event: &Event, at: Timestamp) {
    match event {
        Event::Registered { .. }
        | Event::UsageRecorded { .. }
        | Event::CounterReset { .. }
        | Event::WarrantyEndAnnounced { .. } => {}
        Event::Retagged { tag, .. } => row.tag.clone_from(tag),
        Event::Amended(amended) => amend(row, amended),
        Event::VisibilityChosen { visibility } => row.visibility = *visibility,
        Event::Shared { with, level } => {
            forget(row, *with);
            row.shares.push(Share { with: *with, level: *level });
        }
        Event::Unshared { with } => forget(row, *with),
        Event::Moved { unit_id, .. } => row.unit_id = *unit_id,
        Event::Retired => {
            row.status = Status::Retired;
            row.retired_at = Some(at);
        }
    }
}

fn forget(row: &mut Row, with: With) {
    row.shares.retain(|share| share.with != with);
}

fn amend(row: &mut Row, amended: &Amended) {
    let Amended { name, category, serial, acquired_on, warranty_until, cost } = amended;
    if let Some(name) = name {
        row.name.clone_from(name);
    }
    if let Some(category) = category {
        row.category.clone_from(category);
    }
    if let Some(serial) = serial {
        row.serial.clone_from(serial);
    }
    row.acquired_on = acquired_on.unwrap_or(row.acquired_on);
    row.warranty_until = warranty_until.unwrap_or(row.warranty_until);
    if let Some(cost) = cost {
        price(row, cost.as_ref());
    }
}

fn price(row: &mut Row, cost: Option<&Money>) {
    row.cost_amount = cost.map(|cost| cost.amount.clone());
    row.cost_currency = cost.map(|cost| cost.currency.clone());
    row.cost_minor = cost.map(Money::minor);
}

fn begun(fact: &Fact, event: &Event) -> Result<Row, FoldError> {
    let mut asset = Asset::default();
    asset.evolve(event);
    let mut row = Row {
        tenant_id: fact.tenant(),
        asset_id: fact.stream_id()?,
        readers: asset.readers(),
        tag: asset.tag,
        name: asset.name,
        category: asset.category,
        serial: asset.serial,
        unit_id: asset.unit_id,
        acquired_on: asset.acquired_on,
        warranty_until: asset.warranty_until,
        cost_amount: None,
        cost_currency: None,
        cost_minor: None,
        visibility: asset.visibility,
        shares: asset.shares,
        status: asset.status,
        retired_at: None,
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
    };
    price(&mut row, asset.cost.as_ref());
    Ok(row)
}

#[cfg(test)]
mod tests {
    use events::maintenance::asset::Level;
    use events::testing::id;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Past;

    fn registered() -> Event {
        Event::Registered {
            tag: "P-7".into(),
            name: "Pump".into(),
            category: Some("pumps".into()),
            serial: None,
            unit_id: Some(id(3)),
            acquired_on: None,
            warranty_until: Some("2028-02-29".parse().unwrap()),
            cost: Some(Money { amount: "1250.50".into(), currency: "EUR".into() }),
        }
    }

    fn after(events: impl IntoIterator<Item = Event>) -> Value {
        let events = [registered()].into_iter().chain(events);
        Past::default().with::<Asset>(id::<AssetId>(9), events).row::<Assets>()
    }

    #[test]
    fn an_asset_shows_what_is_known_of_it_now() {
        let row = after([]);
        assert_eq!((&row["tag"], &row["status"]), (&json!("P-7"), &json!("active")));
        assert_eq!((&row["cost_amount"], &row["cost_minor"]), (&json!("1250.50"), &json!(125_050)));
        assert_eq!(row["warranty_until"], "2028-02-29");
        let amended = Amended {
            name: Some("Main pump".into()),
            category: Some(None),
            cost: Some(None),
            ..Amended::default()
        };
        let retagged = Event::Retagged { previous: "P-7".into(), tag: "P-8".into() };
        let row = after([retagged, Event::Amended(amended), Event::Retired]);
        assert_eq!((&row["tag"], &row["name"]), (&json!("P-8"), &json!("Main pump")));
        assert_eq!((&row["category"], &row["cost_minor"]), (&json!(null), &json!(null)));
        assert_eq!(row["warranty_until"], "2028-02-29", "what was not said stays");
        assert_eq!((&row["status"], &row["version"]), (&json!("retired"), &json!(4)));
        assert!(row["retired_at"].is_string());
    }

    #[test]
    fn its_readers_are_those_that_the_rules_let_in() {
        let (anna, hall) = (With::User(id(2)), With::Unit(id(3)));
        let shared = |with, level| Event::Shared { with, level };
        let events = [
            Event::VisibilityChosen { visibility: Visibility::Unit },
            shared(hall, Level::View),
            shared(anna, Level::View),
            shared(anna, Level::Manage),
            Event::Unshared { with: hall },
            Event::Moved { from: Some(id(3)), unit_id: Some(id(4)) },
            Event::VisibilityChosen { visibility: Visibility::Organization },
            Event::Unshared { with: anna },
        ];
        let mut asset = Asset::default();
        asset.evolve(&registered());
        assert_eq!(after([])["readers"], json!([]));
        for count in 1..=events.len() {
            asset.evolve(&events[count - 1]);
            let row = after(events[..count].to_vec());
            assert_eq!(row["readers"], json!(asset.readers()), "after {count}");
            assert_eq!(row["shares"], json!(asset.shares), "after {count}");
        }
    }
}
