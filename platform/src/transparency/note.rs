//! Signed notes (C2SP signed-note): a text with Ed25519 signatures below it, and the public keys to verify them with.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// First byte of an encoded Ed25519 key.
const ED25519_KEY: u8 = 1;
/// A note longer than this is none of ours.
const NOTE_MOST_BYTES: usize = 64 * 1024;
const SIGNATURES_MOST: usize = 100;

/// Why a note or a key is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a note.
    #[error("this is not a signed note: {0}")]
    Form(&'static str),
    /// Not a key.
    #[error("this is not the key of a signed note, as in name+id+key: {0}")]
    Key(&'static str),
    /// None of the keys signed it.
    #[error("the note has no signature of the given key")]
    Unsigned,
    /// Somebody else signed it, or it was altered.
    #[error("the signature of {0} does not fit the note")]
    Forged(String),
}

/// A public key with the name of its owner; as text, `name+id+key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

impl VerifierKey {
    /// The key of `name`, which has neither spaces nor plus signs.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.contains(bad) {
            return Err(NoteError::Key("its name is empty, or has spaces or plus signs"));
        }
        Ok(Self { name: name.to_owned(), public })
    }

    /// Whose key it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519_KEY])
            .chain_update(self.public);
        let hash: [u8; 32] = hash.finalize().into();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519_KEY][..], &self.public].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("it has three parts"));
        };
        let key = STANDARD.decode(key).map_err(|_| NoteError::Key("its key is not base64"))?;
        let Some((&ED25519_KEY, public)) = key.split_first() else {
            return Err(NoteError::Key("it is not an Ed25519 key"));
        };
        let public =
            public.try_into().map_err(|_| NoteError::Key("an Ed25519 key has 32 bytes"))?;
        let key = Self::new(name, public)?;
        if hex::encode(key.id()) != id {
            return Err(NoteError::Key("its id is that of another key"));
        }
        Ok(key)
    }
}

/// Signs `text`, which ends with a line feed, with a key of that name.
pub fn sign(text: &str, name: &str, pair: &Ed25519KeyPair) -> Result<String, NoteError> {
    form(text)?;
    let key = VerifierKey::new(name, public(pair)?)?;
    let signature = pair.sign(text.as_bytes());
    let signed = STANDARD.encode([&key.id()[..], signature.as_ref()].concat());
    Ok(format!("{text}\n\u{2014} {name} {signed}\n"))
}

/// The public half of a pair.
pub fn public(pair: &Ed25519KeyPair) -> Result<[u8; 32], NoteError> {
    let public = pair.public_key().as_ref();
    public.try_into().map_err(|_| NoteError::Key("an Ed25519 key has 32 bytes"))
}

/// The text of a note that one of `keys` signed. Signatures of others are passed over, as the standard wants it; one of
/// ours that does not fit is a forgery.
pub fn open<'a>(note: &'a str, keys: &[VerifierKey]) -> Result<&'a str, NoteError> {
    let (text, signatures) = split(note)?;
    let mut signed = false;
    for line in signatures.lines() {
        let (name, id, signature) = signature(line)?;
        let Some(key) = keys.iter().find(|key| key.name == name && key.id() == id) else {
            continue;
        };
        UnparsedPublicKey::new(&ED25519, key.public)
            .verify(text.as_bytes(), &signature)
            .map_err(|_| NoteError::Forged(name.to_owned()))?;
        signed = true;
    }
    if signed { Ok(text) } else { Err(NoteError::Unsigned) }
}

/// The text of a note that the caller believes for another reason than its signatures.
pub fn unverified(note: &str) -> Result<&str, NoteError> {
    split(note).map(|(text, _)| text)
}

fn split(note: &str) -> Result<(&str, &str), NoteError> {
    if note.len() > NOTE_MOST_BYTES {
        return Err(NoteError::Form("it is too long"));
    }
    let end = note.rfind("\n\n").ok_or(NoteError::Form("no empty line before signatures"))?;
    let (text, rest) = note.split_at(end + 1);
    form(text)?;
    let signatures = &rest[1..];
    if signatures.is_empty() || !signatures.ends_with('\n') {
        return Err(NoteError::Form("its last line is not a whole signature"));
    }
    if signatures.lines().count() > SIGNATURES_MOST {
        return Err(NoteError::Form("too many signatures"));
    }
    Ok((text, signatures))
}

fn form(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::Form("its text does not end with a line feed"));
    }
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(NoteError::Form("its text has control characters"));
    }
    Ok(())
}

/// Name, id of the key, and signature of one line.
fn signature(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), NoteError> {
    const BAD: NoteError = NoteError::Form("a signature is not as in \u{2014} name base64");
    let (name, signed) =
        line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or(BAD)?;
    let signed = STANDARD.decode(signed).map_err(|_| BAD)?;
    let (id, signature) = signed.split_first_chunk::<4>().ok_or(BAD)?;
    if name.is_empty() || signature.is_empty() {
        return Err(BAD);
    }
    Ok((name, *id, signature.to_vec()))
}
