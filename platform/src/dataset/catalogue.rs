//! The closed list of datasets, by module.

use events::{Module, Permission};

use super::Kind::{Id, Integer, Text};
use super::{Column, Dataset};

/// The datasets of a module.
pub fn datasets(module: Module) -> &'static [Dataset] {
    match module {
        Module::Identity => IDENTITY,
        Module::Rbac => RBAC,
        Module::Audit => AUDIT,
        Module::Exports => EXPORTS,
        Module::Notifications => NOTIFICATIONS,
        Module::Backups => BACKUPS,
    }
}

/// The dataset of this name.
pub fn find(name: &str) -> Option<&'static Dataset> {
    Module::ALL.iter().flat_map(|module| datasets(*module)).find(|dataset| dataset.name == name)
}

const IDENTITY: &[Dataset] = &[Dataset {
    name: "identity.users",
    label: "Users",
    table: "read.identity_users",
    projection: "identity_users",
    permission: Some(Permission::IdentityUsersRead),
    owner: None,
    columns: &[
        Column::new("user_id", "User", Id),
        Column::new("handle", "Handle", Text),
        Column::new("display_name", "Name", Text),
        Column::new("email", "E-mail", Text).nullable(),
        Column::new("locale", "Language", Text).nullable(),
        Column::new("time_zone", "Time zone", Text).nullable(),
        Column::new("status", "Status", Text),
        Column::new("version", "Version", Integer),
    ],
    key: &["user_id"],
    default_sort: "handle",
}];
const RBAC: &[Dataset] = &[];
const AUDIT: &[Dataset] = &[];
const EXPORTS: &[Dataset] = &[];
const NOTIFICATIONS: &[Dataset] = &[];
const BACKUPS: &[Dataset] = &[];
