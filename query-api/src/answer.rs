//! Answers that are read straight from the log and computed here, with the place at which they stand.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use events::identity::organization::Organization;
use events::{Decider, UserId};
use jiff::Timestamp;
use platform::access::Standing;
use platform::dataset::Statement;
use platform::fold::Folded;
use platform::principal::Principal;
use platform::problem::Problem;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ask::{AsOf, Asked};
use crate::call::{Call, unreadable};
use crate::poll;

/// A value and where in the log it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Stamped<T> {
    #[serde(flatten)]
    value: T,
    as_of: AsOf,
}

/// Several values and where in the log they stand.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Items<T> {
    pub(crate) items: Vec<T>,
}

impl Call {
    /// The head of the log before anything is read from it: what is read afterwards reflects it.
    pub(crate) async fn head(&self) -> Result<Asked, Problem> {
        let nothing = Statement { sql: "select 1 where false".to_owned(), binds: Vec::new() };
        self.ask(&[], &nothing).await
    }

    /// An aggregate of the caller's organisation as the log has it now.
    pub(crate) async fn aggregate<D: Decider>(&self, id: &str) -> Result<Folded<D>, Problem> {
        self.app.aggregates.refresh::<D>(self.tenant(), id).await.map_err(unreadable)
    }

    /// The caller's organisation.
    pub(crate) async fn organization(&self) -> Result<Folded<Organization>, Problem> {
        self.aggregate(&self.tenant().to_string()).await
    }

    /// Any user as what they may do is told: of themselves, a program with an API key as what it is.
    pub(crate) fn speaking_of(&self, user: UserId) -> Principal {
        if self.principal.key.is_some() && self.me() == Some(user) {
            Principal::clone(&self.principal)
        } else {
            Principal::somebody(self.tenant(), user)
        }
    }

    /// The standing of any user of the organisation; as of now, not as of a moment ago, when `now` says so. Of themselves a
    /// program with an API key is told what it may do.
    pub(crate) async fn standing_of(&self, user: UserId, now: bool) -> Result<Standing, Problem> {
        let somebody = self.speaking_of(user);
        if now {
            self.app.access.refresh(&somebody).await.map_err(unreadable)?;
        }
        let standing = self.app.access.current(&somebody).await.map_err(unreadable)?;
        standing.ok_or_else(|| Problem::absent("user"))
    }
}

/// Answers with a value that was read after `asked`, tagged by what it says, so that a client can wait for another.
pub(crate) fn stamped<T: Serialize>(call: &Call, asked: &Asked, value: T) -> Response {
    let as_of = asked.place.as_of();
    let mut headers = asked.headers(call, &as_of);
    match serde_json::to_string(&value) {
        Ok(content) => poll::tag(&mut headers, content, asked.place.build),
        Err(error) => return Problem::internal(&error).into_response(),
    }
    let mut response = plain(&Stamped { value, as_of });
    response.headers_mut().extend(headers);
    response
}

/// Answers with a value as JSON.
pub(crate) fn plain<T: Serialize>(value: &T) -> Response {
    let body = match serde_json::to_vec(value) {
        Ok(body) => body,
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Texts that are shared, as owned ones.
pub(crate) fn owned(names: &[Arc<str>]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Sets a header, where its value can be one.
pub(crate) fn keep(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// As HTTP writes times (RFC 9110).
pub(crate) fn http_date(time: Timestamp) -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .unwrap_or_default()
}
