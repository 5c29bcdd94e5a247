//! The sealed text itself, and finding texts in JSON without reading all of it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::TenantId;
use memchr::memmem::Finder;
use uuid::Uuid;

use crate::secrets::{hmac, random};

/// What every sealed text begins with.
const MARK: &str = "sealed.v1.";
/// First byte of what is sealed, so that the algorithm can be changed later.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;
const UUID_CHARS: usize = 36;

/// A person's key.
#[derive(Clone)]
pub struct Key([u8; 32]);

/// Where a text is sealed: authenticated with it, so that it opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) tenant: TenantId,
    pub(super) subject: Uuid,
    /// Stored name of the event.
    pub(super) of: &'a str,
    pub(super) member: &'a str,
}

impl Place<'_> {
    fn text(&self) -> String {
        let Self { tenant, subject, of, member } = self;
        format!("{tenant}|{subject}|{of}|{member}")
    }
}

impl Key {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Seals a text as a text.
    pub(super) fn seal(&self, place: &Place<'_>, plain: &str) -> String {
        let nonce: [u8; NONCE_BYTES] = random();
        let cipher = Aes256Gcm::new(&self.0.into());
        let place_text = place.text();
        let payload = Payload { msg: plain.as_bytes(), aad: place_text.as_bytes() };
        let sealed = cipher.encrypt(&Nonce::from(nonce), payload).unwrap_or_default();
        let bytes = [&[FORMAT][..], &nonce, &sealed].concat();
        format!("{MARK}{}.{}", place.subject, URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The digest of a text, for one purpose and no other.
    pub(super) fn digest(&self, label: &str, text: &str) -> String {
        hex::encode(hmac(&hmac(&self.0, label.as_bytes()), text.as_bytes()))
    }

    /// Opens what [`Self::seal`] sealed at the same place.
    pub(super) fn open(&self, place: &Place<'_>, body: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(body).ok()?;
        let (format, rest) = bytes.split_first()?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        if *format != FORMAT {
            return None;
        }
        let cipher = Aes256Gcm::new(&self.0.into());
        let place_text = place.text();
        let payload = Payload { msg: sealed, aad: place_text.as_bytes() };
        String::from_utf8(cipher.decrypt(&Nonce::from(nonce), payload).ok()?).ok()
    }
}

/// Whether a text may have something sealed in it.
pub fn is_sealed(text: &str) -> bool {
    may_be_sealed(text.as_bytes())
}

/// The same of any bytes with texts in them.
pub fn may_be_sealed(bytes: &[u8]) -> bool {
    // Files of a million rows are searched cell by cell, so what can be known of the mark before is.
    static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));
    FINDER.find(bytes).is_some()
}

/// A sealed text found in another.
pub(super) struct Token<'a> {
    pub(super) range: Range<usize>,
    pub(super) subject: Uuid,
    pub(super) body: &'a str,
}

/// What is sealed in a text; what only looks like it is passed over.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    text.match_indices(MARK).filter_map(|(start, _)| {
        let rest = text.get(start + MARK.len()..)?;
        let (subject, rest) = rest.split_at_checked(UUID_CHARS)?;
        let subject = Uuid::try_parse(subject).ok()?;
        let rest = rest.strip_prefix('.')?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let body = rest.split(|c| !is_part(c)).next().unwrap_or_default();
        let end = start + MARK.len() + UUID_CHARS + 1 + body.len();
        Some(Token { range: start..end, subject, body })
    })
}

/// Whom a text has something sealed of.
pub(super) fn subjects(text: &str) -> impl Iterator<Item = Uuid> {
    tokens(text).map(|token| token.subject)
}

/// The texts of a member in JSON as we write it, each with its place between the quotes. Quotes within texts are escaped, so
/// what looks like a member is one.
pub(super) fn member_values<'a>(
    json: &'a str,
    member: &str,
) -> impl Iterator<Item = (Range<usize>, Cow<'a, str>)> {
    let head = format!("\"{member}\":\"");
    let starts: Vec<usize> = json.match_indices(&head).map(|(at, _)| at + head.len()).collect();
    starts.into_iter().filter_map(move |start| {
        let rest = json.get(start..)?;
        let end = start + text_len(rest)?;
        let raw = json.get(start..end)?;
        if !raw.contains('\\') {
            return Some((start..end, Cow::Borrowed(raw)));
        }
        let plain = serde_json::from_str(json.get(start - 1..=end)?).ok()?;
        Some((start..end, Cow::Owned(plain)))
    })
}

/// The length of a JSON text up to its closing quote.
fn text_len(rest: &str) -> Option<usize> {
    let mut escaped = false;
    rest.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// The member whose text begins at this place.
pub(super) fn member_before(json: &str, at: usize) -> Option<&str> {
    json.get(..at)?.strip_suffix("\":\"")?.rsplit('"').next()
}

/// A text with parts of it replaced, in their order.
pub(super) fn replaced(
    text: &str,
    parts: impl IntoIterator<Item = (Range<usize>, String)>,
) -> String {
    let (mut whole, mut done) = (String::with_capacity(text.len()), 0);
    for (range, part) in parts {
        whole.push_str(text.get(done..range.start).unwrap_or_default());
        whole.push_str(&part);
        done = range.end;
    }
    whole.push_str(text.get(done..).unwrap_or_default());
    whole
}
