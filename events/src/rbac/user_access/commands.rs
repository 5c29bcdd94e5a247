//! What can be asked of the roles of one user, and why it can be refused.

use jiff::Timestamp;

use crate::aggregate::Class;
use crate::ids::{RoleId, UnitId};
use crate::notice::NOTICE_DAYS;
use crate::rbac::unit_access::UnitAccess;
use crate::text;

/// The longest reason, in characters.
pub const MAX_REASON_CHARS: usize = 500;

/// The most units that one user can have access to.
pub const MAX_UNITS: usize = 1_000;

/// The most roles that one user can hold.
pub const MAX_ASSIGNMENTS: usize = 1_000;

/// An intent for the roles of one user.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Give the user a role.
    AssignRole {
        /// The role.
        role_id: RoleId,
        /// Where it is to count; everywhere when absent.
        unit_id: Option<UnitId>,
        /// Until when; for good when absent.
        expires_at: Option<Timestamp>,
    },
    /// Take a role from the user.
    RemoveRole {
        /// The role.
        role_id: RoleId,
        /// Where it counts.
        unit_id: Option<UnitId>,
        /// Why.
        reason: Option<String>,
    },
    /// Let an assignment end at another time, or never.
    ChangeRoleExpiry {
        /// The role.
        role_id: RoleId,
        /// Where it counts.
        unit_id: Option<UnitId>,
        /// The new end; for good when absent.
        expires_at: Option<Timestamp>,
    },
    /// Record that an assignment has reached its end.
    ExpireRole {
        /// The role.
        role_id: RoleId,
        /// Where it counted.
        unit_id: Option<UnitId>,
    },
    /// Record that the holder is told of an assignment's end, which is near.
    AnnounceRoleEnd {
        /// The role.
        role_id: RoleId,
        /// Where it counts.
        unit_id: Option<UnitId>,
    },
    /// Take a role that was deleted from the user.
    StripRole {
        /// The role.
        role_id: RoleId,
        /// Where it counted.
        unit_id: Option<UnitId>,
    },
    /// Give the user access to a unit, instead of what access they have there.
    GrantUnitAccess(UnitAccess),
    /// Take access to a unit from the user.
    RevokeUnitAccess {
        /// The unit.
        unit_id: UnitId,
        /// Why.
        reason: Option<String>,
    },
    /// Record that access to a unit has reached its end.
    ExpireUnitAccess {
        /// The unit.
        unit_id: UnitId,
    },
}

impl Command {
    /// The unit it names; its path belongs into the facts.
    pub fn unit(&self) -> Option<UnitId> {
        match self {
            Self::AssignRole { unit_id, .. }
            | Self::RemoveRole { unit_id, .. }
            | Self::ChangeRoleExpiry { unit_id, .. }
            | Self::ExpireRole { unit_id, .. }
            | Self::AnnounceRoleEnd { unit_id, .. }
            | Self::StripRole { unit_id, .. } => *unit_id,
            Self::GrantUnitAccess(UnitAccess { unit_id, .. })
            | Self::RevokeUnitAccess { unit_id, .. }
            | Self::ExpireUnitAccess { unit_id } => Some(*unit_id),
        }
    }
}

/// Why a command for the roles of one user was refused.
#[derive(
    Debug,
    Clone,
    Default,
    PartialEq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Rejection {
    /// There is no such user.
    #[default]
    #[error("user_id names no user of the organisation; register the user first")]
    AssignmentUserUnknown,
    /// There is no such role.
    #[error("role_id {role_id} names no role; create the role first")]
    AssignmentRoleUnknown {
        /// The role.
        role_id: RoleId,
    },
    /// There is no such unit.
    #[error("unit_id {unit_id} names no unit of the organisation; add the unit first")]
    AssignmentUnitUnknown {
        /// The unit.
        unit_id: UnitId,
    },
    /// The role is held through the policy only.
    #[error("role_id {role_id} names a protected role; grant or revoke it as a protected role")]
    AssignmentRoleProtected {
        /// The role.
        role_id: RoleId,
    },
    /// The user holds it already.
    #[error("role_id {role_id} is assigned already; change its expiry instead")]
    RoleAlreadyAssigned {
        /// The role.
        role_id: RoleId,
    },
    /// The user does not hold it.
    #[error("role_id {role_id} is not assigned in that unit; name the unit_id it is assigned in")]
    RoleNotAssigned {
        /// The role.
        role_id: RoleId,
    },
    /// The end lies in the past.
    #[error("expires_at {expires_at} is not in the future; choose a later time")]
    AssignmentExpiryPast {
        /// The end asked for.
        expires_at: Timestamp,
    },
    /// It has ended, so its end can no longer be moved.
    #[error("the assignment of role_id {role_id} has expired; assign the role again")]
    AssignmentExpired {
        /// The role.
        role_id: RoleId,
    },
    /// Its end has not come.
    #[error(
        "the assignment of role_id {role_id} has not reached its expires_at; remove it instead"
    )]
    AssignmentNotDue {
        /// The role.
        role_id: RoleId,
    },
    /// Its end is not near.
    #[error(
        "the assignment of role_id {role_id} ends in more than {NOTICE_DAYS} days; announce it later"
    )]
    AssignmentEndsLater {
        /// The role.
        role_id: RoleId,
    },
    /// The user holds as many roles as a user can.
    #[error("the user holds {MAX_ASSIGNMENTS} roles, the most there can be; remove some first")]
    TooManyAssignments,
    /// The role is there.
    #[error("role_id {role_id} names a role that was not deleted; remove it instead")]
    AssignmentRoleStands {
        /// The role.
        role_id: RoleId,
    },
    /// No role says what the level means.
    #[error("level means nothing without a role of code {code:?}; create that role first")]
    UnitAccessUndefined {
        /// The code.
        code: &'static str,
    },
    /// The user has no access to the unit.
    #[error("unit_id {unit_id} is not a unit the user has access to; name the unit itself")]
    UnitAccessUnknown {
        /// The unit.
        unit_id: UnitId,
    },
    /// Its end has not come.
    #[error("access to unit_id {unit_id} has not reached its expires_at; revoke it instead")]
    UnitAccessNotDue {
        /// The unit.
        unit_id: UnitId,
    },
    /// The user has access to as many units as a user can.
    #[error("the user has access to {MAX_UNITS} units, the most there can be; revoke some first")]
    TooManyUnits,
    /// The user would have roles that exclude each other.
    #[error(
        "role_id would give the user {cardinality} roles of the exclusive set {set:?}; remove another of them first"
    )]
    AssignmentExclusive {
        /// The name of the set.
        set: String,
        /// Nobody may have as many of its roles.
        cardinality: u16,
    },
    /// The reason is no proper text.
    #[error("reason {0}")]
    RemovalReasonInvalid(text::Fault),
    /// The role gives what the caller does not have.
    #[error("role_id gives {permission}, which you do not have there; ask somebody who has")]
    AssignmentExceedsPermissions {
        /// What the caller lacks.
        permission: String,
    },
    /// The role stands as high as the caller or higher.
    #[error("role_id has level {level}, not below your own; ask somebody of a higher level")]
    AssignmentExceedsLevel {
        /// The role's level.
        level: u16,
    },
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
            Self::AssignmentUserUnknown
            | Self::AssignmentRoleUnknown { .. }
            | Self::AssignmentUnitUnknown { .. }
            | Self::RoleNotAssigned { .. }
            | Self::UnitAccessUnknown { .. } => Class::Absent,
            Self::AssignmentRoleProtected { .. }
            | Self::RoleAlreadyAssigned { .. }
            | Self::AssignmentExpired { .. }
            | Self::AssignmentNotDue { .. }
            | Self::AssignmentEndsLater { .. }
            | Self::AssignmentExclusive { .. }
            | Self::AssignmentRoleStands { .. }
            | Self::UnitAccessUndefined { .. }
            | Self::UnitAccessNotDue { .. }
            | Self::TooManyUnits
            | Self::TooManyAssignments => Class::Conflict,
            Self::AssignmentExpiryPast { .. } | Self::RemovalReasonInvalid(_) => Class::Invalid,
            Self::AssignmentExceedsPermissions { .. } | Self::AssignmentExceedsLevel { .. } => {
                Class::Forbidden
            }
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::AssignmentUserUnknown => Some("/user_id"),
            Self::AssignmentRoleUnknown { .. }
            | Self::AssignmentRoleProtected { .. }
            | Self::RoleAlreadyAssigned { .. }
            | Self::RoleNotAssigned { .. }
            | Self::AssignmentExpired { .. }
            | Self::AssignmentNotDue { .. }
            | Self::AssignmentEndsLater { .. }
            | Self::AssignmentExclusive { .. }
            | Self::AssignmentRoleStands { .. }
            | Self::AssignmentExceedsPermissions { .. }
            | Self::AssignmentExceedsLevel { .. } => Some("/role_id"),
            Self::AssignmentUnitUnknown { .. }
            | Self::UnitAccessUnknown { .. }
            | Self::UnitAccessNotDue { .. } => Some("/unit_id"),
            Self::UnitAccessUndefined { .. } => Some("/level"),
            Self::AssignmentExpiryPast { .. } => Some("/expires_at"),
            Self::RemovalReasonInvalid(_) => Some("/reason"),
            Self::TooManyAssignments | Self::TooManyUnits => None,
        }
    }
}
