//! Sealing what an event must never carry: AES-256-GCM under keys derived from the master key, and random tokens.

use std::num::NonZeroU32;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use aws_lc_rs::pbkdf2;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use events::{SecretId, TenantId};
use hmac::{Hmac, Mac};
use rand::{RngExt, rngs};
use sha2::{Digest, Sha256};

/// First byte of every ciphertext, so that the algorithm can be changed later.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;
/// What Postgres and RFC 7677 take.
const SCRAM_ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();

/// The installation's master key; everything else is derived from it by label.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

/// Why something sealed cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key's text is not 32 bytes in base64.
    #[error(
        "ANNALS_MASTER_KEY must be 32 bytes in base64; make one with `openssl rand -base64 32`"
    )]
    Key,
    /// Wrong key, wrong place, or altered bytes.
    #[error("the sealed value does not open: wrong master key, or it was altered")]
    Open,
}

impl MasterKey {
    /// Reads the key from its setting.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| SealError::Key)?;
        bytes.try_into().map(Self).map_err(|_| SealError::Key)
    }

    /// A key for one purpose: HMAC-SHA-256 of the label, which is HKDF-Expand (RFC 5869) of one block.
    pub fn derive(&self, label: &str) -> [u8; 32] {
        hmac(&self.0, label.as_bytes())
    }

    /// A bearer token of 256 bits that follows from what it is `for_what`, so that it can be made again and kept nowhere.
    pub fn token(&self, label: &str, for_what: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac(&self.derive(label), for_what.as_bytes()))
    }

    /// Seals `plain`; `place` (tenant, table, row) is authenticated, so a ciphertext cannot be moved elsewhere.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = random();
        let cipher = Aes256Gcm::new(&self.derive("seal/v1").into());
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        let sealed = cipher.encrypt(&Nonce::from(nonce), payload).unwrap_or_default();
        [&[FORMAT][..], &nonce, &sealed].concat()
    }

    /// Opens what [`Self::seal`] sealed for the same place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (format, rest) = sealed.split_first().ok_or(SealError::Open)?;
        let (nonce, body) = rest.split_at_checked(NONCE_BYTES).ok_or(SealError::Open)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError::Open)?;
        if *format != FORMAT {
            return Err(SealError::Open);
        }
        let cipher = Aes256Gcm::new(&self.derive("seal/v1").into());
        let payload = Payload { msg: body, aad: place.as_bytes() };
        cipher.decrypt(&Nonce::from(nonce), payload).map_err(|_| SealError::Open)
    }
}

/// The place of a row of `secrets.secrets`, to which what it holds is sealed.
pub fn row_of(tenant: TenantId, id: SecretId) -> String {
    format!("{tenant}|secrets.secrets|{id}")
}

/// HMAC-SHA-256 (RFC 2104).
pub fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length, so this cannot fail.
    let Ok(mut mac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key) else { return [0; 32] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// What Postgres keeps of a password to sign in with: SCRAM-SHA-256 (RFC 5802, RFC 7677) as its own `password` takes it, so that
/// the password itself reaches neither the server nor its log. ASCII only: nothing is prepared (RFC 4013).
pub fn scram_verifier(password: &str) -> String {
    scram_verifier_with(password, random())
}

fn scram_verifier_with(password: &str, salt: [u8; 16]) -> String {
    let mut salted = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        SCRAM_ITERATIONS,
        &salt,
        password.as_bytes(),
        &mut salted,
    );
    let stored = Sha256::digest(hmac(&salted, b"Client Key"));
    let server = hmac(&salted, b"Server Key");
    let [salt, stored, server] = [&salt[..], &stored, &server].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256${SCRAM_ITERATIONS}:{salt}${stored}:{server}")
}

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rngs::ThreadRng::default().fill(&mut bytes);
    bytes
}

/// A bearer token of 256 random bits, as text safe in URLs.
pub fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

/// An Ed25519 key pair just made.
pub struct NewKey {
    /// Follows from the public half.
    pub kid: String,
    /// As PKCS #8; to be sealed.
    pub private: Vec<u8>,
    /// 32 bytes.
    pub public: Vec<u8>,
}

/// Makes an Ed25519 key pair.
pub fn new_key() -> anyhow::Result<NewKey> {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8v1(&random)
        .map_err(|_| anyhow::anyhow!("no Ed25519 key could be made"))?;
    let pair = key_pair(document.as_ref())?;
    let public = pair.public_key().as_ref().to_vec();
    let kid = hex::encode(&Sha256::digest(&public)[..8]);
    Ok(NewKey { kid, private: document.as_ref().to_vec(), public })
}

/// Reads an Ed25519 key pair as it is kept.
pub fn key_pair(private: &[u8]) -> anyhow::Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(private)
        .map_err(|_| anyhow::anyhow!("the Ed25519 key is not readable"))
}

/// SHA-256 of a token, in hex: what is stored of it.
pub fn fingerprint(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MasterKey {
        MasterKey::parse(&STANDARD.encode([7; 32])).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let sealed = key().seal("t1|row", b"hunter2");
        assert_eq!(key().open("t1|row", &sealed).unwrap(), b"hunter2");
        assert_eq!(key().open("t2|row", &sealed), Err(SealError::Open));
    }

    #[test]
    fn any_flipped_byte_is_found() {
        let sealed = key().seal("place", b"value");
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert_eq!(key().open("place", &altered), Err(SealError::Open), "byte {index}");
        }
    }

    #[test]
    fn a_token_can_be_made_again_and_differs_by_label_subject_and_key() {
        let token = key().token("a/v1", "one");
        assert_eq!(token, key().token("a/v1", "one"));
        let other = MasterKey::parse(&STANDARD.encode([8; 32])).unwrap();
        for another in
            [key().token("b/v1", "one"), key().token("a/v1", "two"), other.token("a/v1", "one")]
        {
            assert_ne!(token, another);
        }
    }

    /// The exchange of RFC 7677, section 3: what is kept must lead to the server's signature there.
    #[test]
    fn a_verifier_proves_the_server_as_in_the_standard() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let verifier = scram_verifier_with("pencil", salt);
        assert!(verifier.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{verifier}");
        let server = STANDARD.decode(verifier.rsplit(':').next().unwrap()).unwrap();
        let exchange = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
             r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = STANDARD.encode(hmac(&server, exchange.as_bytes()));
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_short_key_is_refused_with_the_remedy() {
        assert!(MasterKey::parse("c2hvcnQ=").err().unwrap().to_string().contains("openssl"));
    }
}
