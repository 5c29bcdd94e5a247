//! The units of organisations, each with its way up to the top.

use events::identity::organization::{Event, Organization, UnitKind};
use events::{Decider as _, TenantId, UnitId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Units;

row!(Row {
    tenant_id: TenantId = Uuid,
    unit_id: UnitId = Uuid,
    kind: UnitKind = Text,
    code: String = Text,
    name: String = Text,
    parent_id: Option<UnitId> = Uuid,
    path: Vec<UnitId> = Jsonb,
    time_zone: Option<String> = Text,
    closed_at: Option<Timestamp> = Timestamptz,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Units {
    const TABLE: Table = Table {
        name: "identity_units",
        schema: "read",
        table: "identity_units",
        key: &["tenant_id", "unit_id"],
        group: "tenant_id", // moving a unit changes the way up of all below it
        resource: ("identity.unit", "unit_id"),
        columns: Row::COLUMNS,
        reads: &[Organization::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let Some(event) = fact.of::<Organization>()? else { return Ok(None) };
        Ok(match event {
            Event::UnitAdded { .. }
            | Event::UnitMoved { .. }
            | Event::UnitRenamed { .. }
            | Event::UnitClosed { .. } => Some(fact.tenant().to_string()),
            Event::Created { .. }
            | Event::Renamed { .. }
            | Event::Suspended { .. }
            | Event::Reactivated
            | Event::PurgeRequested { .. }
            | Event::PurgeConfirmed { .. }
            | Event::PurgeCancelled
            | Event::Purged => None,
        })
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Organization>()? else { return Ok(()) };
        match event {
            Event::UnitAdded { unit_id, kind, code, name, parent_id, time_zone } => {
                let path = path(rows, *unit_id, *parent_id)?;
                rows.insert(Row {
                    tenant_id: fact.tenant(),
                    unit_id: *unit_id,
                    kind: *kind,
                    code: code.clone(),
                    name: name.clone(),
                    parent_id: *parent_id,
                    path,
                    time_zone: time_zone.clone(),
                    closed_at: None,
                    created_at: fact.at(),
                    changed_at: fact.at(),
                });
            }
            Event::UnitMoved { unit_id, parent_id } => relocate(rows, *unit_id, *parent_id, fact)?,
            Event::UnitRenamed { unit_id, name } => {
                change(rows, *unit_id, fact)?.name.clone_from(name);
            }
            Event::UnitClosed { unit_id } => {
                change(rows, *unit_id, fact)?.closed_at = Some(fact.at());
            }
            Event::Created { .. }
            | Event::Renamed { .. }
            | Event::Suspended { .. }
            | Event::Reactivated
            | Event::PurgeRequested { .. }
            | Event::PurgeConfirmed { .. }
            | Event::PurgeCancelled
            | Event::Purged => {}
        }
        Ok(())
    }
}

fn change<'a>(
    rows: &'a mut Rows<Row>,
    unit_id: UnitId,
    fact: &Fact,
) -> Result<&'a mut Row, FoldError> {
    let row = rows.change(|row| row.unit_id == unit_id);
    let row = row.ok_or_else(|| FoldError::absent("unit", unit_id))?;
    row.changed_at = fact.at();
    Ok(row)
}

/// The unit itself first, the top last.
fn path(
    rows: &Rows<Row>,
    unit_id: UnitId,
    parent_id: Option<UnitId>,
) -> Result<Vec<UnitId>, FoldError> {
    let mut path = vec![unit_id];
    if let Some(parent) = parent_id {
        let above = rows.iter().find(|row| row.unit_id == parent);
        path.extend(&above.ok_or_else(|| FoldError::absent("unit", parent))?.path);
    }
    Ok(path)
}

fn relocate(
    rows: &mut Rows<Row>,
    unit_id: UnitId,
    parent_id: Option<UnitId>,
    fact: &Fact,
) -> Result<(), FoldError> {
    let moved = path(rows, unit_id, parent_id)?;
    change(rows, unit_id, fact)?.parent_id = parent_id;
    let below: Vec<UnitId> =
        rows.iter().filter(|row| row.path.contains(&unit_id)).map(|row| row.unit_id).collect();
    for one in below {
        if let Some(row) = rows.change(|row| row.unit_id == one) {
            let kept = row.path.iter().take_while(|id| **id != unit_id).copied();
            row.path = kept.chain(moved.iter().copied()).collect();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn added(unit: u128, parent: Option<u128>) -> Event {
        Event::UnitAdded {
            unit_id: id(unit),
            kind: UnitKind::Branch,
            code: format!("U{unit}"),
            name: format!("Unit {unit}"),
            parent_id: parent.map(id),
            time_zone: None,
        }
    }

    fn paths(past: &Past) -> Vec<(String, Vec<UnitId>)> {
        let rows = past.rows::<Units>();
        let path = |row: &serde_json::Value| {
            serde_json::from_value(row["path"].clone()).unwrap_or_default()
        };
        let mut paths: Vec<_> =
            rows.iter().map(|row| (row["code"].as_str().unwrap().to_owned(), path(row))).collect();
        paths.sort();
        paths
    }

    #[test]
    fn a_unit_knows_its_way_up() {
        let past = Past::default().with::<Organization>(
            id::<TenantId>(0),
            [added(1, None), added(2, Some(1)), added(3, Some(2))],
        );
        assert_eq!(paths(&past)[2].1, [id(3), id(2), id(1)]);
    }

    #[test]
    fn moving_a_unit_moves_all_below_it() {
        let events = [
            added(1, None),
            added(2, Some(1)),
            added(3, Some(2)),
            added(4, None),
            Event::UnitMoved { unit_id: id(2), parent_id: Some(id(4)) },
        ];
        let past = Past::default().with::<Organization>(id::<TenantId>(0), events);
        assert_eq!(paths(&past)[1].1, [id(2), id(4)]);
        assert_eq!(paths(&past)[2].1, [id(3), id(2), id(4)]);
    }

    #[test]
    fn a_closed_and_renamed_unit_says_so() {
        let events = [
            added(1, None),
            Event::UnitRenamed { unit_id: id(1), name: "North".into() },
            Event::UnitClosed { unit_id: id(1) },
        ];
        let row = Past::default().with::<Organization>(id::<TenantId>(0), events).row::<Units>();
        assert_eq!(row["name"], "North");
        assert_eq!(row["closed_at"], json!("2026-01-01T12:00:03Z"));
    }

    #[test]
    fn a_unit_below_nothing_is_an_error() {
        let past = Past::default().with::<Organization>(id::<TenantId>(0), [added(2, Some(1))]);
        assert!(past.folded::<Units>().is_err());
    }
}
