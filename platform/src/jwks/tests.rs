//! Key sets over real HTTP: what is fetched, kept, looked at again, and refused.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::KeyPair as _;
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::identity::issuer::{Algorithm, Claims};
use serde_json::{Value, json};

use super::fetch::{ANSWER_MOST_BYTES, fresh_for};
use super::keys::{KEYS_MOST, Keys};
use super::token::TOKEN_MOST_BYTES;
use super::*;
use crate::secrets::{self, NewKey};

/// An issuer whose answers are a matter of the test.
struct Server {
    url: String,
    answers: Arc<Mutex<VecDeque<(StatusCode, String)>>>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    /// Gives the last answer again and again.
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let asked = Arc::new(AtomicUsize::new(0));
        let (given, counted, own) = (Arc::clone(&answers), Arc::clone(&asked), url.clone());
        let answer = move |uri: Uri| {
            let discovery = uri.path() == "/.well-known/openid-configuration";
            let (status, body) = if discovery {
                (
                    StatusCode::OK,
                    json!({"issuer": own, "jwks_uri": format!("{own}/keys")}).to_string(),
                )
            } else {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut given = given.lock().unwrap();
                let last = given.len() == 1;
                let next = if last { given.front().cloned() } else { given.pop_front() };
                next.unwrap_or((StatusCode::NOT_FOUND, String::new()))
            };
            std::future::ready((status, [(header::LOCATION, format!("{own}/else"))], body))
        };
        let router = Router::new().fallback(answer);
        crate::lifecycle::detach(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self { url, answers, asked }
    }

    fn says(&self, status: StatusCode, body: &impl ToString) {
        self.answers.lock().unwrap().push_back((status, body.to_string()));
    }

    fn has(&self, keys: &[&NewKey]) {
        self.answers.lock().unwrap().clear();
        self.says(StatusCode::OK, &set(keys));
    }

    fn source(&self) -> Source {
        Source { issuer: self.url.clone(), jwks_uri: None }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn set(keys: &[&NewKey]) -> Value {
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| json!({"kty": "OKP", "crv": "Ed25519", "kid": key.kid, "x": text(&key.public)}))
        .collect();
    json!({ "keys": keys })
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn claims() -> Value {
    json!({"iss": "i", "sub": "s", "aud": "a", "iat": 1, "exp": 2})
}

fn signed(key: &NewKey, head: &Value) -> String {
    let signed = format!("{}.{}", text(head.to_string()), text(claims().to_string()));
    let pair = secrets::key_pair(&key.private).unwrap();
    format!("{signed}.{}", text(pair.sign(signed.as_bytes())))
}

fn by(key: &NewKey) -> String {
    signed(key, &json!({"alg": "EdDSA", "kid": key.kid}))
}

fn nameless(key: &NewKey) -> String {
    signed(key, &json!({"alg": "EdDSA"}))
}

/// What comes of a token.
async fn outcome(sets: &KeySets, source: &Source, token: &str) -> Result<Claims, &'static str> {
    let presented = Presented::read(token).map_err(Into::<&'static str>::into)?;
    match presented.verify(sets, source).await {
        Ok(Ok(claims)) => Ok(claims.clone()),
        Ok(Err(malformed)) => Err(malformed.into()),
        Err(KeyError::Unknown) => Err("unknown"),
        Err(KeyError::Unavailable) => Err("unavailable"),
    }
}

fn sets() -> KeySets {
    KeySets::new(true).unwrap()
}

#[tokio::test]
async fn keys_are_discovered_fetched_once_and_kept() {
    let (server, key, sets) = (Server::start().await, secrets::new_key().unwrap(), sets());
    server.has(&[&key]);
    let (source, token) = (server.source(), by(&key));
    let all = futures::future::join_all((0..20).map(|_| outcome(&sets, &source, &token))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(server.asked(), 1);
    let direct = Source { jwks_uri: Some(format!("{}/keys", server.url)), ..server.source() };
    assert!(outcome(&sets, &direct, &token).await.is_ok());
}

#[tokio::test]
async fn a_key_is_looked_for_once_more_when_it_is_new_and_a_dropped_one_is_gone_then() {
    let server = Server::start().await;
    let [old, new, newest] = [(); 3].map(|()| secrets::new_key().unwrap());
    let (sets, source) = (sets(), server.source());
    server.has(&[&old]);
    assert!(outcome(&sets, &source, &by(&old)).await.is_ok());
    server.has(&[&new]);
    assert!(outcome(&sets, &source, &by(&new)).await.is_ok(), "the issuer has changed its key");
    assert_eq!(outcome(&sets, &source, &by(&old)).await, Err("unknown"));
    server.has(&[&newest]);
    assert_eq!(outcome(&sets, &source, &by(&newest)).await, Err("unknown"), "not twice at once");
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_nameless_key_is_looked_for_by_its_signature() {
    let server = Server::start().await;
    let [old, new, third] = [(); 3].map(|()| secrets::new_key().unwrap());
    let (sets, source) = (sets(), server.source());
    server.has(&[&old]);
    assert!(outcome(&sets, &source, &nameless(&old)).await.is_ok());
    server.has(&[&new]);
    let token = nameless(&new);
    let both = tokio::join!(outcome(&sets, &source, &token), outcome(&sets, &source, &token));
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    assert_eq!(outcome(&sets, &source, &nameless(&third)).await, Err("EXCHANGE_SIGNATURE_WRONG"));
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn of_several_keys_one_must_be_named() {
    let server = Server::start().await;
    let [one, two] = [(); 2].map(|()| secrets::new_key().unwrap());
    server.has(&[&one, &two]);
    let (sets, source) = (sets(), server.source());
    assert!(outcome(&sets, &source, &by(&two)).await.is_ok());
    assert_eq!(outcome(&sets, &source, &nameless(&two)).await, Err("unknown"));
    let claimed = signed(&two, &json!({"alg": "EdDSA", "kid": one.kid}));
    assert_eq!(outcome(&sets, &source, &claimed).await, Err("EXCHANGE_SIGNATURE_WRONG"));
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_as_it_should_has_no_keys() {
    let key = secrets::new_key().unwrap();
    let long = format!("{{\"keys\": [], \"x\": \"{}\"}}", "x".repeat(ANSWER_MOST_BYTES));
    let many = json!({"keys": vec![json!({}); KEYS_MOST + 1]}).to_string();
    for (status, body) in [
        (StatusCode::FOUND, set(&[&key]).to_string()),
        (StatusCode::INTERNAL_SERVER_ERROR, set(&[&key]).to_string()),
        (StatusCode::OK, long),
        (StatusCode::OK, many),
        (StatusCode::OK, "<html>".into()),
        (StatusCode::OK, "[]".into()),
    ] {
        let server = Server::start().await;
        server.says(status, &body);
        let (sets, source) = (sets(), server.source());
        for _ in 0..3 {
            let outcome = outcome(&sets, &source, &by(&key)).await;
            assert_eq!(outcome, Err("unavailable"), "{status} {body:.40}");
        }
        assert_eq!(server.asked(), 1, "it is left alone for a while");
    }
}

#[tokio::test]
async fn an_issuer_on_this_machine_is_none_but_in_development() {
    let (server, key) = (Server::start().await, secrets::new_key().unwrap());
    server.has(&[&key]);
    let strict = KeySets::new(false).unwrap();
    assert_eq!(outcome(&strict, &server.source(), &by(&key)).await, Err("unavailable"));
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_description_of_another_issuer_is_nobodys() {
    let (server, key, sets) = (Server::start().await, secrets::new_key().unwrap(), sets());
    server.has(&[&key]);
    let other = Source { issuer: format!("{}/", server.url), jwks_uri: None };
    assert_eq!(outcome(&sets, &other, &by(&key)).await, Err("unavailable"));
}

#[test]
fn a_set_is_fresh_as_long_as_said_within_reason_and_used_a_little_longer() {
    let said = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static(value));
        fresh_for(&headers).as_secs()
    };
    assert_eq!(said("public, max-age=3600, must-revalidate"), 3600);
    assert_eq!(said("Max-Age=\"7200\""), 7200);
    for value in ["no-store", "max-age=0", "max-age=-1", "max-age=x", "s-maxage=9000", ""] {
        assert_eq!(said(value), 300, "{value}");
    }
    assert_eq!(said("max-age=99999999999"), 24 * 3600);
    assert_eq!(fresh_for(&HeaderMap::new()).as_secs(), 300);
    let fetched_at = Instant::now();
    let held = Held { keys: Keys::default(), fetched_at, fresh_for: Duration::from_mins(5) };
    let after = |seconds| fetched_at + Duration::from_secs(seconds);
    assert!(held.is_fresh(after(299)) && !held.is_fresh(after(300)));
    assert!(held.is_usable(after(3899)) && !held.is_usable(after(3900)));
}

#[test]
fn keys_verify_with_what_they_are_for_and_nothing_else() {
    let key = secrets::new_key().unwrap();
    let pick = |change: &Value, algorithm| {
        let mut set = set(&[&key]);
        for (name, value) in change.as_object().unwrap() {
            set["keys"][0][name] = value.clone();
        }
        Keys::read(set.to_string().as_bytes()).unwrap().pick(Some(&key.kid), algorithm).is_some()
    };
    let ed = Algorithm::EdDsa;
    for change in [json!({}), json!({"use": "sig"}), json!({"alg": "EdDSA", "key_ops": ["verify"]})]
    {
        assert!(pick(&change, ed), "{change}");
    }
    for change in [
        json!({"use": "enc"}),
        json!({"key_ops": ["sign"]}),
        json!({"alg": "ES256"}),
        json!({"crv": "X25519"}),
        json!({"crv": "Ed448"}),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"kty": "EC"}),
        json!({"kid": "other"}),
        json!({"x": 1}),
    ] {
        assert!(!pick(&change, ed), "{change}");
    }
    assert!(!pick(&json!({}), Algorithm::RS256));
    let rsa = |bytes: usize| {
        let n = text(vec![0xff_u8; bytes]);
        let set = json!({"keys": [{"kty": "RSA", "n": n, "e": "AQAB"}]}).to_string();
        Keys::read(set.as_bytes()).unwrap().pick(None, Algorithm::RS256).is_some()
    };
    assert!(rsa(256) && rsa(1024));
    assert!(!rsa(255) && !rsa(128) && !rsa(1025));
    assert_eq!(key.public, secrets::key_pair(&key.private).unwrap().public_key().as_ref());
}

#[test]
fn a_token_is_taken_apart_with_suspicion() {
    let key = secrets::new_key().unwrap();
    let read = |head: &Value| Presented::read(&signed(&key, head)).err();
    let head = |name: &str, value: Value| {
        let mut head = json!({"alg": "EdDSA", "kid": key.kid});
        head[name] = value;
        read(&head)
    };
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert_eq!(head("typ", json!(typ)), None, "{typ}");
    }
    assert_eq!(head("x5t", json!("thumbprint")), None, "what nobody asks for does not matter");
    for typ in ["JWE", "logout+jwt", "dpop+jwt", ""] {
        assert_eq!(head("typ", json!(typ)), Some(Malformed::TypeForbidden), "{typ}");
    }
    for name in ["jwk", "jku", "x5u", "x5c", "crit", "zip", "b64", "cty"] {
        assert_eq!(head(name, json!("JWT")), Some(Malformed::HeaderForbidden), "{name}");
    }
    for alg in ["none", "None", "HS256", "HS512", "ES512", "ES256K", "eddsa", ""] {
        assert_eq!(head("alg", json!(alg)), Some(Malformed::AlgorithmForbidden), "{alg}");
    }
    assert_eq!(head("alg", json!(null)), Some(Malformed::HeaderUnreadable));
    assert_eq!(head("kid", json!(7)), Some(Malformed::HeaderUnreadable));
    let twice = text(r#"{"alg":"EdDSA","alg":"none"}"#);
    let read = |token: &str| Presented::read(token).err();
    assert_eq!(read(&format!("{twice}.e30.AA")), Some(Malformed::HeaderUnreadable));
    let good = by(&key);
    for bad in [
        "",
        ".",
        "a.b",
        "a.b.c.d.e",
        &format!("{good}="),
        &format!("{good}.x"),
        &format!(" {good}"),
    ] {
        assert_eq!(read(bad), Some(Malformed::NotCompact), "{bad}");
    }
    let header = good.split('.').next().unwrap();
    assert_eq!(read(&format!("{header}.e30.AA")), Some(Malformed::ClaimsUnreadable));
    assert_eq!(read(&"x".repeat(TOKEN_MOST_BYTES + 1)), Some(Malformed::TooLong));
}

#[test]
fn a_token_is_the_same_however_its_signature_is_written() {
    let key = secrets::new_key().unwrap();
    let good = by(&key);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let other = format!("{signed}.AAAA");
    let sha256 = |token: &str| Presented::read(token).unwrap().sha256();
    assert_eq!(sha256(&good), sha256(&other));
    assert_ne!(sha256(&good), sha256(&nameless(&key)));
}
