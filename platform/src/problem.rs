//! What a refused request is answered with: RFC 9457 problem details with our members (see the reference of error codes).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where the pages about problem codes are.
const PAGES: &str = "https://annals.dev/problems/";

/// The registered type of a reached limit.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";

const FORBIDDEN: &str = "FORBIDDEN";
/// The member of `params` that names the permission which is lacking.
const LACKING: &str = "permission";

/// Members that not every problem has, and that say something of this request alone.
const EXTENSIONS: [&str; 4] = ["params", "errors", "since", "safe_to_retry"];

/// One refusal.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Page about the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means, the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable code in `UPPER_SNAKE`.
    pub code: String,
    /// What is wrong with this request, and the remedy.
    pub detail: String,
    /// Values that the detail speaks of.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// The limits that were reached; the name is that of the draft on rate limits.
    #[serde(default, rename = "violated-policies", skip_serializing_if = "Vec::is_empty")]
    pub violated_policies: Vec<String>,
    /// Of a version conflict, what the client did not know of.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Box<Conflict>>,
    /// Members at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// `urn:annals:request:<request id>`, filled in on the way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// W3C trace id, filled in on the way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Whether the same request can succeed later.
    pub retryable: bool,
    /// Seconds for `Retry-After`.
    #[serde(skip)]
    pub retry_after: Option<u32>,
    /// What is wrong with the token that was sent, for `WWW-Authenticate`.
    #[serde(skip)]
    pub bearer_error: Option<BearerError>,
}

/// What is wrong with a bearer token, as RFC 6750 calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum BearerError {
    /// It is not one, or no more.
    InvalidToken,
    /// What is asked is beyond it.
    InsufficientScope,
}

/// What the client of a version conflict did not know of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// What happened to the record after the version that the command was decided on.
    pub since: Vec<Since>,
    /// Whether the same command may be sent again without looking: it commutes with all of `since`.
    pub safe_to_retry: bool,
}

/// An event that the client did not know of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Since {
    /// Its stored type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of the record after it.
    pub version: i64,
    /// Who did it; absent where the caller may not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// When it was recorded.
    #[schemars(with = "String")]
    pub at: jiff::Timestamp,
    /// What it means, in words.
    pub summary: String,
}

/// One member at fault.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// JSON pointer into the body, or the name of a query parameter.
    pub pointer: String,
    /// Stable code in `UPPER_SNAKE`.
    pub code: String,
    /// What is wrong, and the remedy.
    pub detail: String,
    /// Values that the detail speaks of.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
}

impl Fault {
    /// A member at fault.
    pub fn new(
        pointer: impl Into<String>,
        code: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        let params = Map::new();
        Self { pointer: pointer.into(), code: code.into(), detail: detail.into(), params }
    }
}

impl Problem {
    /// A problem with a status, a code and a detail.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{PAGES}{}", slug(code)),
            title: title(code),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            params: Map::new(),
            violated_policies: Vec::new(),
            conflict: None,
            errors: Vec::new(),
            instance: None,
            trace_id: None,
            retryable: status.is_server_error(),
            retry_after: None,
            bearer_error: None,
        }
    }

    /// 400.
    pub fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 400 with the query parameter at fault.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::bad_request("PARAMETER_INVALID", detail).at(name).with("parameter", name)
    }

    /// With the member or parameter at fault.
    #[must_use]
    pub fn at(mut self, pointer: &str) -> Self {
        let params = self.params.clone();
        self.errors.push(Fault { params, ..Fault::new(pointer, &*self.code, &*self.detail) });
        self
    }

    /// 401 where no token was sent, or none is asked for; the client signs in.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", detail)
    }

    /// 401 where a token was sent that is not accepted; the client signs in again.
    pub fn token_refused(detail: impl Into<String>) -> Self {
        Self { bearer_error: Some(BearerError::InvalidToken), ..Self::unauthenticated(detail) }
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, FORBIDDEN, detail)
    }

    /// 403 for want of a permission.
    pub fn lacking(permission: &str, detail: impl Into<String>) -> Self {
        Self::forbidden(detail).with(LACKING, permission)
    }

    /// The permission that the caller lacks, where that is what is wrong.
    pub fn lacks(&self) -> Option<&str> {
        self.params.get(LACKING).filter(|_| self.code == FORBIDDEN)?.as_str()
    }

    /// 404.
    pub fn absent(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is no such {what}"))
    }

    /// 409.
    pub fn conflict(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422 with the member at fault.
    pub fn invalid(pointer: &str, code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).at(pointer)
    }

    /// 503 with `Retry-After`.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            retry_after: Some(1),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", detail)
        }
    }

    /// 500; the cause is logged here, once, and not shown.
    pub fn internal(cause: &(dyn std::fmt::Debug + Sync)) -> Self {
        tracing::error!(?cause, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the request failed on our side")
    }

    /// 429 for one who reached the limits named, and can come again after `retry_after` seconds.
    pub fn quota_exceeded(policies: Vec<String>, retry_after: u32) -> Self {
        let detail = format!("too many requests; wait {retry_after} s before the next");
        Self {
            kind: QUOTA_EXCEEDED.to_owned(),
            violated_policies: policies,
            retry_after: Some(retry_after),
            retryable: true,
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "QUOTA_EXCEEDED", detail)
        }
    }

    /// What it says besides the members that every problem has: `params`, `errors`, and what a version conflict tells.
    pub fn extensions(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut members)) = serde_json::to_value(self) else { return Map::new() };
        members.retain(|name, _| EXTENSIONS.contains(&&**name));
        members
    }

    /// With what [`Self::extensions`] gave before.
    #[must_use]
    pub fn extended(self, extensions: Map<String, Value>) -> Self {
        let Ok(Value::Object(mut members)) = serde_json::to_value(&self) else { return self };
        members.extend(extensions);
        serde_json::from_value(Value::Object(members)).unwrap_or(self)
    }

    /// What `WWW-Authenticate` says (RFC 6750): no more than the answer itself does.
    fn challenge(&self) -> Option<HeaderValue> {
        let Some(error) = self.bearer_error else {
            let asked = self.status == StatusCode::UNAUTHORIZED.as_u16();
            return asked.then_some(HeaderValue::from_static("Bearer"));
        };
        let error: &'static str = error.into();
        let may_stand = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        let description: String = self.detail.chars().filter(may_stand).collect();
        let challenge = format!("Bearer error=\"{error}\", error_description=\"{description}\"");
        HeaderValue::from_str(&challenge).ok()
    }

    /// The same request can succeed later.
    #[must_use]
    pub fn retryable(self) -> Self {
        Self { retryable: true, ..self }
    }

    /// With a value that the detail speaks of.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }
}

/// `ROLE_NAME_TAKEN` as `role-name-taken`: the name of its page in the reference, and the end of `type`.
pub fn slug(code: &str) -> String {
    code.to_lowercase().replace('_', "-")
}

/// `ROLE_NAME_TAKEN` as `Role name taken`.
pub fn title(code: &str) -> String {
    let lower = code.to_lowercase().replace('_', " ");
    let mut letters = lower.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let away = matches!(
            error,
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed
        );
        if !away {
            return Self::internal(&error);
        }
        tracing::warn!(%error, "database unavailable");
        Self::unavailable("the database is not answering; try again")
    }
}

impl From<crate::personal::PersonalError> for Problem {
    fn from(error: crate::personal::PersonalError) -> Self {
        match error {
            crate::personal::PersonalError::Database(error) => error.into(),
            error @ crate::personal::PersonalError::Key(_) => Self::internal(&error),
        }
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::internal(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let challenge = self.challenge();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("en"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(problem: Problem) -> Option<String> {
        let response = problem.into_response();
        let header = response.headers().get(header::WWW_AUTHENTICATE);
        header.map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_challenge_says_what_is_wrong_with_a_token_and_nothing_where_none_was_sent() {
        let bare = challenge(Problem::unauthenticated("send an access token"));
        assert_eq!(bare.as_deref(), Some("Bearer"));
        let refused = challenge(Problem::token_refused("the \"token\" \\ is é over\r\n; sign in"));
        let told =
            r#"Bearer error="invalid_token", error_description="the token  is  over; sign in""#;
        assert_eq!(refused.as_deref(), Some(told));
        let scope = Some(BearerError::InsufficientScope);
        let beyond = challenge(Problem { bearer_error: scope, ..Problem::forbidden("no") });
        let told = r#"Bearer error="insufficient_scope", error_description="no""#;
        assert_eq!(beyond.as_deref(), Some(told));
        assert_eq!(challenge(Problem::forbidden("no")), None);
    }
}
