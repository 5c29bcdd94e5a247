//! Answers that the client has already, and waiting for others: `If-None-Match`, alone or with `Prefer: wait`, for whatever
//! has an entity tag.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use platform::problem::Problem;
use platform::routes::Access;
use tokio::time::Instant;

use crate::call::{Admitted, Call, UNIT, admit, verify};
use crate::endpoint::{Handle, placed};

/// Who waits for a change beyond these is turned away.
pub(crate) const WAITING_MOST: usize = 512;
/// What that limit is called where it is told that it was reached.
const POLICY: &str = "waiting";
/// Between two looks of one who waits, however much changes.
const PAUSE: Duration = Duration::from_millis(100);

/// Of work that goes on: who waits without naming what they know waits for the next step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unfinished;

/// Answers once; or, for a client who knows that answer and waits, as soon as there is another.
pub(crate) async fn answer(
    call: Call,
    access: Access,
    handle: &Handle,
) -> Result<Response, Problem> {
    let response = placed(call.clone(), handle).await?;
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let Some(tag) = tag.filter(|_| call.method == Method::GET).map(str::to_owned) else {
        return Ok(response);
    };
    let unfinished = response.extensions().get::<Unfinished>().is_some();
    let named = call.header("if-none-match").map(str::to_owned);
    let known = match &named {
        Some(named) => matches(named, &tag),
        None => unfinished,
    };
    let response = match call.prefer.wait {
        Some(wait) if known => {
            wait_for_other(&call, access, handle, (&tag, response, wait)).await?
        }
        Some(_) | None => response,
    };
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    match (&named, tag) {
        (Some(named), Some(tag)) if matches(named, tag) => Ok(not_modified(response)),
        _ => Ok(response),
    }
}

/// The first answer with another tag, or the last with this one when the time is over or nothing can change.
async fn wait_for_other(
    call: &Call,
    access: Access,
    handle: &Handle,
    (tag, mut response, wait): (&str, Response, Duration),
) -> Result<Response, Problem> {
    let _turn = call.app.pollers.try_acquire().map_err(|_| too_many())?;
    let wait = wait.min(Duration::from_millis(call.app.settings.max_wait_ms));
    let deadline = Instant::now() + wait;
    call.facts.notes.applied(format!("wait={}", wait.as_secs()));
    let shutdown = call.app.tasks.shutdown().clone();
    loop {
        let Some((projections, position)) = watched(call) else { return Ok(response) };
        let names: Vec<&str> = projections.iter().map(String::as_str).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        let moved = tokio::select! {
            moved = call.app.positions.moved(&names, position, left) => moved,
            () = shutdown.wait() => false,
        };
        if !moved || !shutdown.sleep(PAUSE).await || Instant::now() >= deadline {
            return Ok(response);
        }
        // Rights may have gone meanwhile.
        let principal = verify(&call.app, &call.headers, call.facts.ip).await?;
        let unit = Some(call.segment(UNIT)).filter(|unit| !unit.is_empty());
        let Admitted { standing, places, readers } =
            admit(&call.app, &principal, (access, unit)).await?;
        let again = Call { principal, standing, places, readers, ..call.clone() };
        response = placed(again, handle).await?;
        let now = response.headers().get(header::ETAG);
        if now.is_none_or(|now| now.as_bytes() != tag.as_bytes()) {
            return Ok(response);
        }
    }
}

/// The projections that the answer was read from, none where it was the log, and where they stood.
fn watched(call: &Call) -> Option<(Vec<String>, i64)> {
    let seen = call.seen();
    seen.as_ref().map(|seen| (seen.projections.clone(), seen.asked.place.position))
}

fn too_many() -> Problem {
    let detail = "too many requests wait for a change; ask again without waiting, or later";
    let status = StatusCode::TOO_MANY_REQUESTS;
    let problem = Problem::new(status, "TOO_MANY_WAITING", detail).retryable();
    Problem { retry_after: Some(2), violated_policies: vec![POLICY.to_owned()], ..problem }
}

/// The header of the answer without its body.
fn not_modified(response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty()).into_response()
}

/// Whether one of the tags in `If-None-Match` is this one, compared weakly (RFC 9110).
pub(crate) fn matches(tags: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.trim() == "*" || tags.split(',').any(|other| opaque(other) == opaque(tag))
}

/// Tags an answer by what it says, for answers that are not one record at one version. Another build is another answer.
pub(crate) fn tag(headers: &mut HeaderMap, content: impl Hash, build: i32) {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    let tag = format!("W/\"{:016x}.p{build}\"", hasher.finish());
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_turned_away_is_told_which_limit_was_reached() {
        let problem = serde_json::to_value(too_many()).unwrap();
        assert_eq!(problem["violated-policies"], serde_json::json!([POLICY]));
        assert_eq!((&problem["status"], &problem["retryable"]), (&429.into(), &true.into()));
    }
}
