//! What can have happened to an export.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Options;
use crate::exports::Layout;
use crate::ids::{BatchId, FileId, TemplateId, UnitId, UserId};

/// A fact about an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody asked for a file.
    #[serde(rename = "exports.export.requested")]
    Requested {
        /// The kind of file.
        format: Format,
        /// The data set it is made from.
        dataset: String,
        /// The columns, in the order of the file.
        columns: Vec<String>,
        /// Which rows, in the filter grammar; all of them without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<String>,
        /// The order of the rows.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sort: Vec<Sort>,
        /// What stands above the rows and in the file's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// The language and region of numbers and dates, a BCP 47 tag.
        locale: String,
        /// The time zone of moments, an IANA name.
        time_zone: String,
        /// The user whose file it is; the file holds what they may see.
        requested_by: UserId,
        /// What is not asked for every day.
        #[serde(flatten)]
        wishes: Box<Wishes>,
        /// How the file is made, where that was wished otherwise than usual.
        #[serde(default, skip_serializing_if = "Options::is_usual")]
        options: Box<Options>,
    },
    /// A worker began to make the file.
    #[serde(rename = "exports.export.started")]
    Started {
        /// How many times it was begun, this one included.
        attempt: u32,
        /// The worker.
        worker: String,
    },
    /// The worker got further.
    #[serde(rename = "exports.export.progressed")]
    Progressed {
        /// The rows that are in the file.
        rows_done: u64,
        /// The rows that will be in it, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows_total: Option<u64>,
    },
    /// The file is ready.
    #[serde(rename = "exports.export.completed")]
    Completed(File),
    /// The file could not be made.
    #[serde(rename = "exports.export.failed")]
    Failed {
        /// What went wrong, for programs.
        code: String,
        /// What went wrong, for people.
        message: String,
        /// Whether it can help to try again.
        retryable: bool,
    },
    /// The file is no longer wanted, and its worker is to let go of it.
    #[serde(rename = "exports.export.cancel_requested")]
    CancelRequested,
    /// The file is not made, because nobody wants it any more.
    #[serde(rename = "exports.export.cancelled")]
    Cancelled,
    /// The file shall be tried again after a failure.
    #[serde(rename = "exports.export.retried")]
    Retried {
        /// The attempts so far; the next is one more.
        attempts: u32,
    },
    /// The file is ready, and whoever it is for is told where it is.
    #[serde(rename = "exports.export.delivered")]
    Delivered {
        /// Whom it is for.
        recipients: Vec<UserId>,
        /// Whom it was for and who may not see what is in it any more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<UserId>,
    },
    /// Somebody sent others the address of the file.
    #[serde(rename = "exports.export.emailed")]
    Emailed {
        /// Whom.
        recipients: Vec<UserId>,
        /// Who.
        by: UserId,
    },
    /// Somebody fetched the file.
    #[serde(rename = "exports.export.downloaded")]
    Downloaded {
        /// Who.
        by: UserId,
    },
    /// The file is kept until somebody deletes it.
    #[serde(rename = "exports.export.archived")]
    Archived {
        /// Who wanted that.
        by: UserId,
    },
    /// Somebody had the file taken away; what is known of it stays.
    #[serde(rename = "exports.export.deleted")]
    Deleted {
        /// Who.
        by: UserId,
    },
    /// The file's time is over.
    #[serde(rename = "exports.export.expired")]
    Expired,
}

/// A kind of file.
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
pub enum Format {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// A workbook (ECMA-376).
    Xlsx,
    /// A printable document (ISO 32000).
    Pdf,
    /// One JSON object per line.
    Ndjson,
    /// Columns with their types (Apache Parquet).
    Parquet,
}

/// One key of the order of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sort {
    /// The column.
    pub column: String,
    /// Whether the greatest comes first.
    #[serde(default)]
    pub descending: bool,
}

/// What of a request is not asked for every day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wishes {
    /// The template from which the request took what it did not say itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<TemplateId>,
    /// How pages look, where the file has some.
    #[serde(default, skip_serializing_if = "Layout::is_usual")]
    pub layout: Layout,
    /// Who else is told where the file is once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver: Option<Delivery>,
    /// The batch that it was asked for with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<BatchId>,
}

/// Whom a file is for besides whoever asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// People of the organisation who may see everything that is in it.
    pub recipients: Vec<UserId>,
    /// Whether nobody is told where there are no rows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skip_if_empty: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde wants")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Where it is stored.
    pub file_id: FileId,
    /// The name to save it under.
    pub file_name: String,
    /// Its size.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// The rows in it.
    pub rows: u64,
    /// The position of the log that its rows stand at.
    pub position: i64,
    /// When it can no longer be fetched.
    pub expires_at: Timestamp,
    /// The units whose rows are in it, with all below them, where whoever asked may see no others; it
    /// is of the organisation as a whole without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitId>,
    /// What the file is and is made of, as a signed note, see `platform::transparency::manifest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

impl crate::aggregate::Event for Event {}
