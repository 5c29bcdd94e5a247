//! What can be asked of an access policy.

use jiff::Timestamp;

use crate::ids::{ExclusiveSetId, PermissionId, RoleId, UnitId, UserId};
use crate::rbac::template::Template;

/// The level of the role that owns everything; all other roles stand lower.
pub const OWNER_LEVEL: u16 = 1_000;

/// The longest name of a role, in characters.
pub const MAX_NAME_CHARS: usize = 100;

/// The longest code of a role, in characters.
pub const MAX_CODE_CHARS: usize = 50;

/// The longest description or reason, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 500;

/// The most permissions and patterns that one role can be granted itself.
pub const MAX_GRANTS: usize = 10_000;

/// The most permissions that come with another one directly.
pub const MAX_IMPLIED: usize = 100;

/// The most sets of roles that exclude each other.
pub const MAX_EXCLUSIVE_SETS: usize = 100;

/// The most roles of one such set.
pub const MAX_EXCLUSIVE_ROLES: usize = 100;

/// An intent for an access policy.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Begin the policy; for the installation itself, when it sets an organisation up.
    Initialize {
        /// The role that will own everything.
        owner_role_id: RoleId,
    },
    /// Make a permission of the organisation's own.
    CreatePermission(CreatePermission),
    /// Say what a permission of the organisation's own is for.
    DescribePermission {
        /// The permission.
        permission_id: PermissionId,
        /// What it is for; nothing when absent.
        description: Option<String>,
    },
    /// Let a permission of the organisation's own authorise no longer.
    RetirePermission {
        /// The permission.
        permission_id: PermissionId,
    },
    /// Make a role.
    CreateRole(CreateRole),
    /// Give a role another name.
    RenameRole {
        /// The role.
        role_id: RoleId,
        /// Its new name.
        name: String,
    },
    /// Say what a role is for.
    DescribeRole {
        /// The role.
        role_id: RoleId,
        /// What it is for; nothing when absent.
        description: Option<String>,
    },
    /// Move a role on the ladder.
    ChangeRoleLevel {
        /// The role.
        role_id: RoleId,
        /// Its new level.
        level: u16,
    },
    /// Delete a role.
    DeleteRole {
        /// The role.
        role_id: RoleId,
    },
    /// Let a role be granted exactly these permissions.
    ReplaceRolePermissions {
        /// The role.
        role_id: RoleId,
        /// All that it is to be granted: names and patterns.
        permissions: Vec<String>,
    },
    /// Grant a role a permission.
    GrantPermission {
        /// The role.
        role_id: RoleId,
        /// A name or pattern, or the id of a permission.
        permission: String,
    },
    /// Take a permission from a role.
    RevokePermission {
        /// The role.
        role_id: RoleId,
        /// A name or pattern, or the id of a permission.
        permission: String,
    },
    /// Let a role have all that another may.
    AddInheritance {
        /// The role that is to inherit.
        senior_id: RoleId,
        /// The role that it is to inherit from.
        junior_id: RoleId,
    },
    /// Let a role no longer have what another may.
    RemoveInheritance {
        /// The role that inherits.
        senior_id: RoleId,
        /// The role that it inherits from.
        junior_id: RoleId,
    },
    /// Make the roles of a template that are not there yet, and the permissions they need.
    InstantiateTemplate {
        /// The template.
        template: Template,
        /// The unit that is to own the roles and in which alone they count.
        unit_id: Option<UnitId>,
    },
    /// Let roles exclude each other.
    DefineExclusiveRoles(DefineExclusiveRoles),
    /// Let one more role exclude the others of a set.
    AddExclusiveRole {
        /// The set.
        set_id: ExclusiveSetId,
        /// The role.
        role_id: RoleId,
    },
    /// Let a role exclude the others of a set no longer.
    RemoveExclusiveRole {
        /// The set.
        set_id: ExclusiveSetId,
        /// The role.
        role_id: RoleId,
    },
    /// Let a user have other numbers of roles of a set.
    SetExclusiveCardinality {
        /// The set.
        set_id: ExclusiveSetId,
        /// Nobody may have as many of its roles.
        cardinality: u16,
    },
    /// Let the roles of a set exclude each other no longer.
    RemoveExclusiveRoles {
        /// The set.
        set_id: ExclusiveSetId,
    },
    /// Give a user a protected role.
    GrantProtectedRole {
        /// The user.
        user_id: UserId,
        /// The role.
        role_id: RoleId,
        /// Where it is to count; everywhere when absent.
        unit_id: Option<UnitId>,
        /// Until when; for good when absent.
        expires_at: Option<Timestamp>,
    },
    /// Take a protected role from a user.
    RevokeProtectedRole {
        /// The user.
        user_id: UserId,
        /// The role.
        role_id: RoleId,
        /// Where it counts.
        unit_id: Option<UnitId>,
        /// Why.
        reason: Option<String>,
    },
    /// Record that the holder of a protected role is told of its end, which is near.
    AnnounceProtectedRoleEnd {
        /// The user.
        user_id: UserId,
        /// The role.
        role_id: RoleId,
        /// Where it counts.
        unit_id: Option<UnitId>,
    },
    /// Record that the grant of a protected role has reached its end.
    ExpireProtectedRole {
        /// The user.
        user_id: UserId,
        /// The role.
        role_id: RoleId,
        /// Where it counted.
        unit_id: Option<UnitId>,
    },
}

/// The making of a permission.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatePermission {
    /// Its id.
    pub permission_id: PermissionId,
    /// Its name, `resource.path:action`, outside the name spaces of our modules.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The permissions that come with it, by name.
    pub implies: Vec<String>,
}

/// The making of a role.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateRole {
    /// Its id.
    pub role_id: RoleId,
    /// Its name, unique in its unit.
    pub name: String,
    /// Its code, unique in the organisation; made from the name when absent.
    pub code: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its place on the ladder, below [`OWNER_LEVEL`].
    pub level: u16,
    /// The unit that owns it and in which alone it counts.
    pub unit_id: Option<UnitId>,
    /// Whether it is held by grant of the policy itself.
    pub protected: bool,
    /// What it is granted from the start: names and patterns.
    pub permissions: Vec<String>,
}

/// The making of a set of roles that exclude each other.
#[derive(Debug, Clone, PartialEq)]
pub struct DefineExclusiveRoles {
    /// Its id.
    pub set_id: ExclusiveSetId,
    /// Its name.
    pub name: String,
    /// The roles.
    pub roles: Vec<RoleId>,
    /// Nobody may have as many of them, inherited ones included.
    pub cardinality: u16,
}
