//! What can be asked of a batch.

use jiff::Timestamp;

use super::{Came, Item};
use crate::ids::{ExportId, UserId};

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Asks for several files.
    Request(Request),
    /// Their time has come.
    Start,
    /// An item was asked for, or that was refused.
    RecordItem {
        /// Which, from 0.
        item: u32,
        /// What came of it.
        came: Came,
    },
    /// The file of an item is made, or will not be.
    FinishItem {
        /// The export.
        export_id: ExportId,
        /// Whether there is a file.
        made: bool,
    },
    /// They are no longer wanted.
    Cancel,
    /// What failed shall be asked for again.
    Retry,
    /// Somebody fetched the files.
    RecordDownload {
        /// Who.
        by: UserId,
    },
}

/// Asks for several files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What people call it, and the name of the archive.
    pub title: Option<String>,
    /// The files.
    pub items: Vec<Item>,
    /// When they are asked for; at once without a moment.
    pub run_at: Option<Timestamp>,
    /// Whose files they are.
    pub requested_by: UserId,
}
