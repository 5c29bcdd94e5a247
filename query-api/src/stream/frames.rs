//! The frames of the WebSocket sub-protocol `annals.events.v1`.

use jiff::Timestamp;
use platform::problem::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lane::Entry;

/// The name of the sub-protocol.
pub(crate) const PROTOCOL: &str = "annals.events.v1";

/// What a client says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ClientFrame {
    /// Opens the conversation.
    Init {
        /// An access token, when none stood in the upgrade.
        #[serde(default)]
        auth: Option<String>,
        /// The client's program.
        #[serde(default)]
        client: Option<ClientInfo>,
        /// The epoch that the client's cursors are of.
        #[serde(default)]
        epoch: Option<i32>,
    },
    /// Asks for a stream.
    Sub(Sub),
    /// Lets more events come.
    Credit {
        /// The subscription.
        id: String,
        /// How many more.
        n: u32,
        /// Only durable subscriptions store it.
        #[serde(default)]
        ack: Option<String>,
    },
    /// Only durable subscriptions know it.
    Nack {
        /// The subscription.
        id: String,
        /// The cursor of the event.
        #[serde(default, rename = "cursor")]
        _cursor: Option<String>,
        /// What is to become of it.
        #[serde(default, rename = "action")]
        _action: Option<Action>,
        /// Why.
        #[serde(default, rename = "reason")]
        _reason: Option<String>,
    },
    /// Ends a subscription.
    Unsub {
        /// The subscription.
        id: String,
        /// Why.
        #[serde(default, rename = "reason")]
        _reason: Option<String>,
    },
    /// Brings a new access token.
    Auth {
        /// The token.
        auth: String,
    },
    /// Asks whether we are there.
    Ping,
    /// Says that the client is there.
    Pong,
}

/// What is to become of an event that a durable subscriber could not deal with.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// It comes again.
    Retry,
    /// It is put aside.
    Park,
    /// It is passed over.
    Skip,
}

/// The client's program.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientInfo {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    #[serde(default)]
    pub(crate) version: String,
}

/// A wanted subscription.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sub {
    /// The client's name for it.
    pub(crate) id: String,
    /// The stream, for example `category/rbac`.
    pub(crate) stream: String,
    /// Which of its events.
    #[serde(default)]
    pub(crate) filter: Option<String>,
    /// From where on.
    #[serde(default)]
    pub(crate) from: Begin,
    /// How many events may come before more credit.
    #[serde(default = "default_credit")]
    pub(crate) credit: u32,
    /// `events`; there are no saved queries yet.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// Which members of an event.
    #[serde(default)]
    pub(crate) fields: Option<Vec<String>>,
}

fn default_credit() -> u32 {
    256
}

/// From where on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Begin {
    /// Everything.
    Start,
    /// Only what is new.
    #[default]
    End,
    /// What comes after this cursor.
    After(String),
    /// What was recorded at this time or later.
    At(#[schemars(with = "String")] Timestamp),
}

/// What kind of subscription.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// Events as they happen.
    #[default]
    Events,
    /// A snapshot and its changes.
    Query,
}

/// What we say, besides `ev`, which is written as text, and `err`, which is a problem.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ServerFrame<'a> {
    /// The conversation is open.
    Ready {
        /// The caller's session, where there is one.
        session: Option<String>,
        /// The epoch that cursors are of.
        epoch: i32,
        /// A client that is silent for longer is asked whether it is there.
        heartbeat_ms: u64,
        /// Most subscriptions.
        max_subs: usize,
        /// Most credit of one.
        max_credit: u32,
        /// When the token ends; `auth` brings another.
        expires_at: String,
    },
    /// A subscription is armed.
    Subd {
        /// The subscription.
        id: &'a str,
        /// Where it begins.
        cursor: String,
        /// Whether it goes on from a cursor.
        resumed: bool,
        /// Where the stream ends now.
        head: String,
    },
    /// Everything up to here was looked at.
    Ckpt {
        /// The subscription.
        id: &'a str,
        /// Where it stands.
        cursor: String,
        /// For how long it has been behind.
        lag_ms: u64,
    },
    /// The subscription has caught up.
    Live {
        /// The subscription.
        id: &'a str,
        /// Where it stands.
        cursor: String,
        /// When.
        at: String,
    },
    /// The subscription fell behind.
    Behind {
        /// The subscription.
        id: &'a str,
        /// Where it stands.
        cursor: String,
        /// When.
        at: String,
    },
    /// A subscription is over.
    Done {
        /// The subscription.
        id: &'a str,
        /// `client` or `revoked`.
        reason: &'a str,
    },
    /// The server is about to close.
    Drain {
        /// When to come again.
        reconnect_in_ms: u32,
    },
    /// Asks whether the client is there.
    Ping,
    /// Says that we are there.
    Pong,
}

/// One event of a subscription.
pub(crate) fn event(out: &mut String, id: &str, entry: &Entry, fields: Option<&[String]>) {
    out.push_str("{\"type\":\"ev\",\"id\":");
    platform::dataset::rows::string(out, id);
    out.push_str(",\"cursor\":\"");
    out.push_str(&entry.cursor);
    out.push_str("\",\"event\":");
    match fields {
        None => out.push_str(&entry.json),
        Some(fields) => out.push_str(&only(&entry.json, fields)),
    }
    out.push('}');
}

/// Only these members of a JSON object; its id always stays.
fn only(json: &str, fields: &[String]) -> String {
    let mut members: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    members.retain(|name, _| name == "id" || fields.iter().any(|field| field == name));
    Value::Object(members).to_string()
}

/// A problem as a frame, of a subscription or of the conversation.
pub(crate) fn error(id: Option<&str>, problem: &Problem) -> Value {
    let mut frame = serde_json::to_value(problem).unwrap_or_default();
    if let Some(members) = frame.as_object_mut() {
        // `type` names the frame; the page about the code goes by another name.
        let page = members.insert("type".into(), "err".into());
        members.insert("about".into(), page.unwrap_or_default());
        members.insert("temporary".into(), problem.retryable.into());
        if let Some(id) = id {
            members.insert("id".into(), id.into());
        }
    }
    frame
}
