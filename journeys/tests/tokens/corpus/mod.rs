//! Access tokens that nobody may accept: the known ways to forge, bend and misuse a JWT (RFC 7519, RFC 8725), made from a good one.

mod bent;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use platform::secrets::{self, NewKey};
use serde_json::{Value, json};

/// What is bad about a token, and the token.
pub(crate) type Case = (&'static str, String);

/// The order of Ed25519's group, little-endian: a signature's `S` is below it, or somebody bent it (RFC 8032).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
/// What stands before the 32 bytes of an Ed25519 key as an X.509 public key (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// A good token, the very key that signed it, and a key of somebody else's.
pub(crate) struct Mint {
    pub(crate) good: String,
    pub(crate) key: NewKey,
    pub(crate) stranger: NewKey,
    head: Value,
    claims: Value,
}

impl Mint {
    pub(crate) fn new(good: &str, key: NewKey) -> Self {
        let part = |index| serde_json::from_slice(&bytes(segment(good, index))).unwrap();
        let (head, claims) = (part(0), part(1));
        let stranger = secrets::new_key().unwrap();
        Self { good: good.to_owned(), key, stranger, head, claims }
    }

    /// Every bad token that can be made from these, without asking the house.
    pub(crate) fn bad(&self) -> Vec<Case> {
        let groups = [
            self.algorithms(),
            self.confusions(),
            self.key_ids(),
            self.headers(),
            self.claims_of_the_issuer(),
            self.claims_of_the_caller(),
            self.times(),
            self.payloads(),
            self.segments(),
            self.signatures(),
        ];
        groups.into_iter().flatten().collect()
    }

    /// Signed as the house does, whatever it says.
    pub(crate) fn raw(&self, head: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        signed_by(&self.key, head, claims)
    }

    /// The good claims but for some; `null` is written as it stands.
    pub(crate) fn claims(&self, other: &Value) -> String {
        self.raw(self.head.to_string(), merged(&self.claims, other))
    }

    /// A token by another key that names itself.
    pub(crate) fn by(&self, key: &NewKey) -> String {
        let head = merged(&self.head, &json!({"kid": key.kid}));
        signed_by(key, head, self.claims.to_string())
    }

    fn head(&self, other: &Value) -> String {
        self.raw(merged(&self.head, other), self.claims.to_string())
    }

    fn without_head(&self, name: &str) -> String {
        self.raw(without(&self.head, name), self.claims.to_string())
    }

    fn without_claim(&self, name: &str) -> String {
        self.raw(self.head.to_string(), without(&self.claims, name))
    }

    /// Times in seconds from when the good token was signed.
    fn at(&self, iat: i64, nbf: i64, exp: i64) -> String {
        let now = self.claims["iat"].as_i64().unwrap();
        self.claims(&json!({"iat": now + iat, "nbf": now + nbf, "exp": now + exp}))
    }

    /// The same claims under another head, with this signature.
    fn with(&self, head: &Value, signature: &str) -> String {
        let head = encoded(merged(&self.head, head));
        format!("{head}.{}.{signature}", segment(&self.good, 1))
    }

    fn none(&self, alg: &str) -> String {
        self.with(&json!({"alg": alg}), "")
    }

    fn hs256(&self, key: impl AsRef<[u8]>) -> String {
        let body = self.with(&json!({"alg": "HS256"}), "");
        let mac = secrets::hmac(key.as_ref(), body.trim_end_matches('.').as_bytes());
        format!("{body}{}", encoded(mac))
    }

    fn by_stranger(&self, head: &Value) -> String {
        signed_by(&self.stranger, merged(&self.head, head), self.claims.to_string())
    }

    /// The good token with its signature altered.
    fn signature(&self, alter: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
        let (body, signature) = self.good.rsplit_once('.').unwrap();
        format!("{body}.{}", encoded(alter(bytes(signature))))
    }

    fn algorithms(&self) -> Vec<Case> {
        let kept = segment(&self.good, 2);
        let alg = |name: &str| self.head(&json!({"alg": name}));
        vec![
            ("alg none", self.none("none")),
            ("alg None", self.none("None")),
            ("alg NONE", self.none("NONE")),
            ("alg nOnE", self.none("nOnE")),
            ("alg none with a space", self.none("none ")),
            ("alg none with a zero byte", self.none("none\0")),
            ("alg empty", self.none("")),
            ("alg none, two segments", self.none("none").trim_end_matches('.').to_owned()),
            ("alg none beside the good signature", self.with(&json!({"alg": "none"}), kept)),
            ("alg null", self.with(&json!({"alg": null}), "")),
            ("alg none, signed by us", alg("none")),
            ("alg missing", self.without_head("alg")),
            ("alg a number", self.head(&json!({"alg": 8}))),
            ("alg a list", self.head(&json!({"alg": ["EdDSA"]}))),
            ("alg in other letters", alg("EDDSA")),
            ("alg Ed25519", alg("Ed25519")),
            ("alg Ed448", alg("Ed448")),
            ("alg ES256", alg("ES256")),
            ("alg ES256K", alg("ES256K")),
            ("alg ES512", alg("ES512")),
            ("alg RS256", alg("RS256")),
            ("alg PS256", alg("PS256")),
            ("alg HS512", alg("HS512")),
            ("alg of an encrypted token", alg("RSA-OAEP")),
        ]
    }

    fn confusions(&self) -> Vec<Case> {
        let public = &self.key.public;
        let spki = [&SPKI[..], public].concat();
        let body = STANDARD.encode(&spki);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        let jwk = json!({"crv": "Ed25519", "kty": "OKP", "x": encoded(public)}).to_string();
        vec![
            ("HS256 with the public key", self.hs256(public)),
            ("HS256 with the public key as X.509", self.hs256(&spki)),
            ("HS256 with the public key as PEM", self.hs256(&pem)),
            ("HS256 with the public key as PEM, trimmed", self.hs256(pem.trim())),
            ("HS256 with the public key in base64url", self.hs256(encoded(public))),
            ("HS256 with the public key in hex", self.hs256(hex::encode(public))),
            ("HS256 with the public key as a JWK", self.hs256(jwk)),
            ("HS256 with the key's id", self.hs256(&self.key.kid)),
            ("HS256 with an empty key", self.hs256("")),
            ("HS256 with a usual secret", self.hs256("secret")),
        ]
    }

    fn key_ids(&self) -> Vec<Case> {
        let kid = |kid: Value| self.head(&json!({"kid": kid}));
        let ours = &self.key.kid;
        let twice = |first: &str, second: &str| {
            let head =
                format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{first}","kid":"{second}"}}"#);
            self.raw(head, self.claims.to_string())
        };
        vec![
            ("kid missing", self.without_head("kid")),
            ("kid null", kid(Value::Null)),
            ("kid empty", kid(json!(""))),
            ("kid a number", kid(json!(0))),
            ("kid a list", kid(json!([ours]))),
            ("kid unknown", kid(json!("0123456789abcdef"))),
            ("kid with a letter more", kid(json!(format!("{ours}a")))),
            ("kid with a space", kid(json!(format!("{ours} ")))),
            ("kid with a zero byte", kid(json!(format!("{ours}\0")))),
            ("kid a path upwards", kid(json!("../../../../dev/null"))),
            ("kid a path to our key", kid(json!(format!("./{ours}")))),
            ("kid an address", kid(json!("https://attacker.test/key"))),
            ("kid with SQL", kid(json!(format!("{ours}' or '1'='1")))),
            ("kid with a shell command", kid(json!("|cat /etc/passwd"))),
            ("kid very long", kid(json!("k".repeat(1500)))),
            ("kid twice, ours last", twice(&self.stranger.kid, ours)),
            ("kid twice, ours first", twice(ours, &self.stranger.kid)),
            ("kid of another installation, signed by us", kid(json!(self.stranger.kid))),
            ("kid of ours, signed by another installation", self.by_stranger(&json!({}))),
            ("a token of another installation", self.by(&self.stranger)),
        ]
    }

    fn headers(&self) -> Vec<Case> {
        let x = encoded(&self.stranger.public);
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": self.stranger.kid, "x": x});
        let own = |name: &str, value: Value| self.by_stranger(&json!({name: value}));
        let ours = |name: &str, value: Value| self.head(&json!({name: value}));
        let raw = |head: &str| self.raw(head, self.claims.to_string());
        let kid = &self.key.kid;
        vec![
            ("jwk brings its own key", own("jwk", jwk.clone())),
            ("jwk brings its own key, kid too", {
                self.by_stranger(&json!({"jwk": jwk, "kid": self.stranger.kid}))
            }),
            ("jku names its own keys", own("jku", json!("https://attacker.test/jwks.json"))),
            ("jku names a file", own("jku", json!("file:///dev/null"))),
            ("x5u names its own certificate", own("x5u", json!("https://attacker.test/x.pem"))),
            ("x5c brings its own certificate", own("x5c", json!([STANDARD.encode("x")]))),
            ("x5t names a certificate", own("x5t", json!("AAAA"))),
            ("x5t#S256 names a certificate", own("x5t#S256", json!("AAAA"))),
            ("jku, signed by us", ours("jku", json!("https://attacker.test/jwks.json"))),
            ("crit unknown", ours("crit", json!(["http://attacker.test/critical"]))),
            ("crit empty", ours("crit", json!([]))),
            ("crit b64", self.head(&json!({"crit": ["b64"], "b64": false}))),
            ("b64 off", ours("b64", json!(false))),
            ("zip", ours("zip", json!("DEF"))),
            ("enc", ours("enc", json!("A256GCM"))),
            ("cty of a nested token", ours("cty", json!("JWT"))),
            ("a member that we never write", ours("admin", json!(true))),
            ("typ missing", self.without_head("typ")),
            ("typ null", ours("typ", Value::Null)),
            ("typ JWT", ours("typ", json!("JWT"))),
            ("typ in other letters", ours("typ", json!("AT+JWT"))),
            ("typ of an identity token", ours("typ", json!("id+jwt"))),
            ("typ of a security event", ours("typ", json!("secevent+jwt"))),
            (
                "head alg twice, none last",
                raw(&format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{kid}","alg":"none"}}"#)),
            ),
            (
                "head alg twice, none first",
                raw(&format!(r#"{{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#)),
            ),
            ("head followed by something", raw(&format!("{}{{}}", self.head))),
            ("head with a byte order mark", raw(&format!("\u{feff}{}", self.head))),
            ("head with a comment", raw(&format!("/**/{}", self.head))),
            ("head empty object", raw("{}")),
            ("head a list", raw(r#"["EdDSA","at+jwt"]"#)),
            ("head in a list", raw(&format!("[{}]", self.head))),
            ("head not JSON", raw("EdDSA")),
            ("head not UTF-8", self.raw(b"{\"alg\":\"\xff\xfe\"}", self.claims.to_string())),
        ]
    }

    fn claims_of_the_issuer(&self) -> Vec<Case> {
        let claim = |name: &str, value: Value| self.claims(&json!({name: value}));
        let ours = &self.claims["iss"];
        vec![
            ("iss missing", self.without_claim("iss")),
            ("iss null", claim("iss", Value::Null)),
            ("iss empty", claim("iss", json!(""))),
            ("iss of somebody else", claim("iss", json!("https://attacker.test"))),
            ("iss that begins like ours", claim("iss", json!(format!("{}.test", text(ours))))),
            ("iss in other letters", claim("iss", json!(text(ours).to_uppercase()))),
            ("iss a list with ours", claim("iss", json!([ours]))),
            ("aud missing", self.without_claim("aud")),
            ("aud null", claim("aud", Value::Null)),
            ("aud empty", claim("aud", json!(""))),
            ("aud somebody else", claim("aud", json!("https://other.test"))),
            ("aud a list without ours", claim("aud", json!(["a", "b"]))),
            ("aud a list with ours", claim("aud", json!([ours, "b"]))),
            ("aud an empty list", claim("aud", json!([]))),
            ("aud a number", claim("aud", json!(1))),
            ("jti missing", self.without_claim("jti")),
            ("jti null", claim("jti", Value::Null)),
            ("jti a number", claim("jti", json!(7))),
        ]
    }

    fn claims_of_the_caller(&self) -> Vec<Case> {
        let claim = |name: &str, value: Value| self.claims(&json!({name: value}));
        let nobody = platform::clock::new_id::<uuid::Uuid>();
        let nil = uuid::Uuid::nil();
        vec![
            ("sub missing", self.without_claim("sub")),
            ("sub null", claim("sub", Value::Null)),
            ("sub empty", claim("sub", json!(""))),
            ("sub a number", claim("sub", json!(1))),
            ("sub no id", claim("sub", json!("owner"))),
            ("sub nobody", claim("sub", json!(nobody))),
            ("sub the name of a service", claim("sub", json!("workers"))),
            ("tenant missing", self.without_claim("tenant")),
            ("tenant null", claim("tenant", Value::Null)),
            ("tenant no id", claim("tenant", json!("acme"))),
            ("tenant nil", claim("tenant", json!(nil))),
            ("tenant unknown", claim("tenant", json!(nobody))),
            ("kind missing", self.without_claim("kind")),
            ("kind null", claim("kind", Value::Null)),
            ("kind unknown", claim("kind", json!("admin"))),
            ("kind in other letters", claim("kind", json!("User"))),
            ("kind system", claim("kind", json!("system"))),
            ("kind system by a service's name", {
                self.claims(&json!({"kind": "system", "sub": "workers", "sid": null}))
            }),
            ("kind service for a person", claim("kind", json!("service"))),
            ("kind service without a session for a person", {
                self.claims(&json!({"kind": "service", "sid": null}))
            }),
            ("kind service of no service of ours", {
                self.claims(&json!({"kind": "service", "sub": "root", "sid": null}))
            }),
            ("kind service with a session", {
                self.claims(&json!({"kind": "service", "sub": "workers"}))
            }),
            ("sid missing", self.without_claim("sid")),
            ("sid null", claim("sid", Value::Null)),
            ("sid empty", claim("sid", json!(""))),
            ("sid a number", claim("sid", json!(1))),
            ("sid unknown", claim("sid", json!(nobody))),
            ("sid nil", claim("sid", json!(nil))),
        ]
    }

    fn times(&self) -> Vec<Case> {
        let claim = |name: &str, value: Value| self.claims(&json!({name: value}));
        let now = self.claims["iat"].as_i64().unwrap();
        let with_exp = |exp: &str| {
            let (head, good) = (self.head.to_string(), self.claims["exp"].to_string());
            self.raw(head, self.claims.to_string().replace(&format!("\"exp\":{good}"), exp))
        };
        vec![
            ("exp missing", self.without_claim("exp")),
            ("exp null", claim("exp", Value::Null)),
            ("exp a moment ago", self.at(-300, -300, 0)),
            ("exp an hour ago", self.at(-4200, -4200, -3600)),
            ("exp zero", claim("exp", json!(0))),
            ("exp negative", claim("exp", json!(-1))),
            ("exp the least number", claim("exp", json!(i64::MIN))),
            ("exp the greatest number", claim("exp", json!(i64::MAX))),
            ("exp greater than that", claim("exp", json!(u64::MAX))),
            ("exp beyond any number", with_exp("\"exp\":1e999")),
            ("exp huge", with_exp("\"exp\":1e30")),
            ("exp not a number", with_exp("\"exp\":NaN")),
            ("exp with leading zeros", with_exp(&format!("\"exp\":00{}", now + 300))),
            ("exp a fraction", with_exp(&format!("\"exp\":{}.5", now + 300))),
            ("exp in milliseconds", claim("exp", json!((now + 300) * 1000))),
            ("exp text", claim("exp", json!((now + 300).to_string()))),
            ("exp a date", claim("exp", json!("2099-01-01T00:00:00Z"))),
            ("exp a list", claim("exp", json!([now + 300]))),
            ("exp true", claim("exp", json!(true))),
            ("exp twice", with_exp(&format!("\"exp\":1,\"exp\":{}", now + 300))),
            ("exp before iat", self.at(10, 10, 5)),
            ("lives a second too long", self.at(0, 0, 601)),
            ("lives a year", self.at(0, 0, 31_536_000)),
            ("nbf missing", self.without_claim("nbf")),
            ("nbf null", claim("nbf", Value::Null)),
            ("nbf in the future", self.at(0, 400, 500)),
            ("nbf text", claim("nbf", json!(now.to_string()))),
            ("nbf a fraction", claim("nbf", json!(0.5))),
            ("nbf negative", claim("nbf", json!(-1))),
            ("nbf huge", claim("nbf", json!(u64::MAX))),
            ("iat missing", self.without_claim("iat")),
            ("iat null", claim("iat", Value::Null)),
            ("iat in the future", self.at(400, 0, 500)),
            ("iat and nbf in the future", self.at(400, 400, 900)),
            ("iat too long ago", self.at(-900, -900, 300)),
            ("iat text", claim("iat", json!(now.to_string()))),
            ("iat a fraction", claim("iat", json!(0.5))),
            ("iat negative", claim("iat", json!(-1))),
            ("iat the least number", claim("iat", json!(i64::MIN))),
            ("iat the greatest number", claim("iat", json!(i64::MAX))),
        ]
    }
}

/// A token of this key, whatever it says.
fn signed_by(key: &NewKey, head: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    let body = format!("{}.{}", encoded(head), encoded(claims));
    let signature = signature(key, &body);
    format!("{body}.{signature}")
}

fn signature(key: &NewKey, body: &str) -> String {
    encoded(secrets::key_pair(&key.private).unwrap().sign(body.as_bytes()))
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(segment: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(segment).unwrap()
}

fn segment(token: &str, index: usize) -> &str {
    token.split('.').nth(index).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn merged(object: &Value, other: &Value) -> String {
    let mut object = object.clone();
    for (name, value) in other.as_object().unwrap() {
        object[name] = value.clone();
    }
    object.to_string()
}

fn without(object: &Value, name: &str) -> String {
    let mut object = object.clone();
    object.as_object_mut().unwrap().remove(name).unwrap();
    object.to_string()
}

fn flipped(mut signature: Vec<u8>, bit: usize) -> Vec<u8> {
    signature[bit / 8] ^= 1 << (bit % 8);
    signature
}

/// The same signature to who does not look closely.
fn plus_order(mut signature: Vec<u8>) -> Vec<u8> {
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    signature
}

/// The same bytes to who does not look closely: 64 bytes leave four bits of the last letter unused.
fn left_over(signature: &str) -> String {
    let (rest, last) = signature.split_at(signature.len() - 1);
    let next = match last {
        "A" => "B",
        "Q" => "R",
        "g" => "h",
        _ => "x",
    };
    format!("{rest}{next}")
}
