//! What can have happened to the roles of one user.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{RoleId, UnitId};
use crate::rbac::unit_access::Level;

/// A fact about the roles of one user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// A role was given to the user.
    #[serde(rename = "rbac.user_access.role_assigned")]
    RoleAssigned {
        /// The role.
        role_id: RoleId,
        /// Where it counts; everywhere when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
        /// Until when; for good when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// A role was taken from the user.
    #[serde(rename = "rbac.user_access.role_removed")]
    RoleRemoved {
        /// The role.
        role_id: RoleId,
        /// Where it counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
        /// Why, in the words of who took it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An assignment has reached its end.
    #[serde(rename = "rbac.user_access.role_assignment_expired")]
    RoleAssignmentExpired {
        /// The role.
        role_id: RoleId,
        /// Where it counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
    },
    /// An assignment lasts longer than before.
    #[serde(rename = "rbac.user_access.role_extended")]
    RoleExtended {
        /// The role.
        role_id: RoleId,
        /// Where it counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
        /// The new end; for good when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// An assignment ends sooner than before.
    #[serde(rename = "rbac.user_access.role_shortened")]
    RoleShortened {
        /// The role.
        role_id: RoleId,
        /// Where it counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
        /// The new end.
        expires_at: Timestamp,
    },
    /// The end of an assignment was announced to its holder.
    #[serde(rename = "rbac.user_access.role_end_announced")]
    RoleEndAnnounced {
        /// The role.
        role_id: RoleId,
        /// Where it counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
        /// When it ends.
        expires_at: Timestamp,
    },
    /// The user got access to a unit, instead of what access they had there.
    #[serde(rename = "rbac.user_access.unit_access_granted")]
    UnitAccessGranted {
        /// The unit; those below it included.
        unit_id: UnitId,
        /// How far the access goes.
        level: Level,
        /// Until when; for good when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// Access to a unit was taken from the user.
    #[serde(rename = "rbac.user_access.unit_access_revoked")]
    UnitAccessRevoked {
        /// The unit.
        unit_id: UnitId,
        /// Why, in the words of who took it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Access to a unit has reached its end.
    #[serde(rename = "rbac.user_access.unit_access_expired")]
    UnitAccessExpired {
        /// The unit.
        unit_id: UnitId,
    },
}

impl crate::aggregate::Event for Event {}
