//! A file as its rules see it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Content, Event};
use crate::files::Purpose;
use crate::ids::UserId;
use crate::subject::Subject;

/// An uploaded file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where it stands.
    pub status: Status,
    /// What it is called.
    pub name: String,
    /// What it is said to be.
    pub media_type: String,
    /// How large it is said to be.
    pub size_bytes: Option<u64>,
    /// What it is for.
    pub purpose: Purpose,
    /// Whose file it is.
    pub uploaded_by: UserId,
    /// When the upload has to be complete.
    pub expires_at: Option<Timestamp>,
    /// What it holds, once it is stored.
    pub content: Option<Content>,
    /// Why it is held back, if it is.
    pub flag: Option<String>,
    /// What it is about.
    pub links: Vec<Link>,
    /// When it goes, unless something is linked to it by then.
    pub keep_until: Option<Timestamp>,
}

/// Where a file stands in its life.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// It is being sent.
    Uploading,
    /// It is kept.
    Stored,
    /// What was sent was not taken.
    Refused,
    /// It was given up.
    Aborted,
    /// It was not complete in time.
    Expired,
    /// It is no longer kept.
    Deleted,
}

impl Status {
    /// Its name.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A record that a file is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Link {
    /// The record.
    pub subject: Subject,
    /// What the file is to it.
    pub role: String,
}

impl File {
    /// Whether it is about that record.
    pub fn is_about(&self, subject: &Subject) -> bool {
        self.links.iter().any(|link| link.subject == *subject)
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Initiated { name, media_type, size_bytes, purpose, uploaded_by, expires_at } => {
                *self = Self {
                    status: Status::Uploading,
                    name: name.clone(),
                    media_type: media_type.clone(),
                    size_bytes: *size_bytes,
                    purpose: *purpose,
                    uploaded_by: *uploaded_by,
                    expires_at: Some(*expires_at),
                    ..Self::default()
                };
            }
            Event::Stored { content, keep_until } => {
                self.status = Status::Stored;
                self.media_type.clone_from(&content.media_type);
                self.size_bytes = Some(content.size_bytes);
                self.content = Some(content.clone());
                self.keep_until = *keep_until;
                self.expires_at = None;
            }
            Event::Refused { .. } => self.status = Status::Refused,
            Event::Aborted => self.status = Status::Aborted,
            Event::Expired => self.status = Status::Expired,
            Event::Flagged { reason } => self.flag = Some(reason.clone()),
            Event::FlagLifted => self.flag = None,
            Event::Linked { subject, role } => {
                self.links.retain(|link| link.subject != *subject);
                self.links.push(Link { subject: *subject, role: role.clone() });
                self.keep_until = None;
            }
            Event::Unlinked { subject, keep_until } => {
                self.links.retain(|link| link.subject != *subject);
                self.keep_until = *keep_until;
            }
            Event::Downloaded { .. } => {}
            Event::Deleted { .. } => {
                self.status = Status::Deleted;
                (self.content, self.keep_until) = (None, None);
            }
        }
    }
}
