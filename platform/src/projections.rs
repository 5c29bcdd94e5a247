//! The names of all projections, for processes that wait for them without folding anything; a test of projectors compares.

/// Every projection, ordered by name.
pub const NAMES: [&str; 24] = [
    "audit_archives",
    "audit_trail",
    "backups_backups",
    "exports_exports",
    "exports_jobs",
    "identity_api_keys",
    "identity_invitations",
    "identity_issuer_endings",
    "identity_issuers",
    "identity_organizations",
    "identity_session_endings",
    "identity_sessions",
    "identity_units",
    "identity_users",
    "notifications_notifications",
    "rbac_assignments",
    "rbac_exclusive_sets",
    "rbac_permissions",
    "rbac_roles",
    "rbac_user_plant_access",
    "scheduling_blackout_calendars",
    "scheduling_triggers",
    "settings_flags",
    "settings_settings",
];
