//! What a command is answered with.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use events::TenantId;
use events::rbac::resolve::effect::Effect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::draft::Drafted;

/// A command that was taken.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Answer {
    /// Whether it is in the log; false for a dry run.
    pub(crate) committed: bool,
    /// The aggregate and its version now.
    pub(crate) aggregate: Place,
    /// The events that followed; none when nothing had to change.
    pub(crate) events: Vec<Happened>,
    /// What a change of access would come to; in a dry run of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) effect: Option<Effect>,
    /// Their last position in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<i64>,
    /// The read models that show it, when the request waited for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) visible_in: Option<Vec<String>>,
    /// The read models waited for in vain; they will show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending_in: Option<Vec<String>>,
    #[serde(skip)]
    pub(crate) header: Header,
}

/// What goes into the header of an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Header {
    pub(crate) status: u16,
    pub(crate) consistency: Option<String>,
    pub(crate) location: Option<String>,
    /// Whether it began work that has an address of its own.
    pub(crate) job: bool,
    /// Whether the client can do without the body.
    pub(crate) minimal: bool,
}

/// An aggregate at a version.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Place {
    /// Its id.
    pub(crate) id: String,
    /// Its version.
    pub(crate) version: i64,
}

/// One event that followed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Happened {
    /// Its id.
    pub(crate) id: Uuid,
    /// Its stored type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The version of the aggregate after it.
    pub(crate) version: i64,
    /// What it says; in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
}

impl From<Drafted> for Happened {
    fn from(event: Drafted) -> Self {
        Self { id: event.id, kind: event.kind, version: event.version, data: None }
    }
}

impl Answer {
    /// With where in the log it stands.
    pub(crate) fn at(mut self, app: &App, tenant: TenantId, epoch: i32, position: i64) -> Self {
        self.position = Some(position);
        self.header.consistency = Some(app.consistency_token(epoch, position, tenant));
        self
    }
}

/// A command that was taken and made a token, which is shown to whoever asked for it and kept nowhere.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WithToken {
    #[serde(flatten)]
    pub(crate) answer: Answer,
    /// The token; none in a dry run. A repeated request with the same Idempotency-Key is answered with that of an invitation
    /// again, and never with an API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

/// What became of a command. Whoever does more than have events stored has to say what of that a dry run does, and a repetition.
#[must_use = "a dry run and a repetition are answered like the deed, and are none"]
pub(crate) enum Carried {
    /// Nothing is stored: what would happen was asked for.
    Dry(Answer),
    /// It is in the log now, or nothing had to change.
    Done(Answer),
    /// It was in the log before, under the same key.
    Again(Answer),
}

impl Carried {
    /// The answer, for commands that do nothing else.
    pub(crate) fn answer(self) -> Answer {
        match self {
            Self::Dry(answer) | Self::Done(answer) | Self::Again(answer) => answer,
        }
    }
}

/// What a command is answered with: an answer, and perhaps more.
pub(crate) trait Reply: IntoResponse + Send {
    /// The answer.
    fn answer(&mut self) -> &mut Answer;

    /// Whether a client can do without the body; not where it shows what nothing else ever does.
    fn may_be_minimal(&self) -> bool;
}

impl Reply for Answer {
    fn answer(&mut self) -> &mut Answer {
        self
    }

    fn may_be_minimal(&self) -> bool {
        true
    }
}

impl Reply for WithToken {
    fn answer(&mut self) -> &mut Answer {
        &mut self.answer
    }

    fn may_be_minimal(&self) -> bool {
        self.token.is_none()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        self.respond(body)
    }
}

impl IntoResponse for WithToken {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        self.answer.respond(body)
    }
}

impl Answer {
    /// With its header, and with the body unless the client knows what it did.
    pub(crate) fn respond(mut self, body: Vec<u8>) -> Response {
        if !self.header.minimal {
            return self.with(body);
        }
        if self.header.status == 200 {
            self.header.status = 204;
        }
        let mut response = self.with(Vec::new());
        response.headers_mut().remove(header::CONTENT_TYPE);
        response
    }

    fn with(self, body: Vec<u8>) -> Response {
        let status = StatusCode::from_u16(self.header.status).unwrap_or(StatusCode::OK);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, "application/json");
        set(header::CACHE_CONTROL, "no-store");
        set(header::ETAG, &format!("\"{}\"", self.aggregate.version));
        set(HeaderName::from_static("aggregate-version"), &self.aggregate.version.to_string());
        if let Some(token) = &self.header.consistency {
            set(HeaderName::from_static("consistency-token"), token);
        }
        if let Some(location) = &self.header.location {
            set(header::LOCATION, location);
        }
        response
    }
}
