//! Who calls: access tokens (JWT, RFC 7519; EdDSA only, RFC 8725), and the cache of verified ones.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::exports::batch::Batch;
use events::rbac::resolve::{QUERY_API, WORKERS};
use events::rbac::scope::Scope;
use events::scheduling::trigger::Trigger;
use events::{Actor, ActorKind, BatchId, Decider as _, SessionId, TenantId, TriggerId, UserId};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::clock;
use crate::secrets::MasterKey;
use crate::signing_keys::{self, Signing};

const MAX_TOKEN_BYTES: usize = 4096;
/// How far the clock of the process that signed may be ahead of ours; the end of a token is kept to the second.
const LEEWAY_SECONDS: u64 = 30;
const LONGEST_LIFE_SECONDS: i64 = 600;
const TOKEN_TYPE: &str = "at+jwt";
const CACHED_TOKENS: u64 = 100_000;

/// The authenticated caller of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The organisation.
    pub tenant: TenantId,
    /// Who.
    pub actor: Actor,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// What holds back whoever acts by an API key.
    pub key: Option<ByKey>,
    /// What acts for the user, who need not be there.
    pub through: Option<Through>,
}

/// A record of somebody's that says what is to be done for them, with their rights of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Through {
    /// A trigger.
    Trigger(TriggerId),
    /// A batch of exports.
    Batch(BatchId),
}

impl std::fmt::Display for Through {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trigger(id) => write!(f, "{}/{id}", Trigger::TYPE),
            Self::Batch(id) => write!(f, "{}/{id}", Batch::TYPE),
        }
    }
}

/// An API key in use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ByKey {
    /// What of its owner's rights it may use; never another for the same key.
    pub scope: Scope,
    /// Which of its secrets was shown.
    pub rotation: u32,
}

impl Principal {
    /// Any user, as their rights are asked for; in no session of theirs.
    pub fn somebody(tenant: TenantId, user: UserId) -> Self {
        let actor = Actor {
            kind: ActorKind::User,
            id: user.to_string(),
            session_id: None,
            on_behalf_of: None,
            api_key_id: None,
        };
        Self { tenant, actor, expires_at: Timestamp::MAX, key: None, through: None }
    }

    /// The same caller, for whom a record of theirs speaks.
    #[must_use]
    pub fn through(self, through: Through) -> Self {
        Self { through: Some(through), ..self }
    }

    /// Whether only a record of the user's speaks for them: no session and no API key stands behind it.
    pub fn is_away(&self) -> bool {
        self.through.is_some() && self.actor.session_id.is_none() && self.key.is_none()
    }

    /// The caller as a user, unless it is a service.
    pub fn user(&self) -> Option<UserId> {
        match self.actor.kind {
            ActorKind::User => self.actor.id.parse().ok(),
            ActorKind::Service | ActorKind::System => None,
        }
    }
}

/// The claims of our access tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    tenant: TenantId,
    kind: ActorKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
}

impl Claims {
    /// Whether they are such as [`Tokens::sign`] writes. With the key in their hands nobody needs more, so this is the second
    /// lock: it holds where a bug of ours signs what it should not.
    fn are_ours(&self) -> bool {
        let named = match self.kind {
            ActorKind::User => self.sid.is_some() && self.sub.parse::<UserId>().is_ok(),
            ActorKind::Service => {
                self.sid.is_none() && matches!(self.sub.as_str(), WORKERS | QUERY_API)
            }
            ActorKind::System => false, // acts within a process, never through its door
        };
        let life = self.exp.saturating_sub(self.iat);
        named && self.nbf == self.iat && (1..=LONGEST_LIFE_SECONDS).contains(&life)
    }
}

/// Why a token is not accepted; the client is told no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not one of ours, or altered, or for somebody else.
    #[error("the access token is not valid; sign in again")]
    Invalid,
    /// Too old.
    #[error("the access token has expired; refresh it or sign in again")]
    Expired,
}

struct Signer {
    kid: String,
    key: EncodingKey,
}

/// The installation's signing keys, and the tokens verified with them until they expire.
pub struct Tokens {
    issuer: String,
    signer: ArcSwap<Option<Signer>>,
    keys: ArcSwap<HashMap<String, VerifyingKey>>,
    verified: Cache<[u8; 32], Arc<Principal>>,
}

struct VerifyingKey {
    decoding: DecodingKey,
    public: Vec<u8>,
}

impl Tokens {
    /// No keys yet; call [`Self::load`].
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            signer: ArcSwap::from_pointee(None),
            keys: ArcSwap::from_pointee(HashMap::new()),
            verified: Cache::new(CACHED_TOKENS),
        }
    }

    /// Reads the public keys; with the master key also the private one to sign with, made if there is none (command-api only).
    /// To be called every [`signing_keys::REFRESH`].
    pub async fn load(&self, pool: &PgPool, master: Option<&MasterKey>) -> anyhow::Result<()> {
        if let Some(master) = master {
            let Signing { kid, private } = signing_keys::signing(pool, master).await?;
            let key = EncodingKey::from_ed_der(&private);
            self.signer.store(Arc::new(Some(Signer { kid, key })));
        }
        let rows = signing_keys::public(pool).await?;
        let keys: HashMap<_, _> = rows
            .into_iter()
            .map(|(kid, public)| {
                (kid, VerifyingKey { decoding: DecodingKey::from_ed_der(&public), public })
            })
            .collect();
        let before = self.keys.swap(Arc::new(keys));
        if before.keys().any(|kid| !self.keys.load().contains_key(kid)) {
            self.verified.invalidate_all(); // what a key signed ends with it
        }
        Ok(())
    }

    /// Signs an access token for `actor`, living `seconds`.
    pub fn sign(&self, tenant: TenantId, actor: &Actor, seconds: u32) -> anyhow::Result<String> {
        let signer = self.signer.load();
        let Some(signer) = signer.as_ref() else {
            anyhow::bail!("this process cannot sign tokens")
        };
        let now = clock::now().as_second();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub: actor.id.clone(),
            tenant,
            kind: actor.kind,
            sid: actor.session_id,
            iat: now,
            nbf: now,
            exp: now + i64::from(seconds),
            jti: clock::new_id::<uuid::Uuid>().to_string(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYPE.into());
        header.kid = Some(signer.kid.clone());
        Ok(jsonwebtoken::encode(&header, &claims, &signer.key)?)
    }

    /// The caller that a token speaks for. A token verified before is found by its hash until it expires; whether the
    /// session behind it was revoked is asked elsewhere, on every request.
    pub fn verify(&self, token: &str) -> Result<Arc<Principal>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(principal) = self.verified.get(&hash) {
            if principal.expires_at > clock::now() {
                return Ok(principal);
            }
            self.verified.invalidate(&hash);
            return Err(TokenError::Expired);
        }
        let principal = Arc::new(self.verify_afresh(token)?);
        self.verified.insert(hash, Arc::clone(&principal));
        Ok(principal)
    }

    fn verify_afresh(&self, token: &str) -> Result<Principal, TokenError> {
        let kid = checked_kid(token)?;
        let keys = self.keys.load();
        let key = keys.get(&kid).ok_or(TokenError::Invalid)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.algorithms = vec![Algorithm::EdDSA];
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.issuer]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation)
            .map_err(|error| {
                let expired = *error.kind() == jsonwebtoken::errors::ErrorKind::ExpiredSignature;
                if expired { TokenError::Expired } else { TokenError::Invalid }
            })?
            .claims;
        let expires_at = Timestamp::from_second(claims.exp).map_err(|_| TokenError::Invalid)?;
        if !claims.are_ours() {
            return Err(TokenError::Invalid);
        }
        if expires_at <= clock::now() {
            return Err(TokenError::Expired);
        }
        Ok(Principal {
            tenant: claims.tenant,
            actor: Actor {
                kind: claims.kind,
                id: claims.sub,
                session_id: claims.sid,
                on_behalf_of: None,
                api_key_id: None,
            },
            expires_at,
            key: None,
            through: None,
        })
    }

    /// The public keys as a JWK set (RFC 7517, RFC 8037).
    pub fn jwks(&self) -> Value {
        let keys = self.keys.load();
        let keys: Vec<Value> = keys
            .iter()
            .map(|(kid, key)| {
                json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid,
                       "x": URL_SAFE_NO_PAD.encode(&key.public)})
            })
            .collect();
        json!({ "keys": keys })
    }
}

/// The key id of a token whose header holds nothing but `alg`, `kid` and `typ`, with our values: a header that brings its
/// own key, its own key's address, or a critical extension is refused before any of it is looked at.
fn checked_kid(token: &str) -> Result<String, TokenError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        alg: String,
        kid: String,
        typ: String,
    }
    let head = token.split('.').next().unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(head).map_err(|_| TokenError::Invalid)?;
    let strict: Strict = serde_json::from_slice(&bytes).map_err(|_| TokenError::Invalid)?;
    if strict.alg != "EdDSA" || strict.typ != TOKEN_TYPE {
        return Err(TokenError::Invalid);
    }
    Ok(strict.kid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendices A.2 and A.4.
    #[test]
    fn the_example_of_the_standard_is_verified_and_nothing_else_of_it() {
        let public = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key = DecodingKey::from_ed_der(&public);
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let verify = |signature: &str, message: &[u8]| {
            jsonwebtoken::crypto::verify(signature, message, &key, Algorithm::EdDSA).unwrap()
        };
        assert!(verify(signature, message));
        assert!(!verify(signature, &message[1..]));
        assert!(!verify(&signature.replacen('h', "i", 1), message));
    }
}
