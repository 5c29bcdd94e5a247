//! Pages of what has numbers of its own: the number as ever, and cursors that know their question, their epoch and their age.

use std::fmt::Display;
use std::str::FromStr;

use axum::http::HeaderMap;
use platform::dataset::cursor::{self, Bound, Cursor, PREFIX, Rows};
use platform::problem::Problem;

use crate::ask::Asked;
use crate::call::Call;
use crate::list::link;

/// Parameters that say where in the answer to a question one is, not what the question is.
const PLACES: [&str; 3] = ["after", "before", "limit"];

/// Where a page begins, and which way it is read from there.
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
    /// The next page begins after this.
    pub(crate) next: Option<K>,
    prev: Option<K>,
}

impl<K> Beside<K> {
    /// Of pages that are only read onwards.
    pub(crate) fn onward(next: Option<K>) -> Self {
        Self { next, prev: None }
    }
}

impl<K: FromStr + Display + Copy> Start<K> {
    /// What the parameter of that name says: a bare key, or a cursor that a page or its `Link` gave out.
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
            let detail = format!("{name} must be a cursor of a page, or what `page.next` says");
            Problem::parameter(name, detail)
        };
        let from = key.filter(|key| !key.starts_with('-')).and_then(|key| key.parse().ok());
        start.from = Some(from.ok_or_else(refused)?);
        Ok(start)
    }

    /// The pages beside one that was read from here: with its first and last key in the order shown, and the key from which
    /// there is more the way it was read.
    pub(crate) fn beside(&self, ends: Option<(K, K)>, beyond: Option<K>) -> Beside<K> {
        let (first, last) = ends.unzip();
        if self.back {
            return Beside { next: last, prev: beyond };
        }
        Beside { next: beyond, prev: first.filter(|_| self.from.is_some()) }
    }

    /// Refuses to go on in another epoch, and tells of the pages beside this one; the cursor of the one before it.
    pub(crate) fn told(
        &self,
        call: &Call,
        asked: &Asked,
        beside: &Beside<K>,
        headers: &mut HeaderMap,
    ) -> Result<Option<String>, Problem> {
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
        link(call, (self.name, &[]), (&next, &prev), headers);
        Ok(prev)
    }
}

/// What is asked, wherever in the answer.
fn question(call: &Call) -> String {
    let asked = call.parameters.iter().filter(|(name, _)| !PLACES.contains(&name.as_str()));
    let asked: Vec<String> = asked.map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}\n{}\n{}", call.tenant(), call.uri.path(), asked.join("\n"))
}
