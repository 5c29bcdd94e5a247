//! What is stored around every event, and how its type and version are read off its payload.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::aggregate::{Decider, Event};
use crate::ids::TenantId;

/// Flat text facts about how an event came to be (actor, request, causation); the keys are in [`meta`].
pub type Metadata = BTreeMap<String, String>;

/// The keys of [`Metadata`].
pub mod meta {
    /// `user`, `service` or `system`.
    pub const ACTOR_KIND: &str = "actor_kind";
    /// The user's id, or the service's name.
    pub const ACTOR_ID: &str = "actor_id";
    /// The session the actor used.
    pub const SESSION_ID: &str = "session_id";
    /// The API key the actor used.
    pub const API_KEY_ID: &str = "api_key_id";
    /// The user for whom a service acted.
    pub const ON_BEHALF_OF: &str = "on_behalf_of";
    /// What acted for the actor, who was not there, `type/id`: a trigger of theirs.
    pub const THROUGH: &str = "through";
    /// The operation id of the command, for example `rbac_policy_create_role`.
    pub const COMMAND: &str = "command";
    /// The id shared by everything that follows from one request.
    pub const CORRELATION_ID: &str = "correlation_id";
    /// The id of what directly caused the event.
    pub const CAUSATION_ID: &str = "causation_id";
    /// The id of the HTTP request.
    pub const REQUEST_ID: &str = "request_id";
    /// The caller's address.
    pub const IP: &str = "ip";
    /// The caller's program.
    pub const USER_AGENT: &str = "user_agent";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// The client's idempotency key.
    pub const IDEMPOTENCY_KEY: &str = "idempotency_key";
    /// The versions of other streams that the decision used, `type/id@version` joined by spaces.
    pub const FACTS: &str = "facts";
}

/// One event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Global place in the log: gap-free, in commit order, from 1.
    pub position: i64,
    /// The organisation.
    pub tenant_id: TenantId,
    /// Place in the organisation's own sequence: gap-free, from 1.
    pub tenant_seq: i64,
    /// Stream name, `<module>.<aggregate>`.
    pub aggregate_type: String,
    /// Stream id.
    pub aggregate_id: String,
    /// Version of the stream after this event, from 1.
    pub sequence: i64,
    /// UUIDv7 of the event.
    pub event_id: Uuid,
    /// Stored name, `<module>.<aggregate>.<past_tense>`.
    pub event_type: String,
    /// Schema version of the payload.
    pub event_version: String,
    /// The payload's exact text, as hashed.
    pub payload: String,
    /// The metadata's exact text, as hashed.
    pub metadata: String,
    /// When it was committed, microseconds precise.
    pub recorded_at: Timestamp,
    /// Tamper-evidence chain of the organisation after this event (SHA-256).
    pub chain: Vec<u8>,
}

impl Recorded {
    /// The payload as the event of aggregate `D`, after upcasting.
    pub fn decode<D: Decider>(&self) -> Result<D::Event, serde_json::Error> {
        serde_json::from_str(&self.payload)
    }

    /// The metadata as a map.
    pub fn metadata(&self) -> Metadata {
        serde_json::from_str(&self.metadata).unwrap_or_default()
    }

    /// The module's name: what stands before the first dot of the stream name.
    pub fn module(&self) -> &str {
        self.aggregate_type.split('.').next().unwrap_or_default()
    }

    /// Whether the event belongs to a stream of aggregate `D`.
    pub fn is<D: Decider>(&self) -> bool {
        self.aggregate_type == D::TYPE
    }
}

/// An event made ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Stored name.
    pub event_type: String,
    /// Schema version of the payload.
    pub event_version: String,
    /// JSON text.
    pub payload: String,
}

/// Makes an event ready to be stored.
pub fn encode<E: Event>(event: &E) -> Result<Encoded, serde_json::Error> {
    let payload = serde_json::to_string(event)?;
    let event_type = stored_type(&payload).unwrap_or_default().to_owned();
    let event_version = stored_version(&event_type).to_owned();
    Ok(Encoded { event_type, event_version, payload })
}

/// The stored name at the head of a payload written by us (`{"type":"..."`).
pub fn stored_type(payload: &str) -> Option<&str> {
    payload.strip_prefix("{\"type\":\"")?.split('"').next()
}

/// The schema version that a stored name carries: `..._v2` is `2`, no suffix is `1`.
pub fn stored_version(event_type: &str) -> &str {
    match event_type.rsplit_once("_v") {
        Some((_, version))
            if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) =>
        {
            version
        }
        _ => "1",
    }
}
