//! A token of an issuer elsewhere (RFC 7519, RFC 8725): taken apart with suspicion, and verified with a key that the issuer is known
//! to have, never with one that the token brings along.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::identity::issuer::{Algorithm, Claims};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::{KeyError, KeySets, Source};
use crate::secrets::fingerprint;

/// Longest token.
pub(super) const TOKEN_MOST_BYTES: usize = 8 * 1024;

/// Why a token is not even looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "EXCHANGE_")]
pub enum Malformed {
    /// Too long.
    #[error("the token is longer than {TOKEN_MOST_BYTES} bytes")]
    TooLong,
    /// Not three parts of base64url.
    #[error("the token is not a signed one in compact form")]
    NotCompact,
    /// A header that cannot be read.
    #[error("the token's header is not readable")]
    HeaderUnreadable,
    /// A header that brings keys, or asks for what we do not do.
    #[error("the token's header brings a key of its own or an extension")]
    HeaderForbidden,
    /// Signed with none of the algorithms that can be pinned.
    #[error("the token is signed with an algorithm that nobody may use")]
    AlgorithmForbidden,
    /// Something else than a token for us.
    #[error("the token is of another type")]
    TypeForbidden,
    /// Claims that cannot be read.
    #[error("the token's claims are not readable")]
    ClaimsUnreadable,
    /// Signed by somebody else, or altered.
    #[error("the token is not signed by the issuer")]
    SignatureWrong,
}

/// A token that somebody presents; nothing in it is known to be true until it is verified.
pub struct Presented<'t> {
    kid: Option<String>,
    algorithm: Algorithm,
    claims: Claims,
    signed: &'t str,
    signature: &'t str,
}

/// A header: members that are not named here do not matter (RFC 7515, section 4).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    cty: Option<Value>,
    crit: Option<Value>,
    jwk: Option<Value>,
    jku: Option<Value>,
    x5u: Option<Value>,
    x5c: Option<Value>,
    zip: Option<Value>,
    b64: Option<Value>,
}

impl<'t> Presented<'t> {
    /// Takes a token apart.
    pub fn read(token: &'t str) -> Result<Self, Malformed> {
        if token.len() > TOKEN_MOST_BYTES {
            return Err(Malformed::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Malformed::NotCompact)?;
        let (head, body) = signed.split_once('.').ok_or(Malformed::NotCompact)?;
        if body.contains('.') {
            return Err(Malformed::NotCompact);
        }
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed::NotCompact);
        let (head, body, _) = (decoded(head)?, decoded(body)?, decoded(signature)?);
        let header: Header =
            serde_json::from_slice(&head).map_err(|_| Malformed::HeaderUnreadable)?;
        let algorithm = header.check()?;
        let claims = serde_json::from_slice(&body).map_err(|_| Malformed::ClaimsUnreadable)?;
        Ok(Self { kid: header.kid, algorithm, claims, signed, signature })
    }

    /// Whose it says that it is.
    pub fn issuer(&self) -> &str {
        &self.claims.iss
    }

    /// What it says that it is signed with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// SHA-256 of what was signed, in hexadecimal digits: the same however the signature is written.
    pub fn sha256(&self) -> String {
        fingerprint(self.signed)
    }

    /// What it says, once the issuer's key shows that the issuer said so.
    pub async fn verify(
        &self,
        keys: &KeySets,
        source: &Source,
    ) -> Result<Result<&Claims, Malformed>, KeyError> {
        let found = keys.key(source, self.kid.as_deref(), self.algorithm).await?;
        if self.is_signed_by(&found.decoding) {
            return Ok(Ok(&self.claims));
        }
        // Where keys have no names, only the signature shows that the issuer has another one now.
        let another = match self.kid {
            Some(_) => None,
            None => keys.another(source, self.algorithm, &found).await,
        };
        let is_signed = another.is_some_and(|found| self.is_signed_by(&found.decoding));
        Ok(if is_signed { Ok(&self.claims) } else { Err(Malformed::SignatureWrong) })
    }

    fn is_signed_by(&self, key: &DecodingKey) -> bool {
        let (signed, algorithm) = (self.signed.as_bytes(), theirs(self.algorithm));
        jsonwebtoken::crypto::verify(self.signature, signed, key, algorithm).unwrap_or(false)
    }
}

impl Header {
    fn check(&self) -> Result<Algorithm, Malformed> {
        let brought = [
            &self.crit, &self.jwk, &self.jku, &self.x5u, &self.x5c, &self.zip, &self.b64, &self.cty,
        ];
        if brought.iter().any(|member| member.is_some()) {
            return Err(Malformed::HeaderForbidden);
        }
        let is = |typ: &str| ["jwt", "at+jwt", "application/at+jwt"].contains(&typ);
        if !self.typ.as_deref().is_none_or(|typ| is(&typ.to_ascii_lowercase())) {
            return Err(Malformed::TypeForbidden);
        }
        self.alg.parse().map_err(|_| Malformed::AlgorithmForbidden)
    }
}

fn theirs(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::RS384 => jsonwebtoken::Algorithm::RS384,
        Algorithm::RS512 => jsonwebtoken::Algorithm::RS512,
        Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::PS384 => jsonwebtoken::Algorithm::PS384,
        Algorithm::PS512 => jsonwebtoken::Algorithm::PS512,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::ES384 => jsonwebtoken::Algorithm::ES384,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    }
}
