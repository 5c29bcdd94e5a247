//! What can have happened to a notification.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::Claim;
use crate::ids::UserId;
use crate::settings::Key;

/// The namespace of what a user was told, unique in the organisation.
pub const DEDUPE: &str = "notifications.notification.dedupe";

/// A fact about a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// A message was put into somebody's inbox.
    #[serde(rename = "notifications.notification.created")]
    Created {
        /// The recipient.
        user_id: UserId,
        /// What it is about.
        kind: Kind,
        /// Its first line.
        title: String,
        /// The rest of it; may be empty.
        message: String,
        /// What it leads to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<Link>,
        /// How much it matters.
        priority: Priority,
        /// What the sender calls it, to tell the recipient once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dedupe_key: Option<String>,
    },
    /// The recipient read it.
    #[serde(rename = "notifications.notification.read")]
    Read,
    /// The recipient deleted it.
    #[serde(rename = "notifications.notification.deleted")]
    Deleted,
    /// It was in the inbox for as long as the organisation keeps notifications.
    #[serde(rename = "notifications.notification.expired")]
    Expired,
}

/// What a notification is about.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// A file can be fetched.
    ExportReady,
    /// A file could not be made.
    ExportFailed,
    /// The recipient got a role.
    RoleAssigned,
    /// The recipient lost a role.
    RoleRemoved,
    /// The recipient is to lose a role soon.
    RoleEnds,
    /// An API key of the recipient's, or one that they made, is to end soon.
    ApiKeyEnds,
    /// A backup is complete.
    BackupReady,
    /// A backup failed, or its verification did.
    BackupFailed,
    /// Somebody whom the recipient invited is a user now.
    InvitationAccepted,
    /// Something about the safety of the recipient's account.
    Security,
    /// The organisation is to be purged, or is not after all.
    OrganizationPurge,
    /// A report that is for the recipient is ready.
    ReportReady,
    /// What a trigger of the recipient's leads to was refused.
    TriggerRefused,
    /// A schedule by which the recipient has tasks to do was revised.
    ScheduleRevised,
    /// Somebody called the recipient by name in a comment.
    Mention,
    /// A program that the recipient answers for has not answered to webhooks for a day.
    WebhookFailing,
    /// A program that the recipient answers for is told of nothing any more.
    WebhookDisabled,
    /// The warranty of an asset is to end.
    WarrantyEnds,
    /// The recipient is to do a task.
    TaskAssigned,
    /// A task of the recipient's is due within a day.
    TaskDue,
    /// A task of the recipient's was due.
    TaskOverdue,
    /// A message from a person.
    Message,
}

impl Kind {
    /// The setting by which a recipient says whether they are sent an e-mail as well; nothing where it is not for them to
    /// say: what concerns the safety of an account or the end of an organisation has letters of its own, which always go.
    pub fn mail(self) -> Option<Key> {
        match self {
            Self::ExportReady | Self::ExportFailed => Some(Key::NotificationsMailOfExports),
            Self::RoleAssigned | Self::RoleRemoved | Self::RoleEnds => {
                Some(Key::NotificationsMailOfRoles)
            }
            Self::ApiKeyEnds => Some(Key::NotificationsMailOfApiKeys),
            Self::BackupReady | Self::BackupFailed => Some(Key::NotificationsMailOfBackups),
            Self::InvitationAccepted => Some(Key::NotificationsMailOfInvitations),
            Self::TriggerRefused | Self::ScheduleRevised => Some(Key::NotificationsMailOfSchedules),
            Self::ReportReady => Some(Key::NotificationsMailOfReports),
            Self::Mention => Some(Key::NotificationsMailOfMentions),
            Self::WebhookFailing | Self::WebhookDisabled => Some(Key::NotificationsMailOfWebhooks),
            Self::WarrantyEnds => Some(Key::NotificationsMailOfWarranties),
            Self::TaskAssigned | Self::TaskDue | Self::TaskOverdue => {
                Some(Key::NotificationsMailOfTasks)
            }
            Self::Message => Some(Key::NotificationsMailOfMessages),
            Self::Security | Self::OrganizationPurge => None,
        }
    }
}

/// How much a notification matters.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Priority {
    /// Can wait.
    Low,
    /// As most.
    #[default]
    Normal,
    /// Soon.
    High,
    /// At once, whatever the recipient's quiet hours.
    Critical,
}

/// What a notification leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The stream name, for example `exports.export`.
    #[serde(rename = "type")]
    pub subject: String,
    /// The stream id.
    pub id: String,
}

impl crate::aggregate::Event for Event {
    fn claims(&self, _: &str) -> Vec<Claim> {
        match self {
            Self::Created { user_id, dedupe_key: Some(key), .. } => {
                vec![Claim::take(DEDUPE, format!("{user_id}/{key}"))]
            }
            Self::Created { dedupe_key: None, .. } | Self::Read | Self::Deleted | Self::Expired => {
                Vec::new()
            }
        }
    }
}
