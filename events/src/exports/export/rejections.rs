//! Why an export refuses, and what whoever asked can do about it.

use jiff::Timestamp;

use super::{
    COLUMNS_MAX_COUNT, FILE_NAME_MAX_CHARS, MANIFEST_MAX_BYTES, Misfit, RECIPIENTS_MAX_COUNT,
    SORT_MAX_COLUMNS,
};
use crate::aggregate::Class;
use crate::exports::{Flaw, Misprint};
use crate::job::Refusal;
use crate::text::Fault;

/// Why an export refuses.
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
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "EXPORT_")]
pub enum Rejection {
    /// There is no such export.
    #[error("there is no such export: request one")]
    Unknown,
    /// The export exists already.
    #[error("the export exists already: request another")]
    Exists,
    /// The file would be somebody else's.
    #[error("requested_by is not the caller: request the export for yourself")]
    RequesterMismatch,
    /// The name of the data set is not one.
    #[error(
        "dataset is not a name of a-z, digits, dots and underscores: choose one of the data sets"
    )]
    DatasetInvalid,
    /// The columns are none, too many, twice the same, or not names.
    #[error(
        "columns must be 1 to {COLUMNS_MAX_COUNT} different names of columns: correct the list"
    )]
    ColumnsInvalid,
    /// The filter cannot be used.
    #[error("filter {0}")]
    FilterInvalid(Fault),
    /// The order of rows is not well formed.
    #[error("sort must be at most {SORT_MAX_COLUMNS} different names of columns: correct the list")]
    SortInvalid,
    /// The title cannot be used.
    #[error("title {0}")]
    TitleInvalid(Fault),
    /// The locale is not a language tag.
    #[error("locale is not a BCP 47 tag: write it like de-CH")]
    LocaleInvalid,
    /// The time zone is not known.
    #[error("time_zone is not an IANA name: write it like Europe/Berlin")]
    TimeZoneUnknown,
    /// A text of the pages cannot be used.
    #[error("layout.{0}")]
    LayoutInvalid(Misprint),
    /// There is no such template.
    #[error("template_id names no template: choose one of GET /exports/templates")]
    TemplateUnknown,
    /// Nobody makes files by the template any more.
    #[error("the template is retired: choose another, or say what the file shall be")]
    TemplateRetired,
    /// A kind of file cannot do what is wished.
    #[error("options.{0}")]
    OptionInvalid(Misfit),
    /// The manifest is longer than a signed note.
    #[error("manifest has more than {MANIFEST_MAX_BYTES} bytes: send a signed note")]
    ManifestInvalid,
    /// Whom the file is for is not said, said twice, or too many.
    #[error(
        "deliver.recipients must be 1 to {RECIPIENTS_MAX_COUNT} different users: correct the list"
    )]
    DeliveryInvalid,
    /// Whom to send it to is not said, said twice, or too many.
    #[error("recipients must be 1 to {RECIPIENTS_MAX_COUNT} different users: correct the list")]
    RecipientsInvalid,
    /// The worker's name cannot be used.
    #[error("worker {0}")]
    WorkerInvalid(Fault),
    /// The attempt is not the latest.
    #[error("attempt is not the latest, which is {0}: leave the export to its worker")]
    AttemptStale(u32),
    /// No worker is at it.
    #[error("the export is {0}, not running: start an attempt first")]
    NotRunning(&'static str),
    /// The export came to its end.
    #[error("the export is {0} already: request another")]
    Finished(&'static str),
    /// The worker is to let go of it.
    #[error("the export is being cancelled: let go of it")]
    Cancelling,
    /// Nobody asked to cancel it.
    #[error("nobody asked to cancel the export: go on with it")]
    Wanted,
    /// Progress goes forward, and not beyond its end.
    #[error("rows_done is less than before or more than rows_total: report what is done")]
    ProgressInvalid,
    /// The file's name cannot be used.
    #[error(
        "file_name must be at most {FILE_NAME_MAX_CHARS} characters without a path: correct it"
    )]
    FileNameInvalid,
    /// The digest is not one.
    #[error("sha256 must be 64 lower-case hexadecimal digits: send the digest of the file")]
    DigestInvalid,
    /// The position is before the log's first.
    #[error("position must not be negative: send the position of the data")]
    PositionInvalid,
    /// The file would expire at once.
    #[error("expires_at is not in the future: choose a later moment")]
    ExpiryInvalid,
    /// The code of the failure is not one.
    #[error("code must be a name of a-z, digits, dots and underscores: correct it")]
    FailureCodeInvalid,
    /// It cannot help to try again.
    #[error("the export failed for good: request another")]
    NotRetryable,
    /// It has not failed.
    #[error("the export is {0}, not failed: retry only what failed")]
    NotFailed(&'static str),
    /// There is no file.
    #[error("the export is {0}, and there is no file: download one that succeeded")]
    NotDownloadable(&'static str),
    /// The file's time is over.
    #[error("the file expired: request the export again")]
    FileExpired,
    /// Somebody deleted the file.
    #[error("the file was deleted: request the export again")]
    FileDeleted,
    /// The file is kept until somebody deletes it.
    #[error("the file is archived and does not expire: delete it instead")]
    FileArchived,
    /// The file is still being made.
    #[error("the export is {0}, and its file is still to come: cancel it first")]
    StillMade(&'static str),
    /// The file's time is not over.
    #[error("the file expires at {0}: wait until then")]
    NotExpired(Timestamp),
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
            Self::DatasetInvalid
            | Self::ColumnsInvalid
            | Self::FilterInvalid(_)
            | Self::SortInvalid
            | Self::TitleInvalid(_)
            | Self::LocaleInvalid
            | Self::TimeZoneUnknown
            | Self::LayoutInvalid(_)
            | Self::TemplateUnknown
            | Self::OptionInvalid(_)
            | Self::ManifestInvalid
            | Self::DeliveryInvalid
            | Self::RecipientsInvalid
            | Self::WorkerInvalid(_)
            | Self::ProgressInvalid
            | Self::FileNameInvalid
            | Self::DigestInvalid
            | Self::PositionInvalid
            | Self::ExpiryInvalid
            | Self::FailureCodeInvalid => Class::Invalid,
            Self::Exists
            | Self::TemplateRetired
            | Self::AttemptStale(_)
            | Self::NotRunning(_)
            | Self::Finished(_)
            | Self::Cancelling
            | Self::Wanted
            | Self::NotRetryable
            | Self::NotFailed(_)
            | Self::NotDownloadable(_)
            | Self::FileExpired
            | Self::FileDeleted
            | Self::FileArchived
            | Self::StillMade(_)
            | Self::NotExpired(_) => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::RequesterMismatch => Some("/requested_by"),
            Self::DatasetInvalid => Some("/dataset"),
            Self::ColumnsInvalid => Some("/columns"),
            Self::FilterInvalid(_) => Some("/filter"),
            Self::SortInvalid => Some("/sort"),
            Self::TitleInvalid(_) => Some("/title"),
            Self::LocaleInvalid => Some("/locale"),
            Self::TimeZoneUnknown => Some("/time_zone"),
            Self::LayoutInvalid(misprint) => Some(misprint.pointer()),
            Self::TemplateUnknown | Self::TemplateRetired => Some("/template_id"),
            Self::OptionInvalid(misfit) => Some(misfit.pointer()),
            Self::ManifestInvalid => Some("/manifest"),
            Self::DeliveryInvalid => Some("/deliver/recipients"),
            Self::RecipientsInvalid => Some("/recipients"),
            Self::WorkerInvalid(_) => Some("/worker"),
            Self::AttemptStale(_) => Some("/attempt"),
            Self::ProgressInvalid => Some("/rows_done"),
            Self::FileNameInvalid => Some("/file_name"),
            Self::DigestInvalid => Some("/sha256"),
            Self::PositionInvalid => Some("/position"),
            Self::ExpiryInvalid => Some("/expires_at"),
            Self::FailureCodeInvalid => Some("/code"),
            Self::Unknown
            | Self::Exists
            | Self::NotRunning(_)
            | Self::Finished(_)
            | Self::Cancelling
            | Self::Wanted
            | Self::NotRetryable
            | Self::NotFailed(_)
            | Self::NotDownloadable(_)
            | Self::FileExpired
            | Self::FileDeleted
            | Self::FileArchived
            | Self::StillMade(_)
            | Self::NotExpired(_) => None,
        }
    }
}

impl From<Flaw> for Rejection {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Dataset => Self::DatasetInvalid,
            Flaw::Columns => Self::ColumnsInvalid,
            Flaw::Filter(fault) => Self::FilterInvalid(fault),
            Flaw::Sort => Self::SortInvalid,
            Flaw::Title(fault) => Self::TitleInvalid(fault),
            Flaw::Locale => Self::LocaleInvalid,
            Flaw::TimeZone => Self::TimeZoneUnknown,
            Flaw::Layout(misprint) => Self::LayoutInvalid(misprint),
            Flaw::Options(misfit) => Self::OptionInvalid(misfit),
        }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Finished(state) => Self::Finished(state.name()),
            Refusal::NotRunning(state) => Self::NotRunning(state.name()),
            Refusal::Cancelling => Self::Cancelling,
            Refusal::Stale(latest) => Self::AttemptStale(latest),
            Refusal::Wanted => Self::Wanted,
            Refusal::NotFailed(state) => Self::NotFailed(state.name()),
            Refusal::NotRetryable => Self::NotRetryable,
        }
    }
}
