//! Who calls: access tokens (JWT, RFC 7519; EdDSA only, RFC 8725), the keys that sign them, and the cache of verified ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::rbac::resolve::WORKERS;
use events::{Actor, ActorKind, SessionId, TenantId, UserId};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::clock;
use crate::db::locks;
use crate::secrets::{self, MasterKey, NewKey};

const MAX_TOKEN_BYTES: usize = 4096;
/// How far the clock of the process that signed may be ahead of ours; the end of a token is kept to the second.
const LEEWAY_SECONDS: u64 = 30;
const LONGEST_LIFE_SECONDS: i64 = 600;
const TOKEN_TYPE: &str = "at+jwt";
const CACHED_TOKENS: u64 = 100_000;
/// Keys are read again this often, so that every process knows a new key long before it signs.
pub const KEY_REFRESH: Duration = Duration::from_secs(30);
const PLACE: &str = "secrets.signing_keys";

/// The authenticated caller of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The organisation.
    pub tenant: TenantId,
    /// Who.
    pub actor: Actor,
    /// When the token ends.
    pub expires_at: Timestamp,
}

impl Principal {
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
            ActorKind::Service => self.sid.is_none() && self.sub == WORKERS,
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

    /// Reads the public keys; with the master key also the newest private one, made if there is none (command-api only).
    pub async fn load(&self, pool: &PgPool, master: Option<&MasterKey>) -> anyhow::Result<()> {
        if let Some(master) = master {
            self.load_signer(pool, master).await?;
        }
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "select kid, public_key from secrets.signing_keys where not_after > now()",
        )
        .fetch_all(pool)
        .await?;
        let keys = rows.into_iter().map(|(kid, public)| {
            (kid, VerifyingKey { decoding: DecodingKey::from_ed_der(&public), public })
        });
        self.keys.store(Arc::new(keys.collect()));
        Ok(())
    }

    async fn load_signer(&self, pool: &PgPool, master: &MasterKey) -> anyhow::Result<()> {
        let mut transaction = pool.begin().await?;
        // One process makes the first key, the others wait here and find it.
        sqlx::query("select pg_advisory_xact_lock($1)")
            .bind(locks::SIGNING_KEYS)
            .execute(&mut *transaction)
            .await?;
        let newest: Option<(String, Vec<u8>)> = sqlx::query_as(
            "select kid, private_key from secrets.signing_keys where not_after > now() order by created_at desc limit 1",
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let (kid, private) = match newest {
            Some((kid, sealed)) => {
                let private = master.open(&format!("{PLACE}|{kid}"), &sealed)?;
                (kid, private)
            }
            None => Self::make_key(&mut transaction, master).await?,
        };
        transaction.commit().await?;
        let key = EncodingKey::from_ed_der(&private);
        self.signer.store(Arc::new(Some(Signer { kid, key })));
        Ok(())
    }

    async fn make_key(
        connection: &mut sqlx::PgConnection,
        master: &MasterKey,
    ) -> anyhow::Result<(String, Vec<u8>)> {
        let NewKey { kid, private, public } = secrets::new_key()?;
        let sealed = master.seal(&format!("{PLACE}|{kid}"), &private);
        sqlx::query(
            "insert into secrets.signing_keys (kid, public_key, private_key, not_after) values ($1, $2, $3, now() + interval '10 years')",
        )
        .bind(&kid)
        .bind(&public)
        .bind(&sealed)
        .execute(connection)
        .await?;
        Ok((kid, private))
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
            },
            expires_at,
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
