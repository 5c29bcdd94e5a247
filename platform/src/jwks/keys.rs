//! A key set (RFC 7517): of its keys those that can verify, each with the algorithms that go with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use events::identity::issuer::Algorithm;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

/// Most keys in a set.
pub(super) const KEYS_MOST: usize = 64;
const RSA_LEAST_BYTES: usize = 256;
const RSA_MOST_BYTES: usize = 1024;

/// The keys of a set that can verify.
#[derive(Default)]
pub(super) struct Keys(Vec<Known>);

struct Known {
    kid: Option<String>,
    /// The one algorithm that it is for, where the set says so.
    only: Option<String>,
    shape: Shape,
    key: DecodingKey,
}

/// What sort of key it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// A key as it is written; what else it has does not matter, and a private half is not looked at.
#[derive(Deserialize)]
struct Written {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a set; keys of a sort that we do not know are left out.
    pub(super) fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let Set { keys } = serde_json::from_slice(bytes)?;
        anyhow::ensure!(keys.len() <= KEYS_MOST, "the set has more than {KEYS_MOST} keys");
        let written = keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(Self(written.filter_map(known).collect()))
    }

    /// The key that a token names, or the only one that it can be where it names none; nothing where it is not certain.
    pub(super) fn pick(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let name: &str = algorithm.into();
        let mut fitting = self.0.iter().filter(|known| {
            let named = kid.is_none_or(|kid| known.kid.as_deref() == Some(kid));
            let meant = known.only.as_deref().is_none_or(|only| only == name);
            named && meant && known.shape == shape_for(algorithm)
        });
        let first = fitting.next()?;
        fitting.next().is_none().then(|| first.key.clone())
    }
}

fn shape_for(algorithm: Algorithm) -> Shape {
    match algorithm {
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => Shape::Rsa,
        Algorithm::ES256 => Shape::P256,
        Algorithm::ES384 => Shape::P384,
        Algorithm::EdDsa => Shape::Ed25519,
    }
}

fn known(written: Written) -> Option<Known> {
    let verifies = written.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && written.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !verifies {
        return None;
    }
    let (x, y) = (written.x.as_deref(), written.y.as_deref());
    let (shape, key) = match (written.kty.as_str(), written.crv.as_deref()) {
        ("RSA", None) => (Shape::Rsa, rsa(written.n.as_deref()?, written.e.as_deref()?)?),
        ("EC", Some("P-256")) => (Shape::P256, DecodingKey::from_ec_components(x?, y?).ok()?),
        ("EC", Some("P-384")) => (Shape::P384, DecodingKey::from_ec_components(x?, y?).ok()?),
        ("OKP", Some("Ed25519")) => (Shape::Ed25519, DecodingKey::from_ed_components(x?).ok()?),
        _ => return None,
    };
    Some(Known { kid: written.kid, only: written.alg, shape, key })
}

/// A key of 2048 to 8192 bits: a shorter one can be broken, and a longer one takes too long.
fn rsa(n: &str, e: &str) -> Option<DecodingKey> {
    let modulus = URL_SAFE_NO_PAD.decode(n).ok()?;
    let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
    let fits = (RSA_LEAST_BYTES..=RSA_MOST_BYTES).contains(&significant);
    fits.then(|| DecodingKey::from_rsa_components(n, e).ok())?
}
