//! What can have happened to a configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::UnitId;
use crate::settings::{Flag, Key, Value};

/// A fact about a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// A value was chosen for a setting.
    #[serde(rename = "settings.configuration.setting_chosen")]
    SettingChosen {
        /// The setting.
        key: Key,
        /// What it holds from now on.
        value: Value,
    },
    /// A setting was given back to what holds above it.
    #[serde(rename = "settings.configuration.setting_unset")]
    SettingUnset {
        /// The setting.
        key: Key,
    },
    /// A feature was switched for some, for everybody or for nobody.
    #[serde(rename = "settings.configuration.flag_switched")]
    FlagSwitched {
        /// The flag.
        flag: Flag,
        /// Whether it is on for anybody at all.
        enabled: bool,
        /// The share of users it is on for, 0 to 100 per cent.
        rollout_pct: u8,
        /// The units it is on for as a whole, with all below them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        units: Vec<UnitId>,
    },
}

impl crate::aggregate::Event for Event {}
