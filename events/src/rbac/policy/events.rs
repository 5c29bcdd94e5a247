//! What can have happened to an access policy.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ExclusiveSetId, PermissionId, RoleId, UnitId, UserId};
use crate::rbac::template::Template;

/// A fact about an access policy. Permissions are named, not numbered: the names are the meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// The policy began, with the role that owns everything.
    #[serde(rename = "rbac.policy.initialized")]
    Initialized {
        /// The role whose holders may do everything.
        owner_role_id: RoleId,
    },
    /// A permission of the organisation's own was made.
    #[serde(rename = "rbac.policy.permission_created")]
    PermissionCreated {
        /// The permission.
        permission_id: PermissionId,
        /// Its name, `resource.path:action`.
        name: String,
        /// What it is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// The permissions that come with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        implies: Vec<String>,
    },
    /// A permission of the organisation's own was described.
    #[serde(rename = "rbac.policy.permission_described")]
    PermissionDescribed {
        /// The permission.
        permission_id: PermissionId,
        /// What it is for; nothing when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    /// A permission of the organisation's own authorises no longer; its name stays taken.
    #[serde(rename = "rbac.policy.permission_retired")]
    PermissionRetired {
        /// The permission.
        permission_id: PermissionId,
    },
    /// A role was made.
    #[serde(rename = "rbac.policy.role_created")]
    RoleCreated(RoleCreated),
    /// A role got another name.
    #[serde(rename = "rbac.policy.role_renamed")]
    RoleRenamed {
        /// The role.
        role_id: RoleId,
        /// Its new name.
        name: String,
    },
    /// A role was described.
    #[serde(rename = "rbac.policy.role_described")]
    RoleDescribed {
        /// The role.
        role_id: RoleId,
        /// What it is for; nothing when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    /// A role moved up the ladder.
    #[serde(rename = "rbac.policy.role_raised")]
    RoleRaised {
        /// The role.
        role_id: RoleId,
        /// Its new level.
        level: u16,
    },
    /// A role moved down the ladder.
    #[serde(rename = "rbac.policy.role_lowered")]
    RoleLowered {
        /// The role.
        role_id: RoleId,
        /// Its new level.
        level: u16,
    },
    /// A role is gone, with its grants and its inheritance; whoever still holds it has nothing of it.
    #[serde(rename = "rbac.policy.role_deleted")]
    RoleDeleted {
        /// The role.
        role_id: RoleId,
    },
    /// The list of a role's permissions was replaced by another.
    #[serde(rename = "rbac.policy.role_permissions_replaced")]
    RolePermissionsReplaced {
        /// The role.
        role_id: RoleId,
        /// What is granted now and was not before.
        added: Vec<String>,
        /// What was granted before and is not now.
        removed: Vec<String>,
    },
    /// A permission, or a pattern of permissions, was granted to a role.
    #[serde(rename = "rbac.policy.permission_granted")]
    PermissionGranted {
        /// The role.
        role_id: RoleId,
        /// The permission or pattern.
        permission: String,
    },
    /// A permission, or a pattern of permissions, was taken from a role.
    #[serde(rename = "rbac.policy.permission_revoked")]
    PermissionRevoked {
        /// The role.
        role_id: RoleId,
        /// The permission or pattern.
        permission: String,
    },
    /// A role got all that another may.
    #[serde(rename = "rbac.policy.inheritance_added")]
    InheritanceAdded {
        /// The role that inherits.
        senior_id: RoleId,
        /// The role that it inherits from.
        junior_id: RoleId,
    },
    /// A role no longer has what another may.
    #[serde(rename = "rbac.policy.inheritance_removed")]
    InheritanceRemoved {
        /// The role that inherited.
        senior_id: RoleId,
        /// The role that it inherited from.
        junior_id: RoleId,
    },
    /// The roles of a template that were not there were made.
    #[serde(rename = "rbac.policy.template_instantiated")]
    TemplateInstantiated {
        /// The template.
        template: Template,
        /// The roles that were made, in the order of the template.
        role_ids: Vec<RoleId>,
        /// The unit that owns them; the whole organisation when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
    },
    /// Roles were made to exclude each other (static separation of duty).
    #[serde(rename = "rbac.policy.exclusive_roles_defined")]
    ExclusiveRolesDefined {
        /// The set.
        set_id: ExclusiveSetId,
        /// Its name.
        name: String,
        /// The roles, in the order of their ids.
        roles: Vec<RoleId>,
        /// Nobody may have as many of them, inherited ones included.
        cardinality: u16,
    },
    /// One more role excludes the others of a set.
    #[serde(rename = "rbac.policy.exclusive_role_added")]
    ExclusiveRoleAdded {
        /// The set.
        set_id: ExclusiveSetId,
        /// The role.
        role_id: RoleId,
    },
    /// A role excludes the others of a set no longer.
    #[serde(rename = "rbac.policy.exclusive_role_removed")]
    ExclusiveRoleRemoved {
        /// The set.
        set_id: ExclusiveSetId,
        /// The role.
        role_id: RoleId,
    },
    /// Users may have fewer roles of a set than before.
    #[serde(rename = "rbac.policy.exclusive_roles_tightened")]
    ExclusiveRolesTightened {
        /// The set.
        set_id: ExclusiveSetId,
        /// Nobody may have as many of its roles.
        cardinality: u16,
    },
    /// Users may have more roles of a set than before.
    #[serde(rename = "rbac.policy.exclusive_roles_relaxed")]
    ExclusiveRolesRelaxed {
        /// The set.
        set_id: ExclusiveSetId,
        /// Nobody may have as many of its roles.
        cardinality: u16,
    },
    /// The roles of a set exclude each other no longer.
    #[serde(rename = "rbac.policy.exclusive_roles_removed")]
    ExclusiveRolesRemoved {
        /// The set.
        set_id: ExclusiveSetId,
    },
    /// A protected role was given to a user.
    #[serde(rename = "rbac.policy.protected_role_granted")]
    ProtectedRoleGranted {
        /// The user.
        user_id: UserId,
        /// The role.
        role_id: RoleId,
        /// Where it counts; everywhere when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
        /// Until when; for good when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// A protected role was taken from a user.
    #[serde(rename = "rbac.policy.protected_role_revoked")]
    ProtectedRoleRevoked {
        /// The user.
        user_id: UserId,
        /// The role.
        role_id: RoleId,
        /// Where it counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
        /// Why, in the words of who took it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The end of a grant of a protected role was announced to its holder.
    #[serde(rename = "rbac.policy.protected_role_end_announced")]
    ProtectedRoleEndAnnounced {
        /// The user.
        user_id: UserId,
        /// The role.
        role_id: RoleId,
        /// Where it counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
        /// When it ends.
        expires_at: Timestamp,
    },
    /// The grant of a protected role has reached its end.
    #[serde(rename = "rbac.policy.protected_role_expired")]
    ProtectedRoleExpired {
        /// The user.
        user_id: UserId,
        /// The role.
        role_id: RoleId,
        /// Where it counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
    },
}

/// The making of a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoleCreated {
    /// The role.
    pub role_id: RoleId,
    /// Its name, unique in its unit.
    pub name: String,
    /// Its code, unique in the organisation.
    pub code: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its place on the ladder: a senior role stands higher than the juniors it inherits from.
    pub level: u16,
    /// The unit that owns it and in which alone it counts; the whole organisation when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<UnitId>,
    /// Whether it came with the installation and keeps its name, level and permissions.
    pub system: bool,
    /// Whether it is held by grant of the policy itself.
    pub protected: bool,
}

impl crate::aggregate::Event for Event {}
