//! The closed list of datasets, by module.

use events::{Module, Permission};

use super::Kind::{Boolean, Id, Integer, Json, List, Text, Time};
use super::duties::{EXCLUSIVE_SETS, USER_PLANT_ACCESS};
use super::scheduling::SCHEDULING;
use super::signing_in::{API_KEYS, ISSUERS, SESSIONS};
use super::{Column, Dataset, Owner};

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

const RBAC: &[Dataset] =
    &[ROLES, PERMISSIONS, ASSIGNMENTS, EXCLUSIVE_SETS, USER_PLANT_ACCESS, EFFECTIVE_PERMISSIONS];

const ROLES: Dataset = Dataset {
    name: "rbac.roles",
    label: "Roles",
    table: "read.rbac_roles",
    projections: &["rbac_roles"],
    permission: Some(Permission::RbacRolesRead),
    owner: None,
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

const AUDIT: &[Dataset] = &[TRAIL, RESTORED, TRAIL_ARCHIVES];

const TRAIL_ARCHIVES: Dataset = Dataset {
    name: "audit.archives",
    label: "Archived months",
    table: "read.audit_archives",
    projections: &["audit_archives"],
    permission: Some(Permission::AuditTrailRead),
    owner: None,
    columns: &[
        Column::new("month", "Month", Text),
        Column::new("file_id", "File", Id),
        Column::new("sha256", "SHA-256", Text),
        Column::new("size_bytes", "Bytes", Integer),
        Column::new("rows", "Entries", Integer),
        Column::new("first_seq", "First number", Integer),
        Column::new("last_seq", "Last number", Integer),
        Column::new("checkpoint_size", "Sealed up to", Integer),
        Column::new("checkpoint_root", "Root", Text),
        Column::new("archived_at", "Archived", Time),
        Column::new("dropped_at", "Dropped", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["month"],
    default_sort: "-month",
};

const TRAIL: Dataset = Dataset {
    name: "audit.trail",
    label: "Audit trail",
    table: "audit.trail",
    projections: &["audit_trail"],
    permission: Some(Permission::AuditTrailRead),
    owner: None,
    columns: &[
        Column::new("tenant_seq", "Number", Integer),
        Column::new("event_id", "Event", Id),
        Column::new("at", "Time", Time),
        Column::new("actor_kind", "Kind of actor", Text).nullable(),
        Column::new("actor_id", "Actor", Text).nullable(),
        Column::new("on_behalf_of", "On behalf of", Text).nullable(),
        Column::new("session_id", "Session", Text).nullable(),
        Column::new("api_key_id", "API key", Text).nullable(),
        Column::new("ip", "Address", Text).nullable().sensitive(),
        Column::new("user_agent", "Program", Text).nullable().sensitive(),
        Column::new("request_id", "Request", Text).nullable(),
        Column::new("correlation_id", "Correlation", Text).nullable(),
        Column::new("causation_id", "Causation", Text).nullable(),
        Column::new("command", "Command", Text).nullable(),
        Column::new("action", "Action", Text),
        Column::new("module", "Module", Text),
        Column::new("resource_type", "Kind of resource", Text),
        Column::new("resource_id", "Resource", Text).nullable(),
        Column::new("aggregate_type", "Kind of stream", Text),
        Column::new("aggregate_id", "Stream", Text),
        VERSION,
        Column::new("status", "Status", Text),
        Column::new("reason", "Reason", Text).nullable(),
        Column::new("changes", "Changes", Json),
        Column::new("detail", "Detail", Json).nullable(),
    ],
    key: &["tenant_seq"],
    default_sort: "-tenant_seq",
};

const RESTORED: Dataset = Dataset {
    name: "audit.restored",
    label: "Restored months of the audit trail",
    table: "audit.trail_restored",
    projections: &[],
    ..TRAIL
};

const EXPORTS: &[Dataset] = &[Dataset {
    name: "exports.exports",
    label: "Exports",
    table: "read.exports_exports",
    projections: &["exports_exports"],
    permission: Some(Permission::ExportsFilesRequest),
    owner: Some(Owner { column: "requested_by", everybody: Some(Permission::ExportsFilesReadAll) }),
    columns: &[
        Column::new("export_id", "Export", Id),
        Column::new("requested_by", "Requested by", Id),
        Column::new("format", "Format", Text),
        Column::new("dataset", "Dataset", Text),
        Column::new("columns", "Columns", List),
        Column::new("filter", "Filter", Text).nullable(),
        Column::new("sort", "Order", Json),
        Column::new("title", "Title", Text).nullable(),
        Column::new("locale", "Language", Text),
        Column::new("time_zone", "Time zone", Text),
        Column::new("status", "Status", Text),
        Column::new("attempts", "Attempts", Integer),
        Column::new("rows_done", "Rows done", Integer),
        Column::new("rows_total", "Rows in all", Integer).nullable(),
        Column::new("file_id", "File", Id).nullable(),
        Column::new("file_name", "File name", Text).nullable(),
        Column::new("size_bytes", "Bytes", Integer).nullable(),
        Column::new("sha256", "SHA-256", Text).nullable(),
        Column::new("rows", "Rows", Integer).nullable(),
        Column::new("as_of_position", "As of position", Integer).nullable(),
        Column::new("expires_at", "Expires", Time).nullable(),
        Column::new("error_code", "Error", Text).nullable(),
        Column::new("error_message", "Message", Text).nullable(),
        Column::new("retryable", "Can be retried", Boolean).nullable(),
        Column::new("downloads", "Downloads", Integer),
        Column::new("started_at", "Started", Time).nullable(),
        Column::new("ended_at", "Ended", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["export_id"],
    default_sort: "-created_at",
}];

const NOTIFICATIONS: &[Dataset] = &[Dataset {
    name: "notifications.notifications",
    label: "Notifications",
    table: "read.notifications_notifications",
    projections: &["notifications_notifications"],
    permission: None,
    owner: Some(Owner { column: "user_id", everybody: None }),
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
