//! Access of a user to a unit: how far it goes, and which role says what that means.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::assignment::Assignment;
use super::policy::Policy;
use crate::ids::{RoleId, UnitId};

/// How far access to a unit goes.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Level {
    /// See what belongs to the unit.
    Read,
    /// Work with it.
    Write,
    /// Run it.
    Admin,
}

impl Level {
    /// All levels, the lowest first.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The code of the role of the policy that says what the level means.
    pub fn code(self) -> &'static str {
        match self {
            Self::Read => "unit-read",
            Self::Write => "unit-write",
            Self::Admin => "unit-admin",
        }
    }

    /// The role that says what the level means, its code to the letter; without one it means nothing.
    pub fn role(self, policy: &Policy) -> Option<RoleId> {
        let role_id = policy.role_with_code(self.code())?;
        policy.role(role_id).filter(|role| role.facts.code == self.code()).map(|_| role_id)
    }
}

/// Access to a unit as somebody has it: as if the role of its level were assigned to them there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnitAccess {
    /// The unit; those below it included.
    pub unit_id: UnitId,
    /// How far it goes.
    pub level: Level,
    /// From when on it no longer authorises; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl UnitAccess {
    /// Whether it still authorises at `now`, whatever a timer has or has not done.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// What it is as an assignment.
    pub fn assignment(&self, policy: &Policy) -> Option<Assignment> {
        let role_id = self.level.role(policy)?;
        Some(Assignment { role_id, unit_id: Some(self.unit_id), expires_at: self.expires_at })
    }
}
