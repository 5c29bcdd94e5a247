//! A configuration as its rules and its readers see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Event;
use crate::ids::UnitId;
use crate::settings::{Flag, Key, Value};

/// What one scope has chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    settings: BTreeMap<Key, Value>,
    flags: BTreeMap<Flag, Switch>,
}

/// For whom a feature is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Whether it is on for anybody at all.
    pub enabled: bool,
    /// The share of users it is on for, 0 to 100 per cent.
    pub rollout_pct: u8,
    /// The units it is on for as a whole, with all below them.
    pub units: Vec<UnitId>,
}

impl Configuration {
    /// What was chosen for a setting; a value that its bounds no longer admit does not count.
    pub fn chosen(&self, key: Key) -> Option<&Value> {
        self.settings.get(&key).filter(|value| key.form().admits(value))
    }

    /// How a feature was switched.
    pub fn switch(&self, flag: Flag) -> Option<&Switch> {
        self.flags.get(&flag)
    }

    pub(super) fn stored(&self, key: Key) -> Option<&Value> {
        self.settings.get(&key)
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::SettingChosen { key, value } => {
                self.settings.insert(*key, value.clone());
            }
            Event::SettingUnset { key } => {
                self.settings.remove(key);
            }
            Event::FlagSwitched { flag, enabled, rollout_pct, units } => {
                let (enabled, rollout_pct) = (*enabled, *rollout_pct);
                let switch = Switch { enabled, rollout_pct, units: units.clone() };
                self.flags.insert(*flag, switch);
            }
        }
    }
}
