//! What can have happened to a clean-up.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fact about a clean-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody wants old files to go.
    #[serde(rename = "exports.cleanup.requested")]
    Requested {
        /// How many days files are kept.
        days_to_keep: u32,
        /// What was made before this moment goes.
        made_before: Timestamp,
    },
}

impl crate::aggregate::Event for Event {}
