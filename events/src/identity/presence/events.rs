//! What can have happened to a user's presence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::SessionId;

/// A fact about a user's presence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// A session opened.
    #[serde(rename = "identity.presence.session_opened")]
    SessionOpened {
        /// The session.
        session_id: SessionId,
        /// Those that were found to have ended.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ended: Vec<SessionId>,
        /// Those that end for its sake, the oldest ones.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        displaced: Vec<SessionId>,
    },
    /// A session opened from a place that is not among those known.
    #[serde(rename = "identity.presence.place_first_seen")]
    PlaceFirstSeen {
        /// A digest of network and program under a key of the user's own, in hexadecimal digits.
        place_sha256: String,
        /// The session.
        session_id: SessionId,
        /// How many places were known before.
        known: u32,
    },
}

impl crate::aggregate::Event for Event {}
