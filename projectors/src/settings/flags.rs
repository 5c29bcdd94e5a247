//! One row for each feature that the organisation has switched.

use events::settings::Flag;
use events::settings::configuration::{Configuration, Event};
use events::{Decider as _, TenantId, UnitId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Flags;

row!(Row {
    tenant_id: TenantId = Uuid,
    flag: Flag = Text,
    enabled: bool = Boolean,
    rollout_pct: u8 = Integer,
    units: Vec<UnitId> = Jsonb,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Flags {
    const TABLE: Table = Table {
        name: "settings_flags",
        schema: "read",
        table: "settings_flags",
        key: &["tenant_id", "flag"],
        group: "flag",
        resource: ("settings.flag", "flag"),
        columns: Row::COLUMNS,
        reads: &[Configuration::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let Some(event) = fact.of::<Configuration>()? else { return Ok(None) };
        Ok(match event {
            Event::FlagSwitched { flag, .. } => Some(flag.name().to_owned()),
            Event::SettingChosen { .. } | Event::SettingUnset { .. } => None,
        })
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Configuration>()? else { return Ok(()) };
        match event {
            Event::FlagSwitched { flag, enabled, rollout_pct, units } => {
                let created_at = rows.iter().next().map_or_else(|| fact.at(), |row| row.created_at);
                let switched = Row {
                    tenant_id: fact.tenant(),
                    flag: *flag,
                    enabled: *enabled,
                    rollout_pct: *rollout_pct,
                    units: units.clone(),
                    version: fact.version(),
                    created_at,
                    changed_at: fact.at(),
                };
                match rows.only() {
                    Some(row) => *row = switched,
                    None => rows.insert(switched),
                }
            }
            Event::SettingChosen { .. } | Event::SettingUnset { .. } => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    #[test]
    fn a_flag_stands_as_it_was_last_switched() {
        let switched = |rollout_pct, units| Event::FlagSwitched {
            flag: Flag::Webhooks,
            enabled: true,
            rollout_pct,
            units,
        };
        let events = [switched(10, Vec::new()), switched(50, vec![id::<UnitId>(7)])];
        let row = Past::default().with::<Configuration>(id::<TenantId>(0), events).row::<Flags>();
        assert_eq!((&row["flag"], &row["rollout_pct"]), (&json!("webhooks"), &json!(50)));
        assert_eq!(row["units"], json!([id::<UnitId>(7)]));
        assert_eq!(row["created_at"], "2026-01-01T12:00:01Z");
    }
}
