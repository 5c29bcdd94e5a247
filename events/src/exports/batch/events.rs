//! What can have happened to a batch.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exports::Report;
use crate::exports::export::Format;
use crate::ids::{ExportId, TemplateId, UserId};

/// A fact about a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody asked for several files.
    #[serde(rename = "exports.batch.requested")]
    Requested {
        /// What people call it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// The files, in the order of the archive.
        items: Vec<Item>,
        /// When they are asked for; at once without a moment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_at: Option<Timestamp>,
        /// Whose files they are; each holds what they may see.
        requested_by: UserId,
    },
    /// The items that have no file are asked for.
    #[serde(rename = "exports.batch.started")]
    Started {
        /// How many times it was begun, this one included.
        attempt: u32,
        /// Which items, from 0.
        items: Vec<u32>,
    },
    /// An item was asked for.
    #[serde(rename = "exports.batch.item_requested")]
    ItemRequested {
        /// Which, from 0.
        item: u32,
        /// The export that makes it.
        export_id: ExportId,
    },
    /// An item could not be asked for.
    #[serde(rename = "exports.batch.item_refused")]
    ItemRefused {
        /// Which, from 0.
        item: u32,
        /// Why, for programs.
        code: String,
        /// Why, for people.
        detail: String,
        /// How many items have come to an end, this one included.
        ended: u32,
    },
    /// The file of an item is made, or will not be.
    #[serde(rename = "exports.batch.item_finished")]
    ItemFinished {
        /// Which, from 0.
        item: u32,
        /// The export.
        export_id: ExportId,
        /// Whether there is a file.
        made: bool,
        /// How many items have come to an end, this one included.
        ended: u32,
    },
    /// All items have come to an end, and there are files.
    #[serde(rename = "exports.batch.completed")]
    Completed {
        /// How many have a file.
        made: u32,
        /// How many have none.
        failed: u32,
    },
    /// All items have come to an end, and there is no file.
    #[serde(rename = "exports.batch.failed")]
    Failed {
        /// What went wrong, for programs.
        code: String,
        /// What went wrong, for people.
        message: String,
    },
    /// Nobody wants the files any more; those that are being made are called off.
    #[serde(rename = "exports.batch.cancelled")]
    Cancelled,
    /// What failed shall be asked for again.
    #[serde(rename = "exports.batch.retried")]
    Retried {
        /// The attempts so far; the next is one more.
        attempts: u32,
    },
    /// Somebody fetched the files.
    #[serde(rename = "exports.batch.downloaded")]
    Downloaded {
        /// Who.
        by: UserId,
    },
}

/// One file of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// The kind of file.
    pub format: Format,
    /// What it shows.
    #[serde(flatten)]
    pub report: Report,
    /// The template from which it took what was not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<TemplateId>,
}

/// What came of asking for an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// A worker makes it.
    Requested(ExportId),
    /// It was refused, and would be again.
    Refused {
        /// For programs.
        code: String,
        /// For people.
        detail: String,
    },
}

impl crate::aggregate::Event for Event {}
