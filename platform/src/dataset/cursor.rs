//! Cursors: the place where a page ended, sealed so that nobody can write one, and bound to what was asked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use super::Refused;
use crate::{clock, secrets};

/// How every cursor begins.
pub const PREFIX: &str = "c1.";
const MAC_BYTES: usize = 16;
const MAX_CHARS: usize = 4096;
const LIFE_SECONDS: i64 = 24 * 3600;

/// A place in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The sort keys of the row at which the page ended, as Postgres writes them.
    pub keys: Vec<Option<String>>,
    /// Whether the page before that row is meant, not the one after.
    pub back: bool,
}

/// What a cursor is bound to.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// The installation's key for cursors.
    pub key: &'a [u8; 32],
    /// Organisation, dataset, filter and order as one text.
    pub question: &'a str,
    /// The rows it was made from.
    pub rows: Rows,
}

/// Which rows a cursor was made from: those of one build of a projection in one epoch of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// The build of the projection.
    pub build: i32,
    /// The epoch of the log.
    pub epoch: i32,
}

type Content = (Vec<Option<String>>, bool, String, i32, i32, i64);

/// The cursor as opaque text.
pub fn write(cursor: &Cursor, bound: &Bound<'_>) -> String {
    let content: Content = (
        cursor.keys.clone(),
        cursor.back,
        hash(bound.question),
        bound.rows.build,
        bound.rows.epoch,
        clock::now().as_second(),
    );
    let mut bytes = serde_json::to_vec(&content).unwrap_or_default();
    let mac = secrets::hmac(bound.key, &bytes);
    bytes.extend_from_slice(&mac[..MAC_BYTES]);
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The cursor that a client brings back to the same question, and the rows it was made from; whether those are still there
/// is known when the next ones are read ([`Rows::expect`]).
pub fn read(text: &str, key: &[u8; 32], question: &str) -> Result<(Cursor, Rows), Refused> {
    let (keys, back, asked, build, epoch, issued) = opened(text, key).ok_or_else(|| {
        Refused::new("after", "CURSOR_INVALID", "this is not a cursor that a page gave out")
    })?;
    if asked != hash(question) {
        return Err(Refused::new(
            "after",
            "CURSOR_MISMATCH",
            "the cursor belongs to another list, filter or order; start without it",
        ));
    }
    if clock::now().as_second() - issued > LIFE_SECONDS {
        return Err(Refused::gone("the cursor is older than a day; start without it"));
    }
    Ok((Cursor { keys, back }, Rows { build, epoch }))
}

impl Rows {
    /// Refuses to go on in other rows.
    pub fn expect(self, rows: Self) -> Result<(), Refused> {
        if self == rows {
            return Ok(());
        }
        Err(Refused::gone("the list was rebuilt since; start without the cursor"))
    }
}

fn opened(text: &str, key: &[u8; 32]) -> Option<Content> {
    let body = text.strip_prefix(PREFIX).filter(|_| text.len() <= MAX_CHARS)?;
    let bytes = URL_SAFE_NO_PAD.decode(body).ok()?;
    let (content, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
    let expected = secrets::hmac(key, content);
    bool::from(expected[..MAC_BYTES].ct_eq(mac)).then_some(())?;
    serde_json::from_slice(content).ok()
}

fn hash(question: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(question.as_bytes())[..12])
}
