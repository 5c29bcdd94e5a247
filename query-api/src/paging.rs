//! Pages: what every list, review and history says of the pages beside one, in its body and in `Link`, and how it is tagged.

use std::fmt::Display;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use platform::dataset::cursor::{self, Bound, Cursor, PREFIX, Rows};
use platform::dataset::{DEFAULT_LIMIT, MAX_LIMIT};
use platform::problem::Problem;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ask::{AsOf, Asked};
use crate::call::Call;
use crate::endpoint::EXACT;
use crate::list::push_json;
use crate::poll;

/// Parameters that say where in the answer to a question one is, not what the question is.
const PLACES: [&str; 3] = ["after", "before", "limit"];
/// The size of a page unless told, and the most.
pub(crate) const SIZES: (u32, u32) = (DEFAULT_LIMIT, MAX_LIMIT);

/// Where a page stands among the pages beside it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Page {
    /// The parameter that cursors are for.
    #[serde(skip)]
    pub(crate) name: &'static str,
    /// Cursor of the page after this one, for `after` (or `before`, when that was asked for); nothing at the end. It is
    /// refused with 410 once the log was restored or a day is over.
    pub(crate) next: Option<String>,
    /// Cursor of the page before this one, for the same parameter.
    pub(crate) prev: Option<String>,
    /// The most that a page holds.
    pub(crate) limit: u32,
    /// How many there are in all, when `count=` asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<Total>,
}

/// How many there are in all.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Total {
    pub(crate) value: i64,
    /// `estimate` or `exact`.
    pub(crate) kind: &'static str,
}

/// Cursors tell the time, so of these only counts whether there are any.
impl Hash for Page {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let total = self.total.as_ref().map(|total| total.value);
        (self.next.is_some(), self.prev.is_some(), self.limit, total).hash(state);
    }
}

/// A page of anything, as it is described.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Paged<T> {
    #[serde(flatten)]
    value: T,
    page: Page,
    as_of: AsOf,
}

/// The most that the caller wants on a page: the first of the sizes unless told, and not more than the second.
pub(crate) fn limit(call: &Call, (unless_told, most): (u32, u32)) -> Result<u32, Problem> {
    let limit = call.number("limit")?;
    let limit = limit.map_or(unless_told, |limit| u32::try_from(limit).unwrap_or(most));
    Ok(limit.clamp(1, most))
}

/// Answers with a page. `body` begins a JSON object, and by it the answer is tagged; `moving` continues it with what is
/// another at every moment, of which nobody has to be told.
pub(crate) fn respond(
    call: &Call,
    asked: &Asked,
    mut body: String,
    page: &Page,
    moving: &str,
) -> Response {
    let as_of = asked.place.as_of();
    let mut headers = asked.headers(call, &as_of);
    link(call, (page.name, &[]), (&page.next, &page.prev), &mut headers);
    poll::tag(&mut headers, (&body, page), asked.place.build);
    body.push_str(",\"page\":");
    push_json(&mut body, page);
    body.push_str(moving);
    body.push_str(",\"as_of\":");
    push_json::<AsOf>(&mut body, &as_of);
    body.push('}');
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (headers, body).into_response()
}

/// Items as the beginning of a body.
pub(crate) fn items<T: Serialize>(items: &[T]) -> String {
    let mut body = "{\"items\":".to_owned();
    push_json(&mut body, &items);
    body
}

/// Where a page of what has keys of its own begins, and which way it is read from there.
pub(crate) struct Start<K> {
    name: &'static str,
    /// The key beside which it begins.
    pub(crate) from: Option<K>,
    /// Whether the page before that key is meant, as the one who reads in order sees it.
    pub(crate) back: bool,
    rows: Option<Rows>,
}

/// The keys of the pages beside one.
pub(crate) struct Beside<K> {
    next: Option<K>,
    prev: Option<K>,
}

impl<K: FromStr + Display + Copy> Start<K> {
    /// What the parameter of that name says: a bare key, or a cursor that a page gave out.
    pub(crate) fn read(call: &Call, name: &'static str) -> Result<Self, Problem> {
        let mut start = Self { name, from: None, back: false, rows: None };
        let Some(text) = call.parameter(name) else { return Ok(start) };
        let mut key = Some(text.to_owned());
        if text.starts_with(PREFIX) {
            let (cursor, rows) = cursor::read(text, &call.app.keys.cursor, &question(call))?;
            key = cursor.keys.into_iter().next().flatten();
            (start.back, start.rows) = (cursor.back, Some(rows));
        }
        let refused = || {
            let detail = format!("{name} must be `page.next` or `page.prev` of a page");
            Problem::parameter(name, detail)
        };
        let from = key.filter(|key| !key.starts_with('-')).and_then(|key| key.parse().ok());
        start.from = Some(from.ok_or_else(refused)?);
        Ok(start)
    }

    /// How the keys of the page compare with the one that it begins beside, and how they are read from there; `falling` where
    /// who reads in order comes to ever smaller ones.
    pub(crate) fn order(&self, falling: bool) -> (char, &'static str) {
        if falling == self.back { ('>', "asc") } else { ('<', "desc") }
    }

    /// What a page shows, in order, of what was read the way that it is read, and the pages beside it; there are more where
    /// more was read than it holds.
    pub(crate) fn cut<T>(
        &self,
        mut read: Vec<T>,
        limit: u32,
        key: impl Fn(&T) -> K,
    ) -> (Vec<T>, Beside<K>) {
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = read.len() > most;
        read.truncate(most);
        let beyond = read.last().filter(|_| more).map(&key);
        self.shown(read, beyond, key)
    }

    /// The same of what was read already, with the key from which there is more the way it was read.
    pub(crate) fn shown<T>(
        &self,
        mut read: Vec<T>,
        beyond: Option<K>,
        key: impl Fn(&T) -> K,
    ) -> (Vec<T>, Beside<K>) {
        if self.back {
            read.reverse();
        }
        let (first, last) = (read.first().map(&key), read.last().map(&key));
        let beside = if self.back {
            Beside { next: last, prev: beyond }
        } else {
            Beside { next: beyond, prev: first.filter(|_| self.from.is_some()) }
        };
        (read, beside)
    }

    /// The page between those beside it; refused where it was to go on from another epoch.
    pub(crate) fn page(
        &self,
        call: &Call,
        asked: &Asked,
        beside: &Beside<K>,
        limit: u32,
    ) -> Result<Page, Problem> {
        let rows = Rows { build: 0, epoch: asked.place.epoch };
        if let Some(read) = self.rows {
            read.expect(rows)?;
        }
        let question = question(call);
        let bound = Bound { key: &call.app.keys.cursor, question: &question, rows };
        let write = |key: Option<K>, back: bool| {
            let keys = vec![Some(key?.to_string())];
            Some(cursor::write(&Cursor { keys, back }, &bound))
        };
        let (next, prev) = (write(beside.next, false), write(beside.prev, true));
        Ok(Page { name: self.name, next, prev, limit, total: None })
    }
}

/// What is asked, wherever in the answer.
fn question(call: &Call) -> String {
    let asked = call.parameters.iter().filter(|(name, _)| !PLACES.contains(&name.as_str()));
    let asked: Vec<String> = asked.map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}\n{}\n{}", call.tenant(), call.uri.path(), asked.join("\n"))
}

/// The neighbouring pages as links (RFC 8288), their cursors in the parameter of that name, which stands for the others.
pub(crate) fn link(
    call: &Call,
    (name, instead): (&str, &[&str]),
    (next, prev): (&Option<String>, &Option<String>),
    headers: &mut HeaderMap,
) {
    let exact = call.exact.map(|position| (EXACT.to_owned(), position.to_string()));
    let stays = |other: &str| other != name && !instead.contains(&other);
    let others: Vec<_> =
        call.parameters.iter().chain(&exact).filter(|(other, _)| stays(other)).collect();
    for (cursor, relation) in [(next, "next"), (prev, "prev")] {
        let Some(cursor) = cursor else { continue };
        let parts = others.iter().map(|(name, v)| format!("{}={}&", encoded(name), encoded(v)));
        let query: String = parts.collect();
        let path = call.uri.path();
        let link = format!("<{path}?{query}{name}={cursor}>; rel=\"{relation}\"");
        if let Ok(value) = HeaderValue::from_str(&link) {
            headers.append(HeaderName::from_static("link"), value);
        }
    }
}

fn encoded(text: &str) -> percent_encoding::PercentEncode<'_> {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
}
