//! Why a comment is refused.

use jiff::Timestamp;

use super::COMMENTS_MAX_COUNT;
use crate::aggregate::Class;
use crate::collaboration::mention::HANDLES_MAX_COUNT;
use crate::text::Fault;

/// Why a comment is refused.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "COMMENT_")]
pub enum Rejection {
    /// There is no such comment.
    #[error("there is no such comment: choose one that there is")]
    Unknown,
    /// The comment exists already.
    #[error("the comment exists already: give another an id of its own")]
    Exists,
    /// The comment would be somebody else's.
    #[error("only users comment, and each for themselves: sign in")]
    AuthorMismatch,
    /// What it says cannot be used.
    #[error("body {0}")]
    BodyInvalid(Fault),
    /// There is no such record.
    #[error("subject names no record: choose one that there is")]
    SubjectUnknown,
    /// What it answers is not there.
    #[error("parent_id names no comment on this record: choose one that there is")]
    ParentUnknown,
    /// What it answers is an answer itself.
    #[error("parent_id names an answer, and answers are not answered: name the comment above it")]
    ParentIsReply,
    /// What it answers is deleted.
    #[error("parent_id names a comment that is deleted: post one of your own")]
    ParentDeleted,
    /// The record has as many comments as it may have.
    #[error("a record has at most {COMMENTS_MAX_COUNT} comments: go on elsewhere")]
    ThreadFull,
    /// It calls too many people.
    #[error(
        "body calls more than {HANDLES_MAX_COUNT} people: call fewer, and set what is code between backticks"
    )]
    MentionsTooMany,
    /// It is somebody else's.
    #[error("the comment is another's: ask them, or a moderator")]
    AuthorOnly,
    /// It was posted too long ago.
    #[error("the comment could be edited until {0}: answer it, or ask a moderator")]
    EditTimeOver(Timestamp),
    /// It is deleted.
    #[error("the comment is deleted: post another")]
    Deleted,
    /// Whoever wrote it is forgotten, and so is what they wrote.
    #[error("whoever wrote the comment was erased: delete it, or leave it")]
    AuthorErased,
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
            Self::AuthorMismatch | Self::AuthorOnly => Class::Forbidden,
            Self::BodyInvalid(_)
            | Self::SubjectUnknown
            | Self::ParentUnknown
            | Self::ParentIsReply
            | Self::MentionsTooMany => Class::Invalid,
            Self::Exists
            | Self::ParentDeleted
            | Self::ThreadFull
            | Self::EditTimeOver(_)
            | Self::Deleted
            | Self::AuthorErased => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::BodyInvalid(_) | Self::MentionsTooMany => Some("/body"),
            Self::SubjectUnknown => Some("/subject"),
            Self::ParentUnknown | Self::ParentIsReply | Self::ParentDeleted => Some("/parent_id"),
            Self::Unknown
            | Self::Exists
            | Self::AuthorMismatch
            | Self::ThreadFull
            | Self::AuthorOnly
            | Self::EditTimeOver(_)
            | Self::Deleted
            | Self::AuthorErased => None,
        }
    }
}
