//! The closed list of what can be granted, by module; custom permissions live in an organisation's policy beside it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A permission of the catalogue; as text `<module>.<resource>:<action>`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
    strum::VariantArray, strum::IntoStaticStr, strum::EnumString, strum::EnumMessage,
)]
#[rustfmt::skip]
pub enum Permission {
    /// See the organisation and its units.
    #[serde(rename = "identity.organizations:read")] #[strum(serialize = "identity.organizations:read")]
    IdentityOrganizationsRead,
    /// Rename the organisation; add, move, rename and close units.
    #[serde(rename = "identity.organizations:manage")] #[strum(serialize = "identity.organizations:manage")]
    IdentityOrganizationsManage,
    /// Ask for the purge of the organisation, confirm what another asked for, and cancel it.
    #[serde(rename = "identity.organizations:purge")] #[strum(serialize = "identity.organizations:purge")]
    IdentityOrganizationsPurge,
    /// See users.
    #[serde(rename = "identity.users:read")] #[strum(serialize = "identity.users:read")]
    IdentityUsersRead,
    /// Register users.
    #[serde(rename = "identity.users:register")] #[strum(serialize = "identity.users:register")]
    IdentityUsersRegister,
    /// Change, lock, deactivate and reactivate users.
    #[serde(rename = "identity.users:manage")] #[strum(serialize = "identity.users:manage")]
    IdentityUsersManage,
    /// Erase users and invitees for good.
    #[serde(rename = "identity.users:erase")] #[strum(serialize = "identity.users:erase")]
    IdentityUsersErase,
    /// See and end other people's sessions.
    #[serde(rename = "identity.sessions:manage")] #[strum(serialize = "identity.sessions:manage")]
    IdentitySessionsManage,
    /// Make API keys for oneself.
    #[serde(rename = "identity.api_keys:make")] #[strum(serialize = "identity.api_keys:make")]
    IdentityApiKeysMake,
    /// See, rename and revoke everybody's API keys; make and rotate them for users within reach.
    #[serde(rename = "identity.api_keys:manage")] #[strum(serialize = "identity.api_keys:manage")]
    IdentityApiKeysManage,
    /// Record that API keys are to end soon; for our own workers.
    #[serde(rename = "identity.api_keys:announce")] #[strum(serialize = "identity.api_keys:announce")]
    IdentityApiKeysAnnounce,
    /// See invitations.
    #[serde(rename = "identity.invitations:read")] #[strum(serialize = "identity.invitations:read")]
    IdentityInvitationsRead,
    /// Invite people; resend and revoke invitations.
    #[serde(rename = "identity.invitations:manage")] #[strum(serialize = "identity.invitations:manage")]
    IdentityInvitationsManage,
    /// Record that invitations have ended; for our own workers.
    #[serde(rename = "identity.invitations:expire")] #[strum(serialize = "identity.invitations:expire")]
    IdentityInvitationsExpire,
    /// See whose tokens are taken for who somebody is.
    #[serde(rename = "identity.issuers:read")] #[strum(serialize = "identity.issuers:read")]
    IdentityIssuersRead,
    /// Trust, change, suspend and distrust issuers of tokens.
    #[serde(rename = "identity.issuers:manage")] #[strum(serialize = "identity.issuers:manage")]
    IdentityIssuersManage,
    /// See roles and who may do what.
    #[serde(rename = "rbac.roles:read")] #[strum(serialize = "rbac.roles:read")]
    RbacRolesRead,
    /// Create, change and delete roles, their permissions and their inheritance.
    #[serde(rename = "rbac.roles:manage")] #[strum(serialize = "rbac.roles:manage")]
    RbacRolesManage,
    /// See the permission catalogue.
    #[serde(rename = "rbac.permissions:read")] #[strum(serialize = "rbac.permissions:read")]
    RbacPermissionsRead,
    /// Create, describe and retire custom permissions.
    #[serde(rename = "rbac.permissions:manage")] #[strum(serialize = "rbac.permissions:manage")]
    RbacPermissionsManage,
    /// See who holds which role.
    #[serde(rename = "rbac.assignments:read")] #[strum(serialize = "rbac.assignments:read")]
    RbacAssignmentsRead,
    /// Assign and remove roles.
    #[serde(rename = "rbac.assignments:assign")] #[strum(serialize = "rbac.assignments:assign")]
    RbacAssignmentsAssign,
    /// Record that assignments have ended or their roles are gone; for our own workers.
    #[serde(rename = "rbac.assignments:expire")] #[strum(serialize = "rbac.assignments:expire")]
    RbacAssignmentsExpire,
    /// Read the audit trail.
    #[serde(rename = "audit.trail:read")] #[strum(serialize = "audit.trail:read")]
    AuditTrailRead,
    /// Replay and follow the organisation's events.
    #[serde(rename = "audit.events:read")] #[strum(serialize = "audit.events:read")]
    AuditEventsRead,
    /// Record that somebody read what is sensitive, or was refused a question; for our own query API.
    #[serde(rename = "audit.reads:record")] #[strum(serialize = "audit.reads:record")]
    AuditReadsRecord,
    /// Archive the audit trail, and drop from it what is sealed and archived.
    #[serde(rename = "audit.trail:archive")] #[strum(serialize = "audit.trail:archive")]
    AuditTrailArchive,
    /// Report on the archiving of the audit trail, and on what the notary refuses to sign; for our own workers.
    #[serde(rename = "audit.archives:make")] #[strum(serialize = "audit.archives:make")]
    AuditArchivesMake,
    /// Request, follow, cancel and download one's own exports.
    #[serde(rename = "exports.files:request")] #[strum(serialize = "exports.files:request")]
    ExportsFilesRequest,
    /// See and download everybody's exports.
    #[serde(rename = "exports.files:read_all")] #[strum(serialize = "exports.files:read_all")]
    ExportsFilesReadAll,
    /// Define, revise and retire templates of reports.
    #[serde(rename = "exports.templates:manage")] #[strum(serialize = "exports.templates:manage")]
    ExportsTemplatesManage,
    /// Let the files of the organisation expire that are older than so many days.
    #[serde(rename = "exports.files:clean_up")] #[strum(serialize = "exports.files:clean_up")]
    ExportsFilesCleanUp,
    /// See everybody's background work of the kinds that one may see at all.
    #[serde(rename = "exports.jobs:read_all")] #[strum(serialize = "exports.jobs:read_all")]
    ExportsJobsReadAll,
    /// Report on the making of an export; for our own workers.
    #[serde(rename = "exports.files:make")] #[strum(serialize = "exports.files:make")]
    ExportsFilesMake,
    /// Send a notification to somebody.
    #[serde(rename = "notifications.messages:send")] #[strum(serialize = "notifications.messages:send")]
    NotificationsMessagesSend,
    /// See backups and verify them.
    #[serde(rename = "backups.archives:read")] #[strum(serialize = "backups.archives:read")]
    BackupsArchivesRead,
    /// Request backups.
    #[serde(rename = "backups.archives:request")] #[strum(serialize = "backups.archives:request")]
    BackupsArchivesRequest,
    /// Report on the making of a backup; for our own workers.
    #[serde(rename = "backups.archives:make")] #[strum(serialize = "backups.archives:make")]
    BackupsArchivesMake,
    /// See settings and how feature flags are switched.
    #[serde(rename = "settings.settings:read")] #[strum(serialize = "settings.settings:read")]
    SettingsSettingsRead,
    /// Set and unset settings; switch feature flags.
    #[serde(rename = "settings.settings:manage")] #[strum(serialize = "settings.settings:manage")]
    SettingsSettingsManage,
    /// See triggers and when they are due.
    #[serde(rename = "scheduling.triggers:read")] #[strum(serialize = "scheduling.triggers:read")]
    SchedulingTriggersRead,
    /// Create, revise, pause, resume and cancel triggers.
    #[serde(rename = "scheduling.triggers:manage")] #[strum(serialize = "scheduling.triggers:manage")]
    SchedulingTriggersManage,
    /// Record that a trigger is due; for our own workers.
    #[serde(rename = "scheduling.triggers:fire")] #[strum(serialize = "scheduling.triggers:fire")]
    SchedulingTriggersFire,
    /// See the calendars of days on which nothing is to happen.
    #[serde(rename = "scheduling.blackout_calendars:read")] #[strum(serialize = "scheduling.blackout_calendars:read")]
    SchedulingBlackoutCalendarsRead,
    /// Define and change the calendars of days on which nothing is to happen.
    #[serde(rename = "scheduling.blackout_calendars:manage")] #[strum(serialize = "scheduling.blackout_calendars:manage")]
    SchedulingBlackoutCalendarsManage,
    /// Upload files, link them to records that one may see, and read one's own and those of such records.
    #[serde(rename = "files.files:use")] #[strum(serialize = "files.files:use")]
    FilesFilesUse,
    /// See and fetch everybody's files.
    #[serde(rename = "files.files:read_all")] #[strum(serialize = "files.files:read_all")]
    FilesFilesReadAll,
    /// Hold back, link, unlink and delete everybody's files.
    #[serde(rename = "files.files:manage")] #[strum(serialize = "files.files:manage")]
    FilesFilesManage,
    /// Let files go whose time is over or whose owner is forgotten; for our own workers.
    #[serde(rename = "files.files:expire")] #[strum(serialize = "files.files:expire")]
    FilesFilesExpire,
    /// See assets.
    #[serde(rename = "maintenance.assets:read")] #[strum(serialize = "maintenance.assets:read")]
    MaintenanceAssetsRead,
    /// Register and change assets, say who else may deal with them, and retire them.
    #[serde(rename = "maintenance.assets:manage")] #[strum(serialize = "maintenance.assets:manage")]
    MaintenanceAssetsManage,
    /// Record that warranties are to end; for our own workers.
    #[serde(rename = "maintenance.assets:announce")] #[strum(serialize = "maintenance.assets:announce")]
    MaintenanceAssetsAnnounce,
    /// See plans of upkeep.
    #[serde(rename = "maintenance.plans:read")] #[strum(serialize = "maintenance.plans:read")]
    MaintenancePlansRead,
    /// Make and change plans of upkeep.
    #[serde(rename = "maintenance.plans:manage")] #[strum(serialize = "maintenance.plans:manage")]
    MaintenancePlansManage,
    /// See tasks of upkeep.
    #[serde(rename = "maintenance.tasks:read")] #[strum(serialize = "maintenance.tasks:read")]
    MaintenanceTasksRead,
    /// Assign tasks of upkeep.
    #[serde(rename = "maintenance.tasks:assign")] #[strum(serialize = "maintenance.tasks:assign")]
    MaintenanceTasksAssign,
    /// Do the work of upkeep: begin and complete tasks, and record what assets are used.
    #[serde(rename = "maintenance.tasks:work")] #[strum(serialize = "maintenance.tasks:work")]
    MaintenanceTasksWork,
    /// See requests for upkeep.
    #[serde(rename = "maintenance.requests:read")] #[strum(serialize = "maintenance.requests:read")]
    MaintenanceRequestsRead,
    /// Make requests for upkeep.
    #[serde(rename = "maintenance.requests:create")] #[strum(serialize = "maintenance.requests:create")]
    MaintenanceRequestsCreate,
    /// Comment on records that one may see, and read what others say of them.
    #[serde(rename = "collaboration.comments:use")] #[strum(serialize = "collaboration.comments:use")]
    CollaborationCommentsUse,
    /// Read everybody's comments; edit and delete them at any time.
    #[serde(rename = "collaboration.comments:moderate")] #[strum(serialize = "collaboration.comments:moderate")]
    CollaborationCommentsModerate,
    /// See which addresses elsewhere hear of events, and what came of it.
    #[serde(rename = "webhooks.endpoints:read")] #[strum(serialize = "webhooks.endpoints:read")]
    WebhooksEndpointsRead,
    /// Register, revise, test, disable, enable and delete addresses that hear of events; rotate their secrets.
    #[serde(rename = "webhooks.endpoints:manage")] #[strum(serialize = "webhooks.endpoints:manage")]
    WebhooksEndpointsManage,
    /// Record that an address does not answer; for our own workers.
    #[serde(rename = "webhooks.endpoints:report")] #[strum(serialize = "webhooks.endpoints:report")]
    WebhooksEndpointsReport,
}

impl Permission {
    /// Every permission of the catalogue.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// What the service principal of our own workers may do, besides nothing.
    pub const WORKERS: &'static [Self] = &[
        Self::AuditArchivesMake,
        Self::ExportsFilesMake,
        Self::NotificationsMessagesSend,
        Self::BackupsArchivesMake,
        Self::RbacAssignmentsExpire,
        Self::IdentityInvitationsExpire,
        Self::IdentityApiKeysAnnounce,
        Self::IdentityUsersErase,
        Self::IdentityOrganizationsPurge,
        Self::SchedulingTriggersFire,
        Self::MaintenanceTasksAssign,
        Self::FilesFilesExpire,
        Self::WebhooksEndpointsReport,
        Self::MaintenanceAssetsAnnounce,
    ];

    /// What the service principal of our own query API may do, besides nothing.
    pub const QUERY_API: &'static [Self] = &[Self::AuditReadsRecord];

    /// The permission as text, `<module>.<resource>:<action>`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// One sentence for people.
    pub fn description(self) -> &'static str {
        strum::EnumMessage::get_documentation(&self).unwrap_or_default()
    }
}
