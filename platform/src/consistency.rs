//! Consistency tokens: where in the log an answer stands, so that a query after a command shows what the command did.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::TenantId;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::secrets::{MasterKey, hmac};

const PREFIX: &str = "ct1.";
const SIGNATURE_BYTES: usize = 16;
const BODY_BYTES: usize = 4 + 8 + 16;

/// A place in the log of one epoch, as one organisation may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The log's epoch; a restored backup begins a new one.
    pub epoch: i32,
    /// Global position.
    pub position: i64,
    /// The organisation it was given to.
    pub tenant: TenantId,
}

/// Signs and checks tokens.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// The installation's key.
    pub fn new(master: &MasterKey) -> Self {
        Self(master.derive("consistency-token/v1"))
    }

    /// The token as a header value: a structured-field string.
    pub fn encode(&self, token: &Token) -> String {
        let mut bytes = Vec::with_capacity(BODY_BYTES + SIGNATURE_BYTES);
        bytes.extend_from_slice(&token.epoch.to_be_bytes());
        bytes.extend_from_slice(&token.position.to_be_bytes());
        bytes.extend_from_slice(token.tenant.0.as_bytes());
        let signature = hmac(&self.0, &bytes);
        bytes.extend_from_slice(&signature[..SIGNATURE_BYTES]);
        format!("\"{PREFIX}{}\"", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a header value, quoted or bare; `None` when it is not ours.
    pub fn decode(&self, text: &str) -> Option<Token> {
        let text = text.trim().trim_matches('"').strip_prefix(PREFIX)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, signature) = bytes.split_at_checked(BODY_BYTES)?;
        let expected = hmac(&self.0, body);
        if !bool::from(signature.ct_eq(&expected[..SIGNATURE_BYTES])) {
            return None;
        }
        Some(Token {
            epoch: i32::from_be_bytes(body[..4].try_into().ok()?),
            position: i64::from_be_bytes(body[4..12].try_into().ok()?),
            tenant: TenantId(Uuid::from_slice(&body[12..]).ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> TokenKey {
        TokenKey([byte; 32])
    }

    #[test]
    fn a_token_comes_back_as_it_was_given() {
        let token = Token { epoch: 3, position: 48_213, tenant: TenantId(Uuid::from_u128(9)) };
        let text = key(1).encode(&token);
        assert!(text.len() <= 256);
        assert_eq!(key(1).decode(&text), Some(token));
        assert_eq!(key(1).decode(text.trim_matches('"')), Some(token));
    }

    #[test]
    fn a_token_of_another_installation_or_altered_is_not_read() {
        let token = Token { epoch: 1, position: 7, tenant: TenantId::default() };
        let text = key(1).encode(&token);
        assert_eq!(key(2).decode(&text), None);
        assert_eq!(key(1).decode(&text.replacen("ct1.A", "ct1.B", 1)), None);
        assert_eq!(key(1).decode("\"ct1.\""), None);
    }
}
