//! What can be asked of an export.

use super::{File, Format, Options, Sort, Wishes};
use crate::ids::UserId;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Asks for a file.
    Request(Request),
    /// A worker begins to make it.
    Start(Start),
    /// The worker got further.
    ReportProgress(ReportProgress),
    /// The file is ready.
    Complete(Complete),
    /// The file could not be made.
    Fail(Fail),
    /// The file is no longer wanted.
    Cancel,
    /// The file is no longer wanted, because what it was to be part of is not; what has ended stays as it is.
    CallOff,
    /// The worker has let go of it.
    ConfirmCancel,
    /// The file shall be tried again.
    Retry,
    /// The file is ready for whom it is for.
    Deliver {
        /// Those of them who may not see what is in it any more.
        left_out: Vec<UserId>,
    },
    /// Sends others the address of the file.
    Email {
        /// Whom.
        recipients: Vec<UserId>,
        /// Who.
        by: UserId,
    },
    /// Somebody fetched the file.
    RecordDownload(RecordDownload),
    /// The file's time is over.
    Expire,
    /// Takes the file away because it is older than the organisation still wants to keep.
    CleanUp,
    /// Keeps the file until somebody deletes it.
    Archive {
        /// Who wants that.
        by: UserId,
    },
    /// Takes the file away because somebody wants that.
    Delete {
        /// Who.
        by: UserId,
    },
    /// Takes the file away before its time, because it may hold what was erased.
    Withdraw,
}

/// Asks for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The kind of file.
    pub format: Format,
    /// The data set it is made from.
    pub dataset: String,
    /// The columns, in the order of the file.
    pub columns: Vec<String>,
    /// Which rows, in the filter grammar.
    pub filter: Option<String>,
    /// The order of the rows.
    pub sort: Vec<Sort>,
    /// What stands above the rows and in the file's name.
    pub title: Option<String>,
    /// The language and region of numbers and dates, a BCP 47 tag.
    pub locale: String,
    /// The time zone of moments, an IANA name.
    pub time_zone: String,
    /// The user whose file it is: the caller, or for whom the caller acts.
    pub requested_by: UserId,
    /// What is not asked for every day.
    pub wishes: Box<Wishes>,
    /// How the file is made.
    pub options: Options,
}

/// A worker begins to make the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// How many times it was begun, this one included; more than at any start before.
    pub attempt: u32,
    /// The worker's name.
    pub worker: String,
}

/// The worker got further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportProgress {
    /// The attempt that reports.
    pub attempt: u32,
    /// The rows that are in the file.
    pub rows_done: u64,
    /// The rows that will be in it, where known.
    pub rows_total: Option<u64>,
}

/// The file is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complete {
    /// The attempt that reports.
    pub attempt: u32,
    /// The file.
    pub file: File,
}

/// The file could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fail {
    /// The attempt that reports.
    pub attempt: u32,
    /// What went wrong, for programs.
    pub code: String,
    /// What went wrong, for people; cut to what fits.
    pub message: String,
    /// Whether it can help to try again.
    pub retryable: bool,
}

/// Somebody fetched the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordDownload {
    /// Who.
    pub by: UserId,
}
