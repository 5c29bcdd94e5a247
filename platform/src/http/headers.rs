//! What every answer asks of browsers: to take it for what it says, to keep it to themselves, and to load, frame and tell nothing.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, Entry, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

/// Where the documentation is, which is the only page of ours.
pub(super) const DOCS: &str = "/docs";
/// An answer is data: whoever opens it as a page sees one that can do nothing.
const OF_DATA: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";
/// The documentation runs what we serve beside it, asks us alone, and holds small pictures in its style sheet.
const OF_DOCS: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                       img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
                       form-action 'none'; frame-ancestors 'none'";
/// A page that asks for one click: its button posts to us, and it does nothing else.
const OF_FORMS: &str =
    "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Without the domains below ours, of which we know nothing.
const TLS_ONLY: &str = "max-age=31536000";

/// Marks an answer that is a page with a button.
#[derive(Debug, Clone, Copy)]
pub struct Form;

/// Completes the header of every answer, those of other layers included; `tls` where people reach us by it.
pub(super) async fn guard(tls: bool, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_docs =
        path.strip_prefix(DOCS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mut response = next.run(request).await;
    let is_form = response.extensions().get::<Form>().is_some();
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "no-referrer");
    let policy = match (is_docs, is_form) {
        (true, _) => OF_DOCS,
        (false, true) => OF_FORMS,
        (false, false) => OF_DATA,
    };
    set(CONTENT_SECURITY_POLICY, policy);
    if tls {
        set(STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    keep_private(headers);
    response
}

/// What is not tagged is not kept, and what is kept is asked for again, unless the handler knows better; nothing that was kept
/// is shown to whoever signs in next.
fn keep_private(headers: &mut HeaderMap) {
    let kept = if headers.contains_key(ETAG) { "private, no-cache" } else { "no-store" };
    if let Entry::Vacant(absent) = headers.entry(CACHE_CONTROL) {
        absent.insert(HeaderValue::from_static(kept));
    }
    let is_kept = |value: &HeaderValue| !value.to_str().is_ok_and(|text| text.contains("no-store"));
    if headers.get(CACHE_CONTROL).is_some_and(is_kept) {
        headers.append(VARY, HeaderValue::from_static("authorization"));
    }
}
