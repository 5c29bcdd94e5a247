//! What can be asked of a file.

use crate::files::Purpose;
use crate::files::content::Finding;
use crate::ids::{FileId, UserId};
use crate::subject::Subject;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Announces a file.
    Initiate(Initiate),
    /// Says what was sent.
    Complete(Complete),
    /// Gives up an upload whose content is not taken.
    Refuse(Complete),
    /// Gives up an upload.
    Abort,
    /// Holds it back.
    Flag {
        /// Why.
        reason: String,
    },
    /// Lets it go again.
    LiftFlag,
    /// Says what it is about.
    Link {
        /// The record.
        subject: Subject,
        /// What it is to the record.
        role: String,
    },
    /// Says that it is about that no longer.
    Unlink {
        /// The record.
        subject: Subject,
    },
    /// Records that somebody fetches it.
    RecordDownload {
        /// Who.
        by: UserId,
        /// Whether they look after files, and so may fetch what is held back.
        keeper: bool,
    },
    /// Deletes it.
    Delete,
    /// Lets it go, its time being over.
    Expire,
    /// Takes it away from somebody who is forgotten: what is about them alone or about nothing goes.
    Withdraw {
        /// Who is forgotten.
        user: UserId,
    },
}

/// A file to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initiate {
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
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complete {
    /// Where the bytes are, or would be.
    pub blob_id: FileId,
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
    /// The SHA-256 that whoever sent them worked out.
    pub expected_sha256: Option<String>,
    /// How many bytes.
    pub size_bytes: u64,
    /// What they turned out to be.
    pub found: Finding,
}
