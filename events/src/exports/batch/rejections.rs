//! Why a batch refuses, and what whoever asked can do about it.

use super::ITEMS_MAX_COUNT;
use crate::aggregate::Class;
use crate::text::Fault;

/// Why a batch refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "BATCH_")]
pub enum Rejection {
    /// There is no such batch.
    #[error("there is no such batch: request one")]
    Unknown,
    /// The batch exists already.
    #[error("the batch exists already: request another")]
    Exists,
    /// The files would be somebody else's.
    #[error("requested_by is not the caller: request the batch for yourself")]
    RequesterMismatch,
    /// There are no items, or too many.
    #[error("items must be 1 to {ITEMS_MAX_COUNT} files: correct the list")]
    ItemsInvalid,
    /// An item cannot be made.
    #[error("items has a file that cannot be made: correct it")]
    ItemInvalid,
    /// The title cannot be used.
    #[error("title {0}")]
    TitleInvalid(Fault),
    /// The moment has passed.
    #[error("run_at is not in the future: choose a later moment, or leave it out")]
    RunAtPast,
    /// No such item is waiting.
    #[error("the item is not one that waits to be asked for: leave it")]
    ItemUnknown,
    /// The batch came to its end.
    #[error("the batch is {0} already: request another")]
    Finished(&'static str),
    /// It has not failed.
    #[error("the batch is {0}, not failed: retry only what failed")]
    NotFailed(&'static str),
    /// There are no files.
    #[error("the batch is {0}, and there are no files: fetch those of one that succeeded")]
    NotDownloadable(&'static str),
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
            Self::RequesterMismatch => Class::Forbidden,
            Self::ItemsInvalid | Self::ItemInvalid | Self::TitleInvalid(_) | Self::RunAtPast => {
                Class::Invalid
            }
            Self::Exists
            | Self::ItemUnknown
            | Self::Finished(_)
            | Self::NotFailed(_)
            | Self::NotDownloadable(_) => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::RequesterMismatch => Some("/requested_by"),
            Self::ItemsInvalid | Self::ItemInvalid => Some("/items"),
            Self::TitleInvalid(_) => Some("/title"),
            Self::RunAtPast => Some("/run_at"),
            Self::Unknown
            | Self::Exists
            | Self::ItemUnknown
            | Self::Finished(_)
            | Self::NotFailed(_)
            | Self::NotDownloadable(_) => None,
        }
    }
}
