//! The datasets of access.

use events::Permission;

use super::Kind::{Boolean, Id, Integer, List, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT};
use super::{Column, Dataset, Units};

pub(super) const RBAC: &[Dataset] =
    &[ROLES, PERMISSIONS, ASSIGNMENTS, EXCLUSIVE_SETS, USER_PLANT_ACCESS, EFFECTIVE_PERMISSIONS];

const ROLES: Dataset = Dataset {
    name: "rbac.roles",
    label: "Roles",
    table: "read.rbac_roles",
    projections: &["rbac_roles"],
    permission: Some(Permission::RbacRolesRead),
    owner: None,
    units: Some(Units::OwnOrEvery),
    columns: &[
        Column::new("role_id", "Role", Id),
        Column::new("code", "Code", Text),
        Column::new("name", "Name", Text),
        Column::new("description", "Description", Text).nullable(),
        Column::new("level", "Level", Integer),
        Column::new("unit_id", "Unit", Id).nullable(),
        Column::new("is_system", "System role", Boolean),
        Column::new("is_protected", "Protected", Boolean),
        Column::new("permissions", "Permissions", List),
        Column::new("parents", "Inherits from", List),
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["role_id"],
    default_sort: "-level,code",
};

const PERMISSIONS: Dataset = Dataset {
    name: "rbac.permissions",
    label: "Permissions",
    table: "read.rbac_permissions",
    projections: &["rbac_permissions"],
    permission: Some(Permission::RbacPermissionsRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("permission_id", "Permission", Id),
        Column::new("name", "Name", Text),
        Column::new("resource", "Resource", Text),
        Column::new("action", "Action", Text),
        Column::new("description", "Description", Text).nullable(),
        Column::new("origin", "Origin", Text),
        Column::new("implies", "Implies", List),
        Column::new("retired_at", "Retired", Time).nullable(),
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["permission_id"],
    default_sort: "name",
};

const ASSIGNMENTS: Dataset = Dataset {
    name: "rbac.assignments",
    label: "Assignments",
    table: "read.rbac_assignments_shown",
    projections: &["rbac_assignments", "rbac_roles"],
    permission: Some(Permission::RbacAssignmentsRead),
    owner: None,
    units: Some(Units::Own),
    columns: &[
        Column::new("assignment_id", "Assignment", Id),
        Column::new("user_id", "User", Id),
        Column::new("role_id", "Role", Id),
        Column::new("role_code", "Role code", Text).nullable(),
        Column::new("role_name", "Role name", Text).nullable(),
        Column::new("unit_id", "Unit", Id).nullable(),
        Column::new("is_protected", "By the policy", Boolean),
        Column::new("expires_at", "Expires", Time).nullable(),
        Column::new("assigned_by", "Assigned by", Text).nullable(),
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["assignment_id"],
    default_sort: "user_id,role_id",
};

const EFFECTIVE_PERMISSIONS: Dataset = Dataset {
    name: "rbac.effective_permissions",
    label: "Effective permissions",
    table: "read.rbac_effective_permissions",
    projections: &[
        "rbac_roles",
        "rbac_permissions",
        "rbac_assignments",
        "rbac_user_plant_access",
        "identity_units",
        "identity_users",
    ],
    permission: Some(Permission::RbacAssignmentsRead),
    owner: None,
    units: Some(Units::Own),
    columns: &[
        Column::new("user_id", "User", Id),
        Column::new("handle", "Handle", Text).nullable(),
        Column::new("permission", "Permission", Text),
        Column::new("unit_id", "Unit", Id).nullable(),
        Column::new("role_id", "Role", Id),
        Column::new("via_role_id", "Through role", Id),
        Column::new("assignment_id", "Assignment", Id),
        Column::new("is_protected", "By the policy", Boolean),
        Column::new("expires_at", "Expires", Time).nullable(),
    ],
    key: &["assignment_id", "permission", "via_role_id", "unit_id"],
    default_sort: "handle,permission",
};

const EXCLUSIVE_SETS: Dataset = Dataset {
    name: "rbac.exclusive_sets",
    label: "Exclusive sets",
    table: "read.rbac_exclusive_sets",
    projections: &["rbac_exclusive_sets"],
    permission: Some(Permission::RbacRolesRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("set_id", "Set", Id),
        Column::new("name", "Name", Text),
        Column::new("roles", "Roles", List),
        Column::new("cardinality", "Too many", Integer),
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["set_id"],
    default_sort: "name",
};

const USER_PLANT_ACCESS: Dataset = Dataset {
    name: "rbac.user_plant_access",
    label: "Access to units",
    table: "read.rbac_user_plant_access",
    projections: &["rbac_user_plant_access"],
    permission: Some(Permission::RbacAssignmentsRead),
    owner: None,
    units: Some(Units::Own),
    columns: &[
        Column::new("access_id", "Access", Id),
        Column::new("user_id", "User", Id),
        Column::new("unit_id", "Unit", Id),
        Column::new("level", "Level", Text),
        Column::new("role_code", "Code of the role", Text),
        Column::new("expires_at", "Expires", Time).nullable(),
        Column::new("granted_by", "Granted by", Text).nullable(),
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["access_id"],
    default_sort: "user_id,unit_id",
};
