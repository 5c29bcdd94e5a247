//! What can have happened to a file.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CONTENT;
use crate::aggregate::Claim;
use crate::files::Purpose;
use crate::files::content::Unfit;
use crate::ids::{FileId, UserId};
use crate::subject::Subject;

/// A fact about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody is going to send a file.
    #[serde(rename = "files.file.initiated")]
    Initiated {
        /// What it is called.
        name: String,
        /// What it is said to be; `application/octet-stream` where that is left open.
        media_type: String,
        /// How large it is said to be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size_bytes: Option<u64>,
        /// What it is for.
        purpose: Purpose,
        /// Whose file it is.
        uploaded_by: UserId,
        /// When it has to be complete.
        expires_at: Timestamp,
    },
    /// It is complete, checked and kept.
    #[serde(rename = "files.file.stored")]
    Stored {
        /// What it holds.
        #[serde(flatten)]
        content: Content,
        /// When it goes, unless something is linked to it by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_until: Option<Timestamp>,
    },
    /// What was sent is not taken.
    #[serde(rename = "files.file.refused")]
    Refused {
        /// Why.
        reason: Unfit,
    },
    /// Whoever was sending it gave it up.
    #[serde(rename = "files.file.aborted")]
    Aborted,
    /// It was not complete in time.
    #[serde(rename = "files.file.expired")]
    Expired,
    /// Somebody holds it back from those who would fetch it.
    #[serde(rename = "files.file.flagged")]
    Flagged {
        /// Why.
        reason: String,
    },
    /// It is held back no longer.
    #[serde(rename = "files.file.flag_lifted")]
    FlagLifted,
    /// It is about a record.
    #[serde(rename = "files.file.linked")]
    Linked {
        /// The record.
        subject: Subject,
        /// What it is to the record.
        role: String,
    },
    /// It is about that record no longer.
    #[serde(rename = "files.file.unlinked")]
    Unlinked {
        /// The record.
        subject: Subject,
        /// When it goes, unless something is linked to it by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_until: Option<Timestamp>,
    },
    /// Somebody asked for a link to its content.
    #[serde(rename = "files.file.downloaded")]
    Downloaded {
        /// Who.
        by: UserId,
    },
    /// It is no longer kept.
    #[serde(rename = "files.file.deleted")]
    Deleted {
        /// What it held.
        #[serde(flatten)]
        content: Content,
    },
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Content {
    /// Where the bytes are: the same for the same bytes within an organisation, and never in two.
    pub blob_id: FileId,
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
    /// How many bytes.
    pub size_bytes: u64,
    /// What they are.
    pub media_type: String,
    /// Whose room they take.
    pub uploaded_by: UserId,
}

impl Content {
    /// The claim's key: content, whose, how much, and the file.
    pub fn claim_key(&self, file: &str) -> String {
        format!("{}/{}/{}/{file}", self.blob_id, self.uploaded_by, self.size_bytes)
    }
}

impl crate::aggregate::Event for Event {
    fn claims(&self, stream_id: &str) -> Vec<Claim> {
        match self {
            Self::Stored { content, .. } => {
                vec![Claim::take(CONTENT, content.claim_key(stream_id))]
            }
            Self::Deleted { content } => {
                vec![Claim::release(CONTENT, content.claim_key(stream_id))]
            }
            Self::Initiated { .. }
            | Self::Refused { .. }
            | Self::Aborted
            | Self::Expired
            | Self::Flagged { .. }
            | Self::FlagLifted
            | Self::Linked { .. }
            | Self::Unlinked { .. }
            | Self::Downloaded { .. } => Vec::new(),
        }
    }
}
