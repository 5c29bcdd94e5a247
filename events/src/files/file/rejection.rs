//! Why a file refuses.

use jiff::Timestamp;

use super::{LINKS_MAX_COUNT, REASON_MAX_CHARS, ROLE_MAX_CHARS};
use crate::aggregate::Class;
use crate::files::content::Unfit;
use crate::files::name::NameFault;

/// Why a file refuses.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "FILE_")]
pub enum Rejection {
    /// There is no such file.
    #[error("there is no such file: upload one")]
    Unknown,
    /// The file exists already.
    #[error("the file exists already: upload another")]
    Exists,
    /// The file would be somebody else's.
    #[error("only users upload files, and each for themselves: sign in")]
    UploaderMismatch,
    /// The name cannot be used.
    #[error("name {0}")]
    NameInvalid(NameFault),
    /// The media type is not one.
    #[error("media_type is not a media type: write it like application/pdf")]
    MediaTypeInvalid,
    /// There is nothing in it.
    #[error("the file is empty: send one with content")]
    Empty,
    /// It is larger than its purpose allows.
    #[error("the file is larger than the {0} bytes that its purpose allows: send a smaller one")]
    TooLarge(u64),
    /// It is not as large as it was said to be.
    #[error("the file was announced with {0} bytes, which are not what came: send it again")]
    SizeMismatch(u64),
    /// Its digest is not the one that was given with it.
    #[error("sha256 is not that of what came: send the file again")]
    DigestMismatch,
    /// What it holds is not taken.
    #[error("the content {0}")]
    ContentUnfit(Unfit),
    /// What was found in it is taken.
    #[error("the content is taken: complete the upload")]
    ContentFit,
    /// The user's files take all the room that a user has.
    #[error("your files would take more than the {0} bytes that a user has: delete some")]
    UserQuotaExceeded(u64),
    /// The organisation's files take all the room that it has.
    #[error(
        "the organisation's files would take more than the {0} bytes that it has: delete some, or have files.organization_quota_mib raised"
    )]
    OrganizationQuotaExceeded(u64),
    /// It is not being sent.
    #[error("the upload is {0}: announce another")]
    NotUploading(&'static str),
    /// It is not kept.
    #[error("the file is {0}: take one that is stored")]
    NotStored(&'static str),
    /// It is held back.
    #[error("the file is held back: ask whoever looks after files")]
    Held,
    /// The reason cannot be used.
    #[error("reason must be a line of at most {REASON_MAX_CHARS} characters: correct it")]
    ReasonInvalid,
    /// The role cannot be used.
    #[error("role must be 1 to {ROLE_MAX_CHARS} of a-z, digits, dots and underscores: correct it")]
    RoleInvalid,
    /// There is no such record.
    #[error("subject names no record: choose one that there is")]
    SubjectUnknown,
    /// It is about that already.
    #[error("the file is linked to that record in another role: unlink it first")]
    LinkExists,
    /// It is not about that.
    #[error("the file is not linked to that record: look at its links")]
    LinkUnknown,
    /// It is about too much.
    #[error(
        "a file is linked to at most {LINKS_MAX_COUNT} records: unlink one, or upload it again"
    )]
    LinksFull,
    /// Something is linked to it.
    #[error("the file is linked to {0} records: unlink it from them first")]
    Linked(usize),
    /// Its time is not over.
    #[error("the file stays until {0}: wait until then")]
    NotExpired(Timestamp),
    /// Its time never ends.
    #[error("the file has no end: delete it")]
    Endless,
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        self.into()
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::Unknown => Class::Absent,
            Self::UploaderMismatch => Class::Forbidden,
            Self::ContentUnfit(_) => Unfit::CLASS,
            Self::NameInvalid(_)
            | Self::MediaTypeInvalid
            | Self::Empty
            | Self::TooLarge(_)
            | Self::SizeMismatch(_)
            | Self::DigestMismatch
            | Self::ReasonInvalid
            | Self::RoleInvalid
            | Self::SubjectUnknown => Class::Invalid,
            Self::Exists
            | Self::ContentFit
            | Self::UserQuotaExceeded(_)
            | Self::OrganizationQuotaExceeded(_)
            | Self::NotUploading(_)
            | Self::NotStored(_)
            | Self::Held
            | Self::LinkExists
            | Self::LinkUnknown
            | Self::LinksFull
            | Self::Linked(_)
            | Self::NotExpired(_)
            | Self::Endless => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::NameInvalid(_) => Some("/name"),
            Self::MediaTypeInvalid => Some("/media_type"),
            Self::Empty | Self::TooLarge(_) | Self::SizeMismatch(_) => Some("/size_bytes"),
            Self::DigestMismatch => Some("/sha256"),
            Self::ContentUnfit(_) => Some("/file"),
            Self::ReasonInvalid => Some("/reason"),
            Self::RoleInvalid => Some("/role"),
            Self::SubjectUnknown | Self::LinkExists | Self::LinkUnknown => Some("/subject"),
            Self::Unknown
            | Self::Exists
            | Self::UploaderMismatch
            | Self::ContentFit
            | Self::UserQuotaExceeded(_)
            | Self::OrganizationQuotaExceeded(_)
            | Self::NotUploading(_)
            | Self::NotStored(_)
            | Self::Held
            | Self::LinksFull
            | Self::Linked(_)
            | Self::NotExpired(_)
            | Self::Endless => None,
        }
    }
}
