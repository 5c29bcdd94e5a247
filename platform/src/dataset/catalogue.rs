//! The closed list of datasets, by module.

use events::{Module, Permission};

use super::Kind::{Boolean, Id, Integer, Json, List, Text, Time};
use super::audit::AUDIT;
use super::collaboration::COLLABORATION;
use super::exports::EXPORTS;
use super::files::FILES;
use super::maintenance::MAINTENANCE;
use super::rbac::RBAC;
use super::scheduling::SCHEDULING;
use super::signing_in::{API_KEYS, ISSUERS, SESSIONS};
use super::webhooks::WEBHOOKS;
use super::{Column, Dataset, Owner, Units};

/// The datasets of a module.
pub fn datasets(module: Module) -> &'static [Dataset] {
    match module {
        Module::Identity => IDENTITY,
        Module::Rbac => RBAC,
        Module::Audit => AUDIT,
        Module::Exports => EXPORTS,
        Module::Notifications => NOTIFICATIONS,
        Module::Backups => BACKUPS,
        Module::Settings => SETTINGS,
        Module::Scheduling => SCHEDULING,
        Module::Files => FILES,
        Module::Maintenance => MAINTENANCE,
        Module::Collaboration => COLLABORATION,
        Module::Webhooks => WEBHOOKS,
    }
}

/// The dataset of this name.
pub fn find(name: &str) -> Option<&'static Dataset> {
    Module::ALL.iter().flat_map(|module| datasets(*module)).find(|dataset| dataset.name == name)
}

pub(super) const VERSION: Column = Column::new("version", "Version", Integer);
pub(super) const CREATED_AT: Column = Column::new("created_at", "Created", Time);
pub(super) const CHANGED_AT: Column = Column::new("changed_at", "Changed", Time);

const IDENTITY: &[Dataset] =
    &[ORGANIZATIONS, UNITS, USERS, SESSIONS, API_KEYS, INVITATIONS, ISSUERS];

const ORGANIZATIONS: Dataset = Dataset {
    name: "identity.organizations",
    label: "Organisation",
    table: "read.identity_organizations",
    projections: &["identity_organizations"],
    permission: Some(Permission::IdentityOrganizationsRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("organization_id", "Organisation", Id),
        Column::new("name", "Name", Text),
        Column::new("slug", "Short name", Text),
        Column::new("time_zone", "Time zone", Text),
        Column::new("locale", "Language", Text),
        Column::new("currency", "Currency", Text),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
        Column::new("purge_requested_by", "Purge requested by", Id).nullable(),
        Column::new("purge_requested_at", "Purge requested", Time).nullable(),
        Column::new("purge_lapses_at", "Purge to be confirmed before", Time).nullable(),
        Column::new("purge_confirmed_by", "Purge confirmed by", Id).nullable(),
        Column::new("purge_effective_at", "Purged from", Time).nullable(),
    ],
    key: &["organization_id"],
    default_sort: "name",
};

const UNITS: Dataset = Dataset {
    name: "identity.units",
    label: "Units",
    table: "read.identity_units",
    projections: &["identity_units"],
    permission: Some(Permission::IdentityOrganizationsRead),
    owner: None,
    units: Some(Units::Own),
    columns: &[
        Column::new("unit_id", "Unit", Id),
        Column::new("kind", "Kind", Text),
        Column::new("code", "Code", Text),
        Column::new("name", "Name", Text),
        Column::new("parent_id", "Part of", Id).nullable(),
        Column::new("path", "Path", List),
        Column::new("time_zone", "Time zone", Text).nullable(),
        Column::new("closed_at", "Closed", Time).nullable(),
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["unit_id"],
    default_sort: "code",
};

const USERS: Dataset = Dataset {
    name: "identity.users",
    label: "Users",
    table: "read.identity_users",
    projections: &["identity_users"],
    permission: Some(Permission::IdentityUsersRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("user_id", "User", Id),
        Column::new("handle", "Handle", Text),
        Column::new("display_name", "Name", Text),
        Column::new("email", "E-mail", Text).nullable(),
        Column::new("email_confirmed", "E-mail confirmed", Boolean),
        Column::new("phone", "Phone", Text).nullable(),
        Column::new("locale", "Language", Text),
        Column::new("time_zone", "Time zone", Text),
        Column::new("status", "Status", Text),
        Column::new("deactivated_at", "Deactivated", Time).nullable(),
        Column::new("deactivation_reason", "Reason", Text).nullable().sensitive(),
        Column::new("has_password", "Has a password", Boolean),
        Column::new("identities", "Signs in by issuers", List),
        Column::new("login_failures", "Failed sign-ins", Integer).sensitive(),
        Column::new("locked_until", "Locked until", Time).nullable().sensitive(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["user_id"],
    default_sort: "handle",
};

const INVITATIONS: Dataset = Dataset {
    name: "identity.invitations",
    label: "Invitations",
    table: "read.identity_invitations",
    projections: &["identity_invitations"],
    permission: Some(Permission::IdentityInvitationsRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("invitation_id", "Invitation", Id),
        Column::new("email", "E-mail", Text),
        Column::new("roles", "Roles", Json),
        Column::new("message", "Message", Text).nullable(),
        Column::new("status", "Status", Text),
        Column::new("invited_by", "Invited by", Id),
        Column::new("sendings", "Sent", Integer),
        Column::new("expires_at", "Expires", Time),
        Column::new("accepted_at", "Accepted", Time).nullable(),
        Column::new("user_id", "User", Id).nullable(),
        Column::new("revoked_at", "Revoked", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["invitation_id"],
    default_sort: "-created_at",
};

const NOTIFICATIONS: &[Dataset] = &[Dataset {
    name: "notifications.notifications",
    label: "Notifications",
    table: "read.notifications_notifications",
    projections: &["notifications_notifications"],
    permission: None,
    owner: Some(Owner { column: "user_id", everybody: None, shared: None }),
    units: None,
    columns: &[
        Column::new("notification_id", "Notification", Id),
        Column::new("user_id", "User", Id),
        Column::new("kind", "Kind", Text),
        Column::new("title", "Title", Text),
        Column::new("message", "Message", Text),
        Column::new("link", "Link", Json).nullable(),
        Column::new("priority", "Priority", Text),
        Column::new("read_at", "Read", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["notification_id"],
    default_sort: "-created_at",
}];

const BACKUPS: &[Dataset] = &[Dataset {
    name: "backups.backups",
    label: "Backups",
    table: "read.backups_backups",
    projections: &["backups_backups"],
    permission: Some(Permission::BackupsArchivesRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("backup_id", "Backup", Id),
        Column::new("name", "Name", Text),
        Column::new("scope", "Scope", Text),
        Column::new("requested_by", "Requested by", Text).nullable(),
        Column::new("status", "Status", Text),
        Column::new("attempts", "Attempts", Integer),
        Column::new("to_position", "To position", Integer).nullable(),
        Column::new("events", "Events", Integer).nullable(),
        Column::new("size_bytes", "Bytes", Integer).nullable(),
        Column::new("location", "Place", Text).nullable().sensitive(),
        Column::new("manifest_sha256", "SHA-256 of the manifest", Text).nullable(),
        Column::new("key_id", "Key", Text).nullable(),
        Column::new("error_code", "Error", Text).nullable(),
        Column::new("error_message", "Message", Text).nullable(),
        Column::new("verification", "Verification", Text),
        Column::new("verified_at", "Verified", Time).nullable(),
        Column::new("checks", "Checks", Integer).nullable(),
        Column::new("verification_errors", "Found", List),
        Column::new("started_at", "Started", Time).nullable(),
        Column::new("ended_at", "Ended", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["backup_id"],
    default_sort: "-created_at",
}];

const SETTINGS: &[Dataset] = &[CHOSEN, SWITCHED];

const CHOSEN: Dataset = Dataset {
    name: "settings.settings",
    label: "Settings",
    table: "read.settings_settings",
    projections: &["settings_settings"],
    permission: Some(Permission::SettingsSettingsRead),
    owner: None,
    units: Some(Units::Own),
    columns: &[
        Column::new("scope", "Scope", Text),
        Column::new("key", "Setting", Text),
        Column::new("unit_id", "Unit", Id).nullable(),
        Column::new("value", "Value", Json),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["scope", "key"],
    default_sort: "key,scope",
};

const SWITCHED: Dataset = Dataset {
    name: "settings.flags",
    label: "Feature flags",
    table: "read.settings_flags",
    projections: &["settings_flags"],
    permission: Some(Permission::SettingsSettingsRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("flag", "Flag", Text),
        Column::new("enabled", "On", Boolean),
        Column::new("rollout_pct", "Share of users in per cent", Integer),
        Column::new("units", "Units", List),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["flag"],
    default_sort: "flag",
};
