//! The file of an export, by a signed link that lives a minute; the link is the right, so no token is needed.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use events::exports::export::{Export, File};
use events::{ExportId, Module};
use object_store::GetRange;
use platform::clock;
use platform::files::{FileError, Link, OpenFile, verify_link};
use platform::problem::Problem;
use platform::routes::{Access, Parameter, Route};
use serde::Deserialize;

use crate::app::App;
use crate::call::unreadable;
use crate::shape::query;

const PATH: &str = "/exports/download/{id}";
const PARAMETERS: &[Parameter] =
    &[query("link", "the token of the link that `POST /exports/{id}/downloads` gave")];

/// What the route says about itself.
pub(crate) fn route() -> Route {
    Route::get(PATH, Module::Exports, "exports_download")
        .summary("The file; public because the link itself is the right, for a minute")
        .access(Access::Public)
        .media_type("application/octet-stream")
        .parameters(PARAMETERS)
}

/// Puts the route into the router.
pub(crate) fn mount(router: Router, app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    let service = move |Path(id): Path<String>, link: Query<Asked>, headers: HeaderMap| {
        let app = Arc::clone(&app);
        async move {
            download(&app, &id, &link.link, &headers).await.unwrap_or_else(Problem::into_response)
        }
    };
    router.route(&format!("/api/v1{PATH}"), get(service))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    link: String,
}

async fn download(
    app: &App,
    id: &str,
    link: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let link = verify_link(&app.keys.master, link, clock::now())
        .map_err(|error| Problem::unauthenticated(error.to_string()))?;
    let file = file(app, id, &link).await?;
    let range = match headers.get(header::IF_RANGE) {
        Some(tag) if tag.as_bytes() != tag_of(&file).as_bytes() => None,
        Some(_) | None => range(headers, file.size_bytes)?,
    };
    let partial = range.is_some();
    let open = app.files.get(link.tenant, link.file, range).await.map_err(|error| match error {
        FileError::Absent => Problem::absent("file"),
        FileError::Store(_) | FileError::Source(_) => Problem::internal(&error),
    })?;
    Ok(respond(&file, open, partial))
}

/// The file that a link opens, as the log has it now: a cancelled, failed or expired export has none.
async fn file(app: &App, id: &str, link: &Link) -> Result<File, Problem> {
    let id: ExportId = id.parse().map_err(|_| Problem::absent("file"))?;
    let export = app.aggregates.refresh::<Export>(link.tenant, &id.to_string()).await;
    let export = export.map_err(unreadable)?;
    let file = export.state.downloadable(clock::now()).map_err(|_| Problem::absent("file"))?;
    if file.file_id == link.file { Ok(file.clone()) } else { Err(Problem::absent("file")) }
}

/// One range of bytes (RFC 9110); several at once are answered with the whole, as it allows.
fn range(headers: &HeaderMap, size: u64) -> Result<Option<GetRange>, Problem> {
    let value = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let Some(spec) = value.and_then(|value| value.strip_prefix("bytes=")) else { return Ok(None) };
    let Some((first, last)) = spec.split_once('-').filter(|_| !spec.contains(',')) else {
        return Ok(None);
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (number(first), number(last)) {
        (Some(first), None) if last.trim().is_empty() => first..size,
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (None, Some(length)) if first.trim().is_empty() => size.saturating_sub(length)..size,
        _ => return Ok(None),
    };
    if range.start >= size || range.is_empty() {
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        let detail = "the file is shorter than the range asked for";
        return Err(Problem::new(status, "RANGE_INVALID", detail).with("size_bytes", size));
    }
    Ok(Some(GetRange::Bounded(range)))
}

fn respond(file: &File, open: OpenFile, partial: bool) -> Response {
    let mut headers = HeaderMap::new();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, media_type(&file.file_name));
    set(header::CACHE_CONTROL, "private, no-store");
    set(header::ACCEPT_RANGES, "bytes");
    set(header::ETAG, &tag_of(file));
    set(header::CONTENT_LENGTH, &(open.range.end - open.range.start).to_string());
    set(header::CONTENT_DISPOSITION, &disposition(&file.file_name));
    if partial {
        let (first, last) = (open.range.start, open.range.end - 1);
        set(header::CONTENT_RANGE, &format!("bytes {first}-{last}/{}", open.size_bytes));
    }
    let status = if partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    (status, headers, Body::from_stream(open.bytes)).into_response()
}

fn tag_of(file: &File) -> String {
    format!("\"{}\"", file.sha256)
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "csv" => "text/csv; charset=utf-8",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pdf" => "application/pdf",
        "ndjson" => "application/x-ndjson",
        "parquet" => "application/vnd.apache.parquet",
        _ => "application/octet-stream",
    }
}

/// The name for saving (RFC 6266): plain for old programs, exact for the others.
fn disposition(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_. ".contains(c) { c } else { '_' };
    let plain: String = name.chars().map(safe).collect();
    let exact = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Result<Option<GetRange>, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(value).unwrap());
        range(&headers, 100).map_err(|problem| problem.status)
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        assert_eq!(asked("bytes=0-9"), Ok(Some(GetRange::Bounded(0..10))));
        assert_eq!(asked("bytes=90-"), Ok(Some(GetRange::Bounded(90..100))));
        assert_eq!(asked("bytes=90-1000"), Ok(Some(GetRange::Bounded(90..100))));
        assert_eq!(asked("bytes=-10"), Ok(Some(GetRange::Bounded(90..100))));
        assert_eq!(asked("bytes=-1000"), Ok(Some(GetRange::Bounded(0..100))));
        assert_eq!(asked("bytes=100-"), Err(416));
        for ignored in ["bytes=9-1", "bytes=0-1,4-5", "lines=1-2", "bytes=x-y", "bytes=-"] {
            assert_eq!(asked(ignored), Ok(None), "{ignored}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        let value = disposition("Rôles \"x\"\r\n.csv");
        assert!(HeaderValue::from_str(&value).is_ok());
        assert!(value.contains("filename=\"R_les _x___.csv\""), "{value}");
    }
}
