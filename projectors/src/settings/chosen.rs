//! One row for each setting that the organisation or a unit has chosen.

use events::settings::configuration::{Configuration, Event, Scope};
use events::settings::{Key, Value};
use events::{Decider as _, TenantId, UnitId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Settings;

row!(Row {
    tenant_id: TenantId = Uuid,
    scope: String = Text,
    key: Key = Text,
    unit_id: Option<UnitId> = Uuid,
    value: Value = Jsonb,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Settings {
    const TABLE: Table = Table {
        name: "settings_settings",
        schema: "read",
        table: "settings_settings",
        key: &["tenant_id", "scope", "key"],
        group: "scope",
        resource: ("settings.setting", "key"),
        columns: Row::COLUMNS,
        reads: &[Configuration::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let Some(event) = fact.of::<Configuration>()? else { return Ok(None) };
        Ok(match event {
            Event::SettingChosen { .. } | Event::SettingUnset { .. } => {
                place(fact)?.map(|(_, scope)| scope)
            }
            Event::FlagSwitched { .. } => None,
        })
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Configuration>()? else { return Ok(()) };
        match event {
            Event::SettingChosen { key, value } => {
                if let Some(row) = rows.change(|row| row.key == *key) {
                    row.value = value.clone();
                    row.version = fact.version();
                    row.changed_at = fact.at();
                    return Ok(());
                }
                let Some((unit_id, scope)) = place(fact)? else { return Ok(()) };
                rows.insert(Row {
                    tenant_id: fact.tenant(),
                    scope,
                    key: *key,
                    unit_id,
                    value: value.clone(),
                    version: fact.version(),
                    created_at: fact.at(),
                    changed_at: fact.at(),
                });
            }
            Event::SettingUnset { key } => {
                if rows.remove(|row| row.key == *key) == 0 {
                    return Err(FoldError::absent("setting", key.name()));
                }
            }
            Event::FlagSwitched { .. } => {}
        }
        Ok(())
    }
}

/// The unit whose choice it is, and what the scope is called; what users choose for themselves is not listed.
fn place(fact: &Fact) -> Result<Option<(Option<UnitId>, String)>, FoldError> {
    let id = &fact.recorded.aggregate_id;
    let scope = Scope::of(fact.tenant(), id).ok_or_else(|| FoldError::absent("scope", id))?;
    Ok(match scope {
        Scope::Organization => Some((None, "organization".to_owned())),
        Scope::Unit(unit) => Some((Some(unit), format!("unit:{unit}"))),
        Scope::User(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn hours(hours: i64) -> Event {
        Event::SettingChosen { key: Key::ExportsKeptHours, value: Value::Integer(hours) }
    }

    #[test]
    fn a_choice_replaces_the_one_before_and_can_be_given_back() {
        let past = Past::default().with::<Configuration>(id::<TenantId>(0), [hours(48), hours(24)]);
        let row = past.row::<Settings>();
        assert_eq!((&row["scope"], &row["value"]), (&json!("organization"), &json!(24)));
        assert_eq!((&row["version"], &row["unit_id"]), (&json!(2), &json!(null)));
        assert_eq!(row["created_at"], "2026-01-01T12:00:01Z");
        assert_eq!(row["changed_at"], "2026-01-01T12:00:02Z");
        let unset = Event::SettingUnset { key: Key::ExportsKeptHours };
        let past = past.with::<Configuration>(id::<TenantId>(0), [unset]);
        assert!(past.rows::<Settings>().is_empty());
    }

    #[test]
    fn a_unit_has_choices_of_its_own() {
        let friday = Event::SettingChosen {
            key: Key::CalendarFirstDayOfWeek,
            value: Value::Text("friday".into()),
        };
        let rows = Past::default()
            .with::<Configuration>(id::<TenantId>(0), [friday.clone()])
            .with::<Configuration>(id::<UnitId>(7), [friday])
            .rows::<Settings>();
        assert_eq!(rows.len(), 2);
        let of_unit = rows.iter().find(|row| row["unit_id"] == json!(id::<UnitId>(7))).unwrap();
        assert_eq!(of_unit["scope"], format!("unit:{}", id::<UnitId>(7)));
    }

    #[test]
    fn what_users_choose_for_themselves_is_not_listed() {
        let own = Scope::User(id(7)).stream(id(0));
        let past = Past::default().with::<Configuration>(own, [hours(24)]);
        assert!(past.rows::<Settings>().is_empty());
    }

    #[test]
    fn giving_back_what_was_never_chosen_is_an_error() {
        let unset = Event::SettingUnset { key: Key::ExportsKeptHours };
        let past = Past::default().with::<Configuration>(id::<TenantId>(0), [unset]);
        assert!(past.folded::<Settings>().is_err());
    }
}
