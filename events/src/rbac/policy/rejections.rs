//! Why a command for an access policy can be refused.

use jiff::Timestamp;

use super::commands::{
    MAX_CODE_CHARS, MAX_EXCLUSIVE_ROLES, MAX_EXCLUSIVE_SETS, MAX_GRANTS, MAX_IMPLIED, OWNER_LEVEL,
};
use crate::aggregate::Class;
use crate::ids::{ExclusiveSetId, PermissionId, RoleId, UnitId, UserId};
use crate::notice::NOTICE_DAYS;
use crate::text;

/// Why a command for an access policy was refused.
#[derive(
    Debug,
    Clone,
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
    /// There is no policy yet.
    #[error("the organisation has no access policy; set the organisation up first")]
    PolicyAbsent,
    /// There is a policy already.
    #[error("the organisation has an access policy; change it instead")]
    PolicyExists,
    /// Only the installation begins a policy.
    #[error("an access policy is begun by the installation alone; register an organisation")]
    PolicySetUpReserved,
    /// There is no such role.
    #[error("role_id {role_id} names no role; create the role first")]
    RoleUnknown {
        /// The role.
        role_id: RoleId,
    },
    /// The id is that of another role, or of one that is gone.
    #[error("role_id {role_id} has been used; choose another id")]
    RoleIdTaken {
        /// The role.
        role_id: RoleId,
    },
    /// The name is no proper text.
    #[error("name {0}")]
    RoleNameInvalid(text::Fault),
    /// Another role of the unit has the name.
    #[error("name {name:?} is that of another role of the unit; choose another name")]
    RoleNameTaken {
        /// The name.
        name: String,
    },
    /// The code is no proper code.
    #[error(
        "code must have 1 to {MAX_CODE_CHARS} of a-z, 0-9, - and _, a letter or digit first; give such a code"
    )]
    RoleCodeInvalid,
    /// Another role of the organisation has the code.
    #[error("code {code:?} is that of another role; give another code")]
    RoleCodeTaken {
        /// The code.
        code: String,
    },
    /// The description is no proper text.
    #[error("description {0}")]
    RoleDescriptionInvalid(text::Fault),
    /// The level is that of the owner or beyond.
    #[error("level must be less than {OWNER_LEVEL}, which is the owner's; choose a lower level")]
    RoleLevelInvalid,
    /// There is no such unit.
    #[error("unit_id {unit_id} names no unit of the organisation; add the unit first")]
    RoleUnitUnknown {
        /// The unit.
        unit_id: UnitId,
    },
    /// The role came with the installation.
    #[error("role_id names a role of the system, which stays as it is; create a role of your own")]
    RoleIsSystem,
    /// Somebody holds the protected role.
    #[error("role_id names a protected role that {holders} users hold; revoke it from them first")]
    RoleIsHeld {
        /// How many do.
        holders: usize,
    },
    /// The role would be above a role that stands as high or higher.
    #[error(
        "level {senior} of the senior role must be more than level {junior} of the junior; change a level first"
    )]
    RoleLevelsOutOfOrder {
        /// The level of the role that inherits.
        senior: u16,
        /// The level of the role that it inherits from.
        junior: u16,
    },
    /// The inheritance would come back to where it began.
    #[error("junior_id names the senior role or one that inherits from it; choose another role")]
    InheritanceCyclic,
    /// The inheritance is there.
    #[error("senior_id inherits from junior_id directly already; nothing needs to be added")]
    InheritanceExists,
    /// The inheritance is not there.
    #[error("senior_id does not inherit from junior_id directly; name the role that does")]
    InheritanceUnknown,
    /// There is no such permission of the organisation's own.
    #[error("permission_id {permission_id} names no permission of your own; create it first")]
    PermissionUnknown {
        /// The permission.
        permission_id: PermissionId,
    },
    /// The id is that of another permission.
    #[error("permission_id {permission_id} has been used; choose another id")]
    PermissionIdTaken {
        /// The permission.
        permission_id: PermissionId,
    },
    /// The name is no proper name.
    #[error("name {name:?} must be like resource.part:action, in a-z, 0-9, - and _; correct it")]
    PermissionNameInvalid {
        /// The name.
        name: String,
    },
    /// The name lies where only the catalogue may add.
    #[error("name {name:?} begins with the name of a module; begin with a word of your own")]
    PermissionNameReserved {
        /// The name.
        name: String,
    },
    /// Another permission has, or had, the name.
    #[error("name {name:?} is or was that of another permission; choose another name")]
    PermissionNameTaken {
        /// The name.
        name: String,
    },
    /// The description is no proper text.
    #[error("description {0}")]
    PermissionDescriptionInvalid(text::Fault),
    /// Too many permissions would come with it.
    #[error("implies has more than {MAX_IMPLIED} permissions; name fewer")]
    PermissionImpliesTooMany,
    /// The permission was retired.
    #[error("permission {name:?} was retired; create another one")]
    PermissionRetired {
        /// Its name.
        name: String,
    },
    /// A name in a grant is not that of a permission.
    #[error(
        "permission {name:?} does not exist; create it first, or grant a pattern like a.*:read"
    )]
    GrantUnknown {
        /// The name.
        name: String,
    },
    /// The role is granted it already.
    #[error("permission {name:?} is granted to the role already; nothing needs to be granted")]
    GrantExists {
        /// The name or pattern.
        name: String,
    },
    /// The role is not granted it itself.
    #[error("permission {name:?} is not granted to the role itself; look at what it inherits")]
    GrantAbsent {
        /// The name or pattern.
        name: String,
    },
    /// What the system granted to its own role stays.
    #[error("permission {name:?} came with a role of the system and stays; leave it in")]
    GrantKept {
        /// The name or pattern.
        name: String,
    },
    /// The role would be granted too many.
    #[error("permissions has more than {MAX_GRANTS} entries; use patterns or several roles")]
    GrantsTooMany,
    /// There is no such user.
    #[error("user_id names no user of the organisation; register the user first")]
    ProtectedHolderUnknown,
    /// The role is not protected.
    #[error("role_id names no protected role; assign it as an ordinary role")]
    RoleNotProtected,
    /// The user holds the role.
    #[error(
        "the user holds the protected role there already; revoke it first to change its expiry"
    )]
    ProtectedGrantExists,
    /// The user does not hold the role.
    #[error(
        "user_id {user_id} does not hold the protected role there; name the unit_id it counts in"
    )]
    ProtectedGrantUnknown {
        /// The user.
        user_id: UserId,
    },
    /// The end lies in the past.
    #[error("expires_at {expires_at} is not in the future; choose a later time")]
    ProtectedExpiryPast {
        /// The end asked for.
        expires_at: Timestamp,
    },
    /// Its end has not come.
    #[error("the protected role has not reached its expires_at; revoke it instead")]
    ProtectedGrantNotDue,
    /// Its end is not near.
    #[error("the grant ends in more than {NOTICE_DAYS} days; announce its end later")]
    ProtectedGrantEndsLater,
    /// The reason is no proper text.
    #[error("reason {0}")]
    ProtectedReasonInvalid(text::Fault),
    /// There is no such set of roles that exclude each other.
    #[error("set_id {set_id} names no exclusive set; define it first")]
    ExclusiveSetUnknown {
        /// The set.
        set_id: ExclusiveSetId,
    },
    /// The id is that of another set.
    #[error("set_id {set_id} has been used; choose another id")]
    ExclusiveSetIdTaken {
        /// The set.
        set_id: ExclusiveSetId,
    },
    /// The name is no proper text.
    #[error("name {0}")]
    ExclusiveSetNameInvalid(text::Fault),
    /// There are too many sets.
    #[error(
        "there are {MAX_EXCLUSIVE_SETS} exclusive sets, the most there can be; remove one first"
    )]
    ExclusiveSetsTooMany,
    /// The set would have too few roles or too many.
    #[error("roles must be 2 to {MAX_EXCLUSIVE_ROLES} different ones; correct the list")]
    ExclusiveRolesInvalid,
    /// The number is no proper one.
    #[error("cardinality must be 2 to {roles}, the number of roles of the set; correct it")]
    ExclusiveCardinalityInvalid {
        /// How many roles the set has.
        roles: usize,
    },
    /// The role is in the set.
    #[error("role_id is in the exclusive set already; nothing needs to be added")]
    ExclusiveRoleExists,
    /// The role is not in the set.
    #[error("role_id is not in the exclusive set; name one that is")]
    ExclusiveRoleAbsent,
    /// Somebody has, or would have, roles that exclude each other.
    #[error(
        "{count} users would have too many roles of the exclusive set {set:?}, among them {users}; take one of the roles from them first"
    )]
    ExclusiveRolesHeld {
        /// The name of the set.
        set: String,
        /// How many users.
        count: usize,
        /// The first of them.
        users: String,
    },
    /// Nobody would be left to administer the organisation.
    #[error(
        "nobody would be left who may do everything, for good and everywhere; grant somebody the owner's role first"
    )]
    LastAdministrator,
    /// The command gives what the caller does not have.
    #[error("you do not have {permission:?} there, so you cannot give it; ask somebody who has")]
    EscalatesPermissions {
        /// What the caller lacks.
        permission: String,
    },
    /// The command touches a level that is the caller's or higher.
    #[error("level {level} is not below your own; ask somebody of a higher level")]
    EscalatesLevel {
        /// The level.
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
            Self::PolicyAbsent
            | Self::RoleUnknown { .. }
            | Self::RoleUnitUnknown { .. }
            | Self::InheritanceUnknown
            | Self::PermissionUnknown { .. }
            | Self::GrantAbsent { .. }
            | Self::ProtectedHolderUnknown
            | Self::ProtectedGrantUnknown { .. }
            | Self::ExclusiveSetUnknown { .. }
            | Self::ExclusiveRoleAbsent => Class::Absent,
            Self::PolicyExists
            | Self::RoleIdTaken { .. }
            | Self::RoleNameTaken { .. }
            | Self::RoleCodeTaken { .. }
            | Self::RoleIsSystem
            | Self::RoleIsHeld { .. }
            | Self::RoleLevelsOutOfOrder { .. }
            | Self::InheritanceCyclic
            | Self::InheritanceExists
            | Self::PermissionIdTaken { .. }
            | Self::PermissionNameTaken { .. }
            | Self::PermissionRetired { .. }
            | Self::GrantExists { .. }
            | Self::GrantKept { .. }
            | Self::RoleNotProtected
            | Self::ProtectedGrantExists
            | Self::ProtectedGrantNotDue
            | Self::ProtectedGrantEndsLater
            | Self::ExclusiveSetIdTaken { .. }
            | Self::ExclusiveSetsTooMany
            | Self::ExclusiveRoleExists
            | Self::ExclusiveRolesHeld { .. }
            | Self::LastAdministrator => Class::Conflict,
            Self::RoleNameInvalid(_)
            | Self::RoleCodeInvalid
            | Self::RoleDescriptionInvalid(_)
            | Self::RoleLevelInvalid
            | Self::PermissionNameInvalid { .. }
            | Self::PermissionNameReserved { .. }
            | Self::PermissionDescriptionInvalid(_)
            | Self::PermissionImpliesTooMany
            | Self::GrantUnknown { .. }
            | Self::GrantsTooMany
            | Self::ProtectedExpiryPast { .. }
            | Self::ProtectedReasonInvalid(_)
            | Self::ExclusiveSetNameInvalid(_)
            | Self::ExclusiveRolesInvalid
            | Self::ExclusiveCardinalityInvalid { .. } => Class::Invalid,
            Self::PolicySetUpReserved
            | Self::EscalatesPermissions { .. }
            | Self::EscalatesLevel { .. } => Class::Forbidden,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::RoleUnknown { .. }
            | Self::RoleIdTaken { .. }
            | Self::RoleIsSystem
            | Self::RoleIsHeld { .. }
            | Self::RoleNotProtected
            | Self::ExclusiveRoleExists
            | Self::ExclusiveRoleAbsent => Some("/role_id"),
            Self::ExclusiveSetUnknown { .. } | Self::ExclusiveSetIdTaken { .. } => Some("/set_id"),
            Self::ExclusiveRolesInvalid => Some("/roles"),
            Self::ExclusiveCardinalityInvalid { .. } => Some("/cardinality"),
            Self::RoleNameInvalid(_)
            | Self::ExclusiveSetNameInvalid(_)
            | Self::RoleNameTaken { .. }
            | Self::PermissionNameInvalid { .. }
            | Self::PermissionNameReserved { .. }
            | Self::PermissionNameTaken { .. } => Some("/name"),
            Self::RoleCodeInvalid | Self::RoleCodeTaken { .. } => Some("/code"),
            Self::RoleDescriptionInvalid(_) | Self::PermissionDescriptionInvalid(_) => {
                Some("/description")
            }
            Self::RoleLevelInvalid => Some("/level"),
            Self::RoleUnitUnknown { .. } => Some("/unit_id"),
            Self::InheritanceCyclic => Some("/junior_id"),
            Self::PermissionUnknown { .. } | Self::PermissionIdTaken { .. } => {
                Some("/permission_id")
            }
            Self::PermissionImpliesTooMany => Some("/implies"),
            Self::GrantsTooMany => Some("/permissions"),
            Self::ProtectedHolderUnknown | Self::ProtectedGrantUnknown { .. } => Some("/user_id"),
            Self::ProtectedExpiryPast { .. } => Some("/expires_at"),
            Self::ProtectedReasonInvalid(_) => Some("/reason"),
            Self::PolicyAbsent
            | Self::PolicyExists
            | Self::PolicySetUpReserved
            | Self::RoleLevelsOutOfOrder { .. }
            | Self::InheritanceExists
            | Self::InheritanceUnknown
            | Self::PermissionRetired { .. }
            | Self::GrantUnknown { .. }
            | Self::GrantExists { .. }
            | Self::GrantAbsent { .. }
            | Self::GrantKept { .. }
            | Self::ProtectedGrantExists
            | Self::ProtectedGrantNotDue
            | Self::ProtectedGrantEndsLater
            | Self::ExclusiveSetsTooMany
            | Self::ExclusiveRolesHeld { .. }
            | Self::LastAdministrator
            | Self::EscalatesPermissions { .. }
            | Self::EscalatesLevel { .. } => None,
        }
    }
}
