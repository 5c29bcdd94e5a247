//! The one registry of typed ids; each is a UUID (RFC 9562), version 7 where we make it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids! {
    /// An organisation; also the tenant that every record belongs to.
    TenantId,
    /// A part of an organisation: branch, plant, department or site.
    UnitId,
    /// A person in one organisation.
    UserId,
    /// A signed-in session.
    SessionId,
    /// What a program acts by in the name of a user.
    ApiKeyId,
    /// An invitation into an organisation.
    InvitationId,
    /// An issuer of tokens that an organisation trusts.
    IssuerId,
    /// A role of an organisation's policy.
    RoleId,
    /// A permission of an organisation's policy, catalogue or custom.
    PermissionId,
    /// A set of roles of which nobody may have too many.
    ExclusiveSetId,
    /// A report under a name, by which files are made.
    TemplateId,
    /// Several files that were asked for as one.
    BatchId,
    /// A clean-up of old files.
    CleanupId,
    /// A requested export and its file.
    ExportId,
    /// A message to one person.
    NotificationId,
    /// A backup of an organisation or of everything.
    BackupId,
    /// What happens when its time has come.
    TriggerId,
    /// A calendar of days on which nothing is to happen.
    BlackoutCalendarId,
    /// Some of those days.
    BlackoutId,
    /// A piece of background work.
    JobId,
    /// Something that is kept up.
    AssetId,
    /// Something to be done.
    TaskId,
    /// A part of it.
    SubtaskId,
    /// What says when something of an asset is to be done.
    MaintenanceScheduleId,
    /// A stored file.
    FileId,
    /// The comments on one record.
    ThreadId,
    /// One of them.
    CommentId,
    /// An address elsewhere that hears of events.
    EndpointId,
    /// What one such address is told of one event.
    DeliveryId,
    /// A row of `secrets`.
    SecretId,
}
