//! The rules of a configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Command, Configuration, Event, Scope, SetSetting, Switch, SwitchFlag};
use crate::aggregate::{Class, Context, Decider};
use crate::identity::organization::Organization;
use crate::ids::UnitId;
use crate::modules::Module;
use crate::settings::{BUCKETS, Flag, Key, Misfit};

/// Most units that one flag names.
pub const FLAG_MAX_UNITS: usize = 100;

/// Why a configuration refuses.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "SETTINGS_")]
pub enum Rejection {
    /// There is no such setting.
    #[error("there is no setting of this key: GET /settings lists those there are")]
    KeyUnknown,
    /// There is no such flag.
    #[error("there is no feature flag of this name: GET /feature-flags lists those there are")]
    FlagUnknown,
    /// The value does not fit the setting.
    #[error("value {0}")]
    ValueInvalid(Misfit),
    /// The setting is the organisation's alone.
    #[error("unit_id is given, but this holds for the whole organisation: leave unit_id out")]
    NotPerUnit,
    /// The setting is not for users to choose.
    #[error("no user chooses this setting: GET /me/settings lists those that you can choose")]
    NotPerUser,
    /// There is no such unit.
    #[error("unit_id names no unit of the organisation: name one of its units, or leave it out")]
    UnitUnknown,
    /// The unit is closed.
    #[error("unit_id names a closed unit: name an open one")]
    UnitClosed,
    /// The percentage is none.
    #[error("rollout_pct must be a whole number from 0 to {BUCKETS}")]
    RolloutInvalid,
    /// A flag names a unit that is not there or not open.
    #[error("units names {0}, which is no open unit of the organisation: leave it out")]
    FlagUnitUnknown(UnitId),
    /// A flag names too many units.
    #[error("units has more than {FLAG_MAX_UNITS} units: name those above them")]
    FlagUnitsTooMany,
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        self.into()
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::KeyUnknown | Self::FlagUnknown | Self::NotPerUser => Class::Absent,
            Self::ValueInvalid(_)
            | Self::NotPerUnit
            | Self::UnitUnknown
            | Self::RolloutInvalid
            | Self::FlagUnitUnknown(_)
            | Self::FlagUnitsTooMany => Class::Invalid,
            Self::UnitClosed => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::ValueInvalid(_) => Some("/value"),
            Self::NotPerUnit | Self::UnitUnknown | Self::UnitClosed => Some("/unit_id"),
            Self::RolloutInvalid => Some("/rollout_pct"),
            Self::FlagUnitUnknown(_) | Self::FlagUnitsTooMany => Some("/units"),
            Self::KeyUnknown | Self::FlagUnknown | Self::NotPerUser => None,
        }
    }
}

/// What the rules need to know besides.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Whose configuration this is.
    pub scope: Scope,
    /// The organisation, where units are in question.
    pub organization: Arc<Organization>,
}

impl Facts {
    /// Whether a unit is open; nothing where there is no such unit.
    fn is_open(&self, unit: UnitId) -> Option<bool> {
        self.organization.units.get(&unit).map(|unit| !unit.closed)
    }

    /// Whether the setting may be chosen where this configuration is.
    fn admit(&self, key: Key) -> Result<(), Rejection> {
        match self.scope {
            Scope::Organization => Ok(()),
            Scope::Unit(unit) => {
                self.is_open(unit).ok_or(Rejection::UnitUnknown)?;
                if key.is_per_unit() { Ok(()) } else { Err(Rejection::NotPerUnit) }
            }
            Scope::User(_) if key.is_per_user() => Ok(()),
            Scope::User(_) => Err(Rejection::NotPerUser),
        }
    }
}

impl Decider for Configuration {
    const TYPE: &'static str = "settings.configuration";
    const MODULE: Module = Module::Settings;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = Facts;

    fn decide(
        &self,
        command: Command,
        facts: &Facts,
        _: &Context,
    ) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::SetSetting(set) => self.set(&set, facts),
            Command::UnsetSetting(unset) => {
                let key = known(&unset.key)?;
                facts.admit(key)?;
                let chosen = self.stored(key).is_some();
                Ok(if chosen { vec![Event::SettingUnset { key }] } else { vec![] })
            }
            Command::SwitchFlag(switch) => self.switch_flag(switch, facts),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Configuration {
    fn set(&self, set: &SetSetting, facts: &Facts) -> Result<Vec<Event>, Rejection> {
        let key = known(&set.key)?;
        if !Key::offered().any(|offered| offered == key) {
            return Err(Rejection::KeyUnknown);
        }
        facts.admit(key)?;
        if let Scope::Unit(unit) = facts.scope
            && facts.is_open(unit) == Some(false)
        {
            return Err(Rejection::UnitClosed);
        }
        let value = key.form().read(&set.value).map_err(Rejection::ValueInvalid)?;
        let same = self.stored(key) == Some(&value);
        Ok(if same { vec![] } else { vec![Event::SettingChosen { key, value }] })
    }

    fn switch_flag(&self, switch: SwitchFlag, facts: &Facts) -> Result<Vec<Event>, Rejection> {
        let flag = Flag::offered().find(|flag| flag.name() == switch.flag);
        let flag = flag.ok_or(Rejection::FlagUnknown)?;
        if facts.scope != Scope::Organization {
            return Err(Rejection::NotPerUnit);
        }
        let rollout_pct = u8::try_from(switch.rollout_pct).ok().filter(|pct| *pct <= BUCKETS);
        let rollout_pct = rollout_pct.ok_or(Rejection::RolloutInvalid)?;
        let units: BTreeSet<UnitId> = switch.units.into_iter().collect();
        if units.len() > FLAG_MAX_UNITS {
            return Err(Rejection::FlagUnitsTooMany);
        }
        if let Some(unit) = units.iter().find(|unit| facts.is_open(**unit) != Some(true)) {
            return Err(Rejection::FlagUnitUnknown(*unit));
        }
        let (enabled, units) = (switch.enabled, units.into_iter().collect::<Vec<_>>());
        let wanted = Switch { enabled, rollout_pct, units };
        if self.switch(flag) == Some(&wanted) {
            return Ok(vec![]);
        }
        let Switch { enabled, rollout_pct, units } = wanted;
        Ok(vec![Event::FlagSwitched { flag, enabled, rollout_pct, units }])
    }
}

fn known(key: &str) -> Result<Key, Rejection> {
    key.parse().map_err(|_| Rejection::KeyUnknown)
}
