//! Whom assets are shared with, one row each.

use events::maintenance::asset::{Asset, Event, Level, With};
use events::{AssetId, Decider as _, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Shares;

row!(Row {
    tenant_id: TenantId = Uuid,
    asset_id: AssetId = Uuid,
    with_kind: String = Text,
    with_id: Uuid = Uuid,
    level: Level = Text,
    shared_at: Timestamp = Timestamptz,
});

impl ReadModel for Shares {
    const TABLE: Table = Table {
        name: "maintenance_asset_shares",
        schema: "read",
        table: "maintenance_asset_shares",
        key: &["tenant_id", "asset_id", "with_kind", "with_id"],
        group: "asset_id",
        resource: ("maintenance.asset_share", "asset_id"),
        columns: Row::COLUMNS,
        reads: &[Asset::TYPE],
    };
    const BUILD: i32 = 1;
    const ECHOES: bool = true;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let touches = match fact.of::<Asset>()? {
            Some(Event::Shared { .. } | Event::Unshared { .. }) => true,
            Some(
                Event::Registered { .. }
                | Event::Retagged { .. }
                | Event::Amended(_)
                | Event::UsageRecorded { .. }
                | Event::CounterReset { .. }
                | Event::VisibilityChosen { .. }
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
        if let Event::Shared { with, .. } | Event::Unshared { with } = event {
            let (kind, id) = (kind(*with), with.id());
            rows.remove(|row| row.with_kind == kind && row.with_id == id);
        }
        if let Event::Shared { with, level } = event {
            rows.insert(Row {
                tenant_id: fact.tenant(),
                asset_id: fact.stream_id()?,
                with_kind: kind(*with).to_owned(),
                with_id: with.id(),
                level: *level,
                shared_at: fact.at(),
            });
        }
        Ok(())
    }
}

fn kind(with: With) -> &'static str {
    match with {
        With::User(_) => "user",
        With::Unit(_) => "unit",
    }
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    #[test]
    fn a_row_is_there_for_as_long_as_the_share_and_says_how_far_it_goes_now() {
        let (anna, hall) = (With::User(id(2)), With::Unit(id(3)));
        let shared = |with, level| Event::Shared { with, level };
        let events = [
            shared(anna, Level::View),
            shared(hall, Level::Work),
            shared(anna, Level::Manage),
            Event::Unshared { with: hall },
        ];
        let row = Past::default().with::<Asset>(id::<AssetId>(9), events).row::<Shares>();
        assert_eq!((&row["with_kind"], &row["level"]), (&json!("user"), &json!("manage")));
        assert_eq!(row["with_id"], json!(anna.id()));
    }
}
