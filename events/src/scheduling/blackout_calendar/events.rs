//! What can have happened to a calendar of blackouts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::BlackoutId;
use crate::scheduling::Blackout;

/// A fact about a calendar of blackouts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody began it.
    #[serde(rename = "scheduling.blackout_calendar.defined")]
    Defined {
        /// What people call it.
        name: String,
    },
    /// It is called something else.
    #[serde(rename = "scheduling.blackout_calendar.renamed")]
    Renamed {
        /// What people call it.
        name: String,
    },
    /// It closes days.
    #[serde(rename = "scheduling.blackout_calendar.blackout_added")]
    BlackoutAdded {
        /// Which entry it is.
        blackout_id: BlackoutId,
        /// The days.
        blackout: Blackout,
    },
    /// It leaves days open again.
    #[serde(rename = "scheduling.blackout_calendar.blackout_removed")]
    BlackoutRemoved {
        /// Which entry it was.
        blackout_id: BlackoutId,
    },
    /// It closes no day any more.
    #[serde(rename = "scheduling.blackout_calendar.retired")]
    Retired,
}

impl crate::aggregate::Event for Event {}
