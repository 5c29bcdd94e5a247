//! A role held by a user: in the whole organisation or one unit, for good or until some time.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{RoleId, UnitId};
use crate::notice::Notice;

/// A role as somebody holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assignment {
    /// The role.
    pub role_id: RoleId,
    /// Where it counts, units below included; everywhere when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<UnitId>,
    /// From when on it no longer authorises; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Assignment {
    /// Whether it still authorises at `now`, whatever a timer has or has not done.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether its holder is to be told of its end.
    pub(crate) fn notice(&self, now: Timestamp) -> Notice {
        Notice::of(self.expires_at, now)
    }

    /// Whether it is the one of that role in that unit.
    pub fn is_of(&self, role_id: RoleId, unit_id: Option<UnitId>) -> bool {
        self.role_id == role_id && self.unit_id == unit_id
    }
}

/// Whether what belongs to `unit` counts at the unit whose path (itself first, root last) is given.
pub(crate) fn counts_at(unit: Option<UnitId>, unit_path: &[UnitId]) -> bool {
    unit.is_none_or(|unit| unit_path.contains(&unit))
}
