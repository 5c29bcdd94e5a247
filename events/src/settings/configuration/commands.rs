//! What can be asked of a configuration.

use serde_json::Value;

use crate::ids::UnitId;

/// An intent. Keys and flags come as they were written, so that a rule refuses an unknown one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Sets a setting.
    SetSetting(SetSetting),
    /// Gives a setting back to what holds above it.
    UnsetSetting(UnsetSetting),
    /// Switches a feature for some, for everybody or for nobody.
    SwitchFlag(SwitchFlag),
}

/// Sets a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetSetting {
    /// Which.
    pub key: String,
    /// What it shall hold.
    pub value: Value,
}

/// Gives a setting back to what holds above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsetSetting {
    /// Which.
    pub key: String,
}

/// Switches a feature for some, for everybody or for nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchFlag {
    /// Which.
    pub flag: String,
    /// Whether it is on for anybody at all.
    pub enabled: bool,
    /// The share of users it is on for, 0 to 100 per cent.
    pub rollout_pct: i64,
    /// The units it is on for as a whole, with all below them.
    pub units: Vec<UnitId>,
}

impl Command {
    /// Whether the rule asks for units of the organisation besides its own.
    pub fn names_units(&self) -> bool {
        match self {
            Self::SwitchFlag(switch) => !switch.units.is_empty(),
            Self::SetSetting(_) | Self::UnsetSetting(_) => false,
        }
    }
}
