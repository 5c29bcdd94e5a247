//! A stored file as an answer: whole or a range of it (RFC 9110), named for saving (RFC 6266), under its digest as entity tag.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use events::{FileId, TenantId};
use object_store::GetRange;
use platform::files::{FileError, OpenFile};
use platform::problem::Problem;

use crate::app::App;

/// What is served.
pub(crate) struct Content<'a> {
    pub(crate) name: &'a str,
    pub(crate) media_type: &'a str,
    pub(crate) sha256: &'a str,
    pub(crate) size_bytes: u64,
    /// Whether a browser shows it in its window instead of saving it.
    pub(crate) shown: bool,
}

impl Content<'_> {
    /// The bytes at that place of the store, or the range of them that is asked for.
    pub(crate) async fn serve(
        &self,
        app: &App,
        (tenant, place): (TenantId, FileId),
        headers: &HeaderMap,
    ) -> Result<Response, Problem> {
        let range = match headers.get(header::IF_RANGE) {
            Some(tag) if tag.as_bytes() != self.tag().as_bytes() => None,
            Some(_) | None => range(headers, self.size_bytes)?,
        };
        let partial = range.is_some();
        let open = app.files.get(tenant, place, range).await.map_err(|error| match error {
            FileError::Absent => Problem::absent("file"),
            FileError::Store(_) | FileError::Source(_) => Problem::internal(&error),
        })?;
        Ok(self.respond(open, partial))
    }

    fn respond(&self, open: OpenFile, partial: bool) -> Response {
        let mut headers = HeaderMap::new();
        let mut set = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, self.media_type);
        set(header::CACHE_CONTROL, "private, no-store");
        set(header::ACCEPT_RANGES, "bytes");
        set(header::ETAG, &self.tag());
        set(header::CONTENT_LENGTH, &(open.range.end - open.range.start).to_string());
        let how = if self.shown { "inline" } else { "attachment" };
        set(header::CONTENT_DISPOSITION, &disposition(how, self.name));
        if partial {
            let (first, last) = (open.range.start, open.range.end - 1);
            set(header::CONTENT_RANGE, &format!("bytes {first}-{last}/{}", open.size_bytes));
        }
        let status = if partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        (status, headers, Body::from_stream(open.bytes)).into_response()
    }

    fn tag(&self) -> String {
        format!("\"{}\"", self.sha256)
    }
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

/// The name for saving (RFC 6266): plain for old programs, exact for the others.
pub(crate) fn disposition(how: &str, name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_. ".contains(c) { c } else { '_' };
    let plain: String = name.chars().map(safe).collect();
    let exact = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{exact}")
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
        let value = disposition("attachment", "Rôles \"x\"\r\n.csv");
        assert!(HeaderValue::from_str(&value).is_ok());
        assert!(value.contains("filename=\"R_les _x___.csv\""), "{value}");
    }
}
