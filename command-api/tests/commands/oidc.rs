//! An OpenID Connect issuer of the tests: real keys, served over real HTTP, and whatever token a test wants signed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaKeyPair,
};
use axum::Router;
use axum::http::{StatusCode, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::clock;
use serde_json::{Value, json};

/// A key that signs, under its name.
pub(crate) struct Key {
    pub(crate) kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub(crate) fn rsa(kid: &str) -> Self {
        let pair = Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
        Self { kid: kid.into(), pair }
    }

    pub(crate) fn p256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.into(), pair: Pair::P256(pair) }
    }

    pub(crate) fn ed25519(kid: &str) -> Self {
        Self { kid: kid.into(), pair: Pair::Ed25519(Ed25519KeyPair::generate().unwrap()) }
    }

    /// The algorithm that it signs with unless told otherwise.
    pub(crate) fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
        }
    }

    /// Its public half, as bytes that everybody can know.
    pub(crate) fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Pair::P256(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        let public = self.public();
        match &self.pair {
            Pair::Rsa(_) => {
                // DER of 2048 bits: a sequence of the modulus, which has a zero before it, and 65537.
                let modulus = &public[9..265];
                json!({"kty": "RSA", "kid": self.kid, "n": text(modulus), "e": "AQAB"})
            }
            Pair::P256(_) => {
                let (x, y) = public[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "x": text(x), "y": text(y)})
            }
            Pair::Ed25519(_) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": text(public)})
            }
        }
    }

    /// Signs with what the head says, where the key can.
    fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding = match alg {
                    "PS256" => &RSA_PSS_SHA256 as &dyn aws_lc_rs::signature::RsaEncoding,
                    "RS512" => &RSA_PKCS1_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                pair.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::P256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with exactly this head and these claims.
    pub(crate) fn token(&self, head: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", text(head.to_string()), text(claims.to_string()));
        let alg = head["alg"].as_str().unwrap_or_default();
        format!("{signed}.{}", text(self.sign(alg, signed.as_bytes())))
    }

    /// A token with the usual head.
    pub(crate) fn says(&self, claims: &Value) -> String {
        self.token(&json!({"alg": self.alg(), "kid": self.kid, "typ": "JWT"}), claims)
    }
}

/// An issuer that serves keys.
pub(crate) struct Op {
    pub(crate) url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    away: Arc<AtomicBool>,
}

impl Op {
    pub(crate) async fn start(keys: &[&Key]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let op = Self { url: url.clone(), keys: Arc::default(), away: Arc::default() };
        op.has(keys);
        let (keys, away) = (Arc::clone(&op.keys), Arc::clone(&op.away));
        let router = Router::new().fallback(move |uri: Uri| {
            let body = if uri.path() == "/.well-known/openid-configuration" {
                json!({"issuer": url, "jwks_uri": format!("{url}/keys")})
            } else {
                json!({"keys": *keys.lock().unwrap()})
            };
            let down = away.load(Ordering::SeqCst);
            let status = if down { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
            std::future::ready((status, axum::Json(body)))
        });
        platform::lifecycle::detach(async move {
            axum::serve(listener, router).await.unwrap();
        });
        op
    }

    /// From now on it has these keys.
    pub(crate) fn has(&self, keys: &[&Key]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| key.jwk()).collect();
    }

    /// From now on it does not answer as it should, or does again.
    pub(crate) fn is_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// What it says of somebody, with other claims where given and without those that are null.
    pub(crate) fn claims(&self, other: &Value) -> Value {
        let now = clock::now().as_second();
        let mut claims = json!({
            "iss": self.url, "aud": "annals", "sub": "ada-7", "iat": now, "exp": now + 300,
            "jti": clock::new_id::<uuid::Uuid>().to_string(),
            "email": "ada@acme.example", "email_verified": true, "name": "Ada Lovelace",
        });
        for (name, value) in other.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        claims
    }
}

pub(crate) fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
