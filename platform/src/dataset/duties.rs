//! The data sets of roles that exclude each other and of access to units.

use events::Permission;

use super::catalogue::{CHANGED_AT, CREATED_AT};
use super::{Column, Dataset, Kind};

pub(super) const EXCLUSIVE_SETS: Dataset = Dataset {
    name: "rbac.exclusive_sets",
    label: "Exclusive sets",
    table: "read.rbac_exclusive_sets",
    projections: &["rbac_exclusive_sets"],
    permission: Some(Permission::RbacRolesRead),
    owner: None,
    columns: &[
        Column::new("set_id", "Set", Kind::Id),
        Column::new("name", "Name", Kind::Text),
        Column::new("roles", "Roles", Kind::List),
        Column::new("cardinality", "Too many", Kind::Integer),
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["set_id"],
    default_sort: "name",
};

pub(super) const USER_PLANT_ACCESS: Dataset = Dataset {
    name: "rbac.user_plant_access",
    label: "Access to units",
    table: "read.rbac_user_plant_access",
    projections: &["rbac_user_plant_access"],
    permission: Some(Permission::RbacAssignmentsRead),
    owner: None,
    columns: &[
        Column::new("access_id", "Access", Kind::Id),
        Column::new("user_id", "User", Kind::Id),
        Column::new("unit_id", "Unit", Kind::Id),
        Column::new("level", "Level", Kind::Text),
        Column::new("role_code", "Code of the role", Kind::Text),
        Column::new("expires_at", "Expires", Kind::Time).nullable(),
        Column::new("granted_by", "Granted by", Kind::Text).nullable(),
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["access_id"],
    default_sort: "user_id,unit_id",
};
