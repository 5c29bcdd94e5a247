//! The short-lived signed links by which a browser may fetch a file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::{FileId, TenantId, UserId};
use jiff::Timestamp;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::secrets::{self, MasterKey};

/// Leave to fetch one file for a short while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The organisation whose file it is.
    pub tenant: TenantId,
    /// The user it was made for.
    pub user: UserId,
    /// The file.
    pub file: FileId,
    /// When it ends, to the second.
    pub expires_at: Timestamp,
}

/// Why a link is not accepted; the client is told no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not one of ours, or altered.
    #[error("the link is not valid; ask for a new one")]
    Invalid,
    /// Too old.
    #[error("the link has expired; ask for a new one")]
    Expired,
}

const LINK_KEY: &str = "link/v1";
const LINK_BODY_BYTES: usize = 16 * 3 + 8;
const LINK_BYTES: usize = LINK_BODY_BYTES + 32;

/// Writes a link as one token that is safe in URLs: what it allows, and an HMAC-SHA-256 over that.
pub fn sign_link(master: &MasterKey, link: &Link) -> String {
    let mut bytes = link_body(link);
    let mac = secrets::hmac(&master.derive(LINK_KEY), &bytes);
    bytes.extend_from_slice(&mac);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the link allows, if we made it and it has not ended.
pub fn verify_link(master: &MasterKey, token: &str, now: Timestamp) -> Result<Link, LinkError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| LinkError::Invalid)?;
    if bytes.len() != LINK_BYTES {
        return Err(LinkError::Invalid);
    }
    let (body, mac) = bytes.split_at(LINK_BODY_BYTES);
    let expected = secrets::hmac(&master.derive(LINK_KEY), body);
    if !bool::from(expected.as_slice().ct_eq(mac)) {
        return Err(LinkError::Invalid);
    }
    let id = |start: usize| Uuid::from_slice(&body[start..start + 16]).unwrap_or_default();
    let seconds = body[48..].try_into().map_or(0, i64::from_be_bytes);
    let expires_at = Timestamp::from_second(seconds).map_err(|_| LinkError::Invalid)?;
    if now >= expires_at {
        return Err(LinkError::Expired);
    }
    Ok(Link { tenant: TenantId(id(0)), user: UserId(id(16)), file: FileId(id(32)), expires_at })
}

fn link_body(link: &Link) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LINK_BYTES);
    bytes.extend_from_slice(link.tenant.0.as_bytes());
    bytes.extend_from_slice(link.user.0.as_bytes());
    bytes.extend_from_slice(link.file.0.as_bytes());
    bytes.extend_from_slice(&link.expires_at.as_second().to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use events::testing::{at, id};

    fn master() -> MasterKey {
        MasterKey::parse(&STANDARD.encode([9; 32])).unwrap()
    }

    fn link() -> Link {
        Link { tenant: id(1), user: id(2), file: id(3), expires_at: at("2026-01-01T12:01:00Z") }
    }

    #[test]
    fn a_link_opens_for_what_it_was_made_until_it_ends() {
        let token = sign_link(&master(), &link());
        assert_eq!(verify_link(&master(), &token, at("2026-01-01T12:00:59Z")), Ok(link()));
        let late = verify_link(&master(), &token, at("2026-01-01T12:01:00Z"));
        assert_eq!(late, Err(LinkError::Expired));
    }

    #[test]
    fn an_altered_link_is_refused_at_every_byte() {
        let token = URL_SAFE_NO_PAD.decode(sign_link(&master(), &link())).unwrap();
        for index in 0..token.len() {
            let mut altered = token.clone();
            altered[index] ^= 1;
            let altered = URL_SAFE_NO_PAD.encode(altered);
            let result = verify_link(&master(), &altered, at("2026-01-01T12:00:00Z"));
            assert_eq!(result, Err(LinkError::Invalid), "byte {index}");
        }
        let now = at("2026-01-01T12:00:00Z");
        assert_eq!(verify_link(&master(), "", now), Err(LinkError::Invalid));
        assert_eq!(verify_link(&master(), "?", now), Err(LinkError::Invalid));
    }
}
