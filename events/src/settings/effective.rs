//! What holds for somebody somewhere, and where that comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::configuration::Configuration;
use super::{Flag, Key, Value, bucket};
use crate::ids::UnitId;

/// Where a value comes from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Source {
    /// From the closed list: nobody has set it.
    Default,
    /// The organisation set it.
    Organization,
    /// A unit set it.
    Unit,
    /// The user has chosen it for themselves.
    User,
    /// The installation's environment sets it.
    Environment,
}

/// A setting as it holds somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// What it holds.
    pub value: Value,
    /// Where that comes from.
    pub source: Source,
    /// The unit that set it.
    pub unit_id: Option<UnitId>,
}

/// A setting as it holds in a unit, whose own configuration and those above it are given nearest
/// first; in the organisation as a whole where there are none.
pub fn effective(
    key: Key,
    organization: &Configuration,
    units: &[(UnitId, &Configuration)],
) -> Effective {
    let of_unit = units.iter().filter(|_| key.is_per_unit()).find_map(|(unit_id, chosen)| {
        let value = chosen.chosen(key)?.clone();
        Some(Effective { value, source: Source::Unit, unit_id: Some(*unit_id) })
    });
    let of_organization = || {
        let value = organization.chosen(key)?.clone();
        Some(Effective { value, source: Source::Organization, unit_id: None })
    };
    of_unit.or_else(of_organization).unwrap_or_else(|| Effective {
        value: key.form().default_value(),
        source: Source::Default,
        unit_id: None,
    })
}

/// A setting as it holds for a user: as they have chosen, where that is theirs to choose, and otherwise
/// as it holds where they are.
pub fn effective_for(
    key: Key,
    own: &Configuration,
    organization: &Configuration,
    units: &[(UnitId, &Configuration)],
) -> Effective {
    match own.chosen(key).filter(|_| key.is_per_user()) {
        Some(value) => Effective { value: value.clone(), source: Source::User, unit_id: None },
        None => effective(key, organization, units),
    }
}

/// Whom a flag is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The user's id, or the service's name.
    pub id: &'a str,
    /// The units in which the caller has a role, and all units above them.
    pub units: &'a [UnitId],
}

/// Why a feature is on or off.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Why {
    /// The installation's environment says so.
    Environment,
    /// The organisation has switched it off for everybody.
    SwitchedOff,
    /// It is on for a unit of the caller's.
    Unit,
    /// The caller's bucket is, or is not, among those that it is on for.
    Rollout,
    /// Nobody has switched it.
    Default,
}

/// A flag as it holds for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the feature is on.
    pub on: bool,
    /// Why.
    pub why: Why,
    /// Where that comes from.
    pub source: Source,
    /// The unit for which it is on.
    pub unit_id: Option<UnitId>,
    /// The caller's bucket.
    pub bucket: u8,
}

/// A flag as it holds for a caller; `environment` is what the installation says, if anything.
pub fn verdict(
    flag: Flag,
    environment: Option<bool>,
    organization: &Configuration,
    caller: Caller<'_>,
) -> Verdict {
    let bucket = bucket(flag, caller.id);
    let found = |on, why, source| Verdict { on, why, source, unit_id: None, bucket };
    if let Some(on) = environment {
        return found(on, Why::Environment, Source::Environment);
    }
    let Some(switch) = organization.switch(flag) else {
        return found(flag.is_on_by_default(), Why::Default, Source::Default);
    };
    if !switch.enabled {
        return found(false, Why::SwitchedOff, Source::Organization);
    }
    match caller.units.iter().find(|unit| switch.units.contains(unit)) {
        Some(unit) => Verdict { unit_id: Some(*unit), ..found(true, Why::Unit, Source::Unit) },
        None => found(bucket < switch.rollout_pct, Why::Rollout, Source::Organization),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::aggregate::Decider as _;
    use crate::settings::configuration::Event;
    use crate::testing::id;

    fn configuration(events: impl IntoIterator<Item = Event>) -> Configuration {
        let mut configuration = Configuration::default();
        for event in events {
            configuration.evolve(&event);
        }
        configuration
    }

    fn chosen(key: Key, value: Value) -> Configuration {
        configuration([Event::SettingChosen { key, value }])
    }

    fn switched(enabled: bool, rollout_pct: u8, units: &[u128]) -> Configuration {
        let units = units.iter().map(|unit| id(*unit)).collect();
        configuration([Event::FlagSwitched { flag: Flag::Webhooks, enabled, rollout_pct, units }])
    }

    fn word(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn the_nearest_unit_wins_then_the_organisation_then_the_default() {
        let key = Key::CalendarFirstDayOfWeek;
        let (none, friday) = (Configuration::default(), chosen(key, word("friday")));
        let sunday = chosen(key, word("sunday"));
        let found = |organization, units: &[(UnitId, &Configuration)]| {
            let Effective { value, source, unit_id } = effective(key, organization, units);
            (value, source, unit_id)
        };
        assert_eq!(found(&none, &[]), (word("monday"), Source::Default, None));
        assert_eq!(found(&friday, &[]), (word("friday"), Source::Organization, None));
        let units = [(id(1), &none), (id(2), &sunday), (id(3), &friday)];
        assert_eq!(found(&friday, &units), (word("sunday"), Source::Unit, Some(id(2))));
        let silent = [(id(1), &none)];
        assert_eq!(found(&friday, &silent), (word("friday"), Source::Organization, None));
    }

    #[test]
    fn a_users_own_choice_wins_where_it_is_theirs() {
        let (none, letter) = (Configuration::default(), chosen(Key::ExportsPaper, word("letter")));
        let a4 = chosen(Key::ExportsPaper, word("a4"));
        let found = |own: &Configuration| {
            let found = effective_for(Key::ExportsPaper, own, &a4, &[(id(1), &a4)]);
            (found.value, found.source, found.unit_id)
        };
        assert_eq!(found(&letter), (word("letter"), Source::User, None));
        assert_eq!(found(&none), (word("a4"), Source::Unit, Some(id(1))));
        let hours = chosen(Key::ExportsKeptHours, Value::Integer(1));
        let found = effective_for(Key::ExportsKeptHours, &hours, &none, &[]);
        assert_eq!((found.value, found.source), (Value::Integer(336), Source::Default));
    }

    #[test]
    fn a_setting_of_the_whole_organisation_does_not_ask_units() {
        let unit = chosen(Key::ExportsKeptHours, Value::Integer(1));
        let found = effective(Key::ExportsKeptHours, &Configuration::default(), &[(id(1), &unit)]);
        assert_eq!((found.value, found.source), (Value::Integer(336), Source::Default));
    }

    #[test]
    fn a_value_that_no_longer_fits_does_not_count() {
        let stale = chosen(Key::ExportsKeptHours, Value::Integer(1_000_000));
        let found = effective(Key::ExportsKeptHours, &stale, &[]);
        assert_eq!((found.value, found.source), (Value::Integer(336), Source::Default));
    }

    #[test]
    fn a_verdict_says_why() {
        let caller = Caller { id: "01900000-0000-7000-8000-000000000001", units: &[id(5), id(6)] };
        let ask = |environment, organization: &Configuration| {
            let found = verdict(Flag::Webhooks, environment, organization, caller);
            (found.on, found.why, found.source, found.unit_id)
        };
        let organization = Source::Organization;
        let none = Configuration::default();
        assert_eq!(ask(None, &none), (false, Why::Default, Source::Default, None));
        let off = switched(false, 100, &[5]);
        assert_eq!(ask(None, &off), (false, Why::SwitchedOff, organization, None));
        let in_unit = switched(true, 0, &[6]);
        assert_eq!(ask(None, &in_unit), (true, Why::Unit, Source::Unit, Some(id(6))));
        let elsewhere = switched(true, 0, &[7]);
        assert_eq!(ask(None, &elsewhere), (false, Why::Rollout, organization, None));
        let everybody = switched(true, 100, &[]);
        assert_eq!(ask(None, &everybody), (true, Why::Rollout, organization, None));
        let environment = Source::Environment;
        assert_eq!(ask(Some(false), &everybody), (false, Why::Environment, environment, None));
        assert_eq!(ask(Some(true), &off), (true, Why::Environment, environment, None));
        let silent = verdict(Flag::CommandBatches, None, &off, caller);
        assert_eq!((silent.on, silent.why), (true, Why::Default), "what there was before stays");
    }

    proptest! {
        #[test]
        fn whoever_has_a_feature_keeps_it_while_the_percentage_grows(
            user in any::<u128>(), low in 0_u8..=100, more in 0_u8..=100,
        ) {
            let high = (low + more).min(100);
            let user = uuid::Uuid::from_u128(user).to_string();
            let caller = Caller { id: &user, units: &[] };
            let on = |pct| verdict(Flag::Webhooks, None, &switched(true, pct, &[]), caller).on;
            prop_assert!(!on(low) || on(high));
            prop_assert!(!on(0) && on(100));
        }
    }
}
