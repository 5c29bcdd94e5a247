//! The rules of a configuration, by example.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::aggregate::{Class, Decider as _, Rejection as _};
use crate::identity::organization::{self, Organization, UnitKind};
use crate::ids::UnitId;
use crate::settings::{Flag, Key, Misfit, Value};
use crate::testing::{Given, frozen, given, id};
use crate::text::Fault;

const KEPT: &str = "exports.kept_hours";
const PAPER: &str = "exports.paper";

/// An organisation whose unit 1 is open and whose unit 2 is closed.
fn organization() -> Arc<Organization> {
    let added = |unit: u128| organization::Event::UnitAdded {
        unit_id: id(unit),
        kind: UnitKind::Branch,
        code: format!("U{unit}"),
        name: format!("Unit {unit}"),
        parent_id: None,
        time_zone: None,
    };
    let mut organization = Organization::default();
    let closed = organization::Event::UnitClosed { unit_id: id(2) };
    for event in [added(1), added(2), closed] {
        organization.evolve(&event);
    }
    Arc::new(organization)
}

fn facts(unit: Option<u128>) -> Facts {
    let scope = unit.map_or(Scope::Organization, |unit| Scope::Unit(id(unit)));
    Facts { scope, organization: organization() }
}

fn of(unit: Option<u128>, events: impl IntoIterator<Item = Event>) -> Given<Configuration> {
    given::<Configuration>(events).facts(facts(unit))
}

fn set(key: &str, value: serde_json::Value) -> Command {
    Command::SetSetting(SetSetting { key: key.into(), value })
}

fn unset(key: &str) -> Command {
    Command::UnsetSetting(UnsetSetting { key: key.into() })
}

fn kept(hours: i64) -> Event {
    Event::SettingChosen { key: Key::ExportsKeptHours, value: Value::Integer(hours) }
}

fn switch(rollout_pct: i64, units: &[u128]) -> Command {
    Command::SwitchFlag(SwitchFlag {
        flag: "command_batches".into(),
        enabled: true,
        rollout_pct,
        units: units.iter().map(|unit| id(*unit)).collect(),
    })
}

fn switched(rollout_pct: u8, units: &[u128]) -> Event {
    Event::FlagSwitched {
        flag: Flag::CommandBatches,
        enabled: true,
        rollout_pct,
        units: units.iter().map(|unit| id(*unit)).collect(),
    }
}

#[test]
fn samples_are_frozen() {
    let unset = Event::SettingUnset { key: Key::CalendarFirstDayOfWeek };
    let (flag, enabled, rollout_pct, units) = (Flag::Webhooks, true, 25, vec![id(1)]);
    let switched = Event::FlagSwitched { flag, enabled, rollout_pct, units };
    frozen::<Configuration>([kept(48), unset, switched]);
}

#[test]
fn a_value_within_its_bounds_is_chosen_once() {
    of(None, []).when(set(KEPT, json!(48))).then([kept(48)]);
    of(None, [kept(48)]).when(set(KEPT, json!(48))).then([]);
    of(None, [kept(48)]).when(set(KEPT, json!(24))).then([kept(24)]);
    let word = Event::SettingChosen { key: Key::ExportsPaper, value: Value::Text("letter".into()) };
    of(None, []).when(set(PAPER, json!("letter"))).then([word]);
}

#[test]
fn the_default_can_be_chosen_so_that_it_stays() {
    of(None, []).when(set(KEPT, json!(336))).then([kept(336)]);
}

#[test]
fn a_value_that_does_not_fit_is_refused_with_its_bound_and_its_place() {
    let (min, max) = (1, 8760);
    for (value, misfit) in [
        (json!(0), Misfit::TooSmall { min, max }),
        (json!(8761), Misfit::TooLarge { min, max }),
        (json!("48"), Misfit::NotInteger { min, max }),
        (json!(null), Misfit::NotInteger { min, max }),
    ] {
        of(None, []).when(set(KEPT, value)).refused(Rejection::ValueInvalid(misfit));
    }
    let sender = "notifications.mail_sender";
    of(None, [])
        .when(set(sender, json!(" ")))
        .refused(Rejection::ValueInvalid(Misfit::Text(Fault::Empty)));
    let refused = Rejection::ValueInvalid(Misfit::TooLarge { min, max });
    assert_eq!(refused.pointer(), Some("/value"));
    assert_eq!(refused.code(), "SETTINGS_VALUE_INVALID");
    assert_eq!(refused.class(), Class::Invalid);
    assert_eq!(refused.to_string(), "value is more than 8760: give a whole number from 1 to 8760");
}

#[test]
fn a_key_that_is_not_registered_is_refused() {
    for key in ["", "exports", "exports.kept_days", "EXPORTS.KEPT_HOURS", "ExportsKeptHours"] {
        of(None, []).when(set(key, json!(1))).refused(Rejection::KeyUnknown);
        of(None, []).when(unset(key)).refused(Rejection::KeyUnknown);
    }
    assert_eq!(Rejection::KeyUnknown.class(), Class::Absent);
}

#[test]
fn what_was_chosen_is_unset_once() {
    let gone = Event::SettingUnset { key: Key::ExportsKeptHours };
    of(None, [kept(48)]).when(unset(KEPT)).then([gone.clone()]);
    of(None, [kept(48), gone]).when(unset(KEPT)).then([]);
    of(None, []).when(unset(KEPT)).then([]);
}

#[test]
fn a_unit_chooses_what_is_per_unit_and_nothing_else() {
    let word = Event::SettingChosen { key: Key::ExportsPaper, value: Value::Text("letter".into()) };
    of(Some(1), []).when(set(PAPER, json!("letter"))).then([word]);
    of(Some(1), []).when(set(KEPT, json!(48))).refused(Rejection::NotPerUnit);
    of(Some(1), []).when(unset(KEPT)).refused(Rejection::NotPerUnit);
    of(Some(1), []).when(switch(50, &[])).refused(Rejection::NotPerUnit);
}

#[test]
fn a_unit_must_exist_and_be_open_to_choose_but_may_be_closed_to_give_back() {
    let word = Event::SettingChosen { key: Key::ExportsPaper, value: Value::Text("letter".into()) };
    of(Some(9), []).when(set(PAPER, json!("letter"))).refused(Rejection::UnitUnknown);
    of(Some(9), []).when(unset(PAPER)).refused(Rejection::UnitUnknown);
    of(Some(2), []).when(set(PAPER, json!("letter"))).refused(Rejection::UnitClosed);
    of(Some(2), [word]).when(unset(PAPER)).then([Event::SettingUnset { key: Key::ExportsPaper }]);
}

#[test]
fn a_flag_is_switched_for_a_share_and_for_units() {
    of(None, []).when(switch(25, &[1, 1])).then([switched(25, &[1])]);
    of(None, [switched(25, &[1])]).when(switch(25, &[1])).then([]);
    of(None, [switched(25, &[1])]).when(switch(50, &[])).then([switched(50, &[])]);
    for pct in [0, 100] {
        let stored = u8::try_from(pct).unwrap();
        of(None, []).when(switch(pct, &[])).then([switched(stored, &[])]);
    }
}

#[test]
fn a_flag_that_is_not_well_formed_is_refused() {
    for pct in [-1, 101, 256, i64::MAX] {
        of(None, []).when(switch(pct, &[])).refused(Rejection::RolloutInvalid);
    }
    for unit in [2, 9] {
        let unknown = Rejection::FlagUnitUnknown(id::<UnitId>(unit));
        of(None, []).when(switch(0, &[1, unit])).refused(unknown);
    }
    let many: Vec<u128> = (100..=200).collect();
    of(None, []).when(switch(0, &many)).refused(Rejection::FlagUnitsTooMany);
    let flag = |name: &str| {
        let (flag, units) = (name.to_owned(), Vec::new());
        Command::SwitchFlag(SwitchFlag { flag, enabled: true, rollout_pct: 100, units })
    };
    for nobody_asks_it in ["no_such", "webhooks"] {
        of(None, []).when(flag(nobody_asks_it)).refused(Rejection::FlagUnknown);
    }
    assert_eq!(Rejection::RolloutInvalid.pointer(), Some("/rollout_pct"));
}

#[test]
fn only_a_flag_with_units_asks_for_the_organisation() {
    assert!(switch(0, &[1]).names_units());
    assert!(!switch(0, &[]).names_units() && !set(KEPT, json!(1)).names_units());
}

#[test]
fn what_nothing_reads_cannot_be_set_and_can_be_given_back() {
    let week = "calendar.first_day_of_week";
    of(None, []).when(set(week, json!("friday"))).refused(Rejection::KeyUnknown);
    let key = Key::CalendarFirstDayOfWeek;
    let stored = Event::SettingChosen { key, value: Value::Text("friday".into()) };
    of(None, [stored]).when(unset(week)).then([Event::SettingUnset { key }]);
}

#[test]
fn a_user_chooses_for_themselves_what_is_per_user_and_nothing_else() {
    let of_user = |events: Vec<Event>| {
        let facts = Facts { scope: Scope::User(id(5)), ..Facts::default() };
        given::<Configuration>(events).facts(facts)
    };
    let value = Value::Text("letter".into());
    let letter = || Event::SettingChosen { key: Key::ExportsPaper, value: value.clone() };
    of_user(vec![]).when(set(PAPER, json!("letter"))).then([letter()]);
    of_user(vec![letter()]).when(set(PAPER, json!("letter"))).then([]);
    of_user(vec![letter()])
        .when(unset(PAPER))
        .then([Event::SettingUnset { key: Key::ExportsPaper }]);
    for command in [set(KEPT, json!(48)), unset(KEPT)] {
        of_user(vec![]).when(command).refused(Rejection::NotPerUser);
    }
    of_user(vec![]).when(switch(10, &[])).refused(Rejection::NotPerUnit);
}
