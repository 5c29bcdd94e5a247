//! What can have been refused, and what was read that is sensitive.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::aggregate::ActorKind;
use crate::ids::{ApiKeyId, SessionId, UnitId};

/// A refusal; who was refused, from where and when is around the event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// A command was refused by a rule.
    #[serde(rename = "audit.security_log.command_refused")]
    CommandRefused(CommandRefused),
    /// A request was refused because the caller lacks a permission.
    #[serde(rename = "audit.security_log.access_denied")]
    AccessDenied(AccessDenied),
    /// Somebody read what is sensitive.
    #[serde(rename = "audit.security_log.data_read")]
    DataRead(DataRead),
}

/// A command that a rule refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandRefused {
    /// The operation, for example `rbac_policy_create_role`.
    pub command: String,
    /// The stream that would have changed, `<module>.<aggregate>`.
    pub resource_type: String,
    /// The id of that stream, where the command named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The stable code of the refusal.
    pub code: String,
    /// The refusal for people.
    pub detail: String,
    /// What else the answer said: the extension members of its problem (RFC 9457, section 3.2), for a repeated key.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extensions: Map<String, Value>,
}

/// A request that the caller has no permission for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccessDenied {
    /// The permission that was needed.
    pub permission: String,
    /// The unit at which it was needed; the organisation when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<UnitId>,
    /// The HTTP method.
    pub method: String,
    /// The route, with the names of its parameters in place of what was asked for.
    pub path_template: String,
    /// What was missing.
    pub reason: String,
    /// How many requests of the same caller this stands for, after one within the minute before that is recorded by itself;
    /// 0 where it is that one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated: u64,
    /// Who was refused, where our query API tells of it; otherwise that is around the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
}

/// Who was refused a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Caller {
    /// What kind of caller: `user`, or `service`.
    pub kind: ActorKind,
    /// The user's id, or the service's name.
    pub id: String,
    /// The session, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The API key, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<ApiKeyId>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl AccessDenied {
    /// The same, for so many requests that were refused after it.
    #[must_use]
    pub fn standing_for(self, repeated: u64) -> Self {
        let reason = format!("{}; {repeated} more such requests within a minute", self.reason);
        Self { reason, repeated, ..self }
    }
}

/// What one caller read of one dataset within some minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataRead {
    /// What kind of caller: `user`, or `service`.
    pub reader_kind: ActorKind,
    /// The user's id, or the service's name.
    pub reader_id: String,
    /// The session, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The API key, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<ApiKeyId>,
    /// The dataset, or `audit.events`.
    pub dataset: String,
    /// Which rows were asked for, in the filter grammar: the first different ones; an empty one means all.
    pub filters: Vec<String>,
    /// How often it was read.
    pub reads: u64,
    /// How many rows were shown in all.
    pub rows: u64,
    /// When it was first read.
    pub first_at: Timestamp,
    /// When it was last read.
    pub last_at: Timestamp,
}

impl crate::aggregate::Event for Event {}
