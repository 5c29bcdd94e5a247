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
}

impl crate::aggregate::Event for Event {}
