//! What a token of an issuer must say to count (OpenID Connect Core 3.1.3.7, RFC 8725); that it is signed is checked elsewhere.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Algorithm, Issuer};
use crate::text;

/// How far the issuer's clock may be off.
pub const LEEWAY_SECONDS: i64 = 30;
/// How long after it was issued a token can be exchanged.
pub const AGE_MAX_SECONDS: i64 = 600;
/// Longest subject (OpenID Connect Core 2).
pub const SUBJECT_MAX_BYTES: usize = 255;

/// The claims of a token that we look at; no other one matters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is about.
    pub sub: String,
    /// Whom it is for.
    pub aud: Audience,
    /// Who asked for it.
    #[serde(default)]
    pub azp: Option<String>,
    /// From when on it is of no use, in seconds since 1970.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Before when it is of no use.
    #[serde(default)]
    pub nbf: Option<i64>,
    /// The e-mail address of whom it is about.
    #[serde(default)]
    pub email: Option<String>,
    /// Whether the issuer has confirmed that address: `true`, and nothing that merely looks like it.
    #[serde(default)]
    pub email_verified: Option<Value>,
    /// The name of whom it is about.
    #[serde(default)]
    pub name: Option<String>,
}

/// One recipient, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Audience {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

/// Whom a token that counts is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identified {
    /// What the issuer calls them, and never calls anybody else.
    pub subject: String,
    /// Their e-mail address, where the issuer has confirmed it and speaks for its domain.
    pub email: Option<String>,
    /// Their name.
    pub name: Option<String>,
}

/// Why a token of an issuer does not count; for our records, never for whoever sent it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::EnumIter,
)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "EXCHANGE_")]
pub enum Unfit {
    /// Nobody whom the organisation ever trusted.
    #[error("the issuer is not one of the organisation")]
    IssuerUnknown,
    /// Signed with a key that the issuer does not have.
    #[error("the issuer has no such key")]
    KeyUnknown,
    /// About nobody whom we know.
    #[error("the subject is linked to nobody")]
    SubjectUnknown,
    /// About nobody whom we know, nor may know.
    #[error("nobody has the e-mail address, and the issuer's people do not join")]
    Stranger,
    /// The issuer is not trusted now.
    #[error("the issuer is not trusted now")]
    IssuerSuspended,
    /// Another issuer.
    #[error("the token names another issuer")]
    IssuerDiffers,
    /// Signed otherwise than was agreed.
    #[error("the token is signed with an algorithm that is not pinned")]
    AlgorithmNotPinned,
    /// Meant for others.
    #[error("the token is meant for others")]
    AudienceDiffers,
    /// Asked for by others.
    #[error("the token is meant for several, and another one asked for it")]
    PartyDiffers,
    /// Over.
    #[error("the token is expired")]
    Expired,
    /// Not yet.
    #[error("the token is from the future")]
    FromTheFuture,
    /// Issued too long ago.
    #[error("the token was issued more than {} minutes ago", AGE_MAX_SECONDS / 60)]
    TooOld,
    /// About nobody.
    #[error("the subject is empty or too long")]
    SubjectInvalid,
}

impl Issuer {
    /// Whether it may sign with this, now.
    pub fn signs_with(&self, algorithm: Algorithm) -> Result<(), Unfit> {
        if !self.is_trusted() {
            return Err(Unfit::IssuerSuspended);
        }
        let pinned = self.terms.algorithms.contains(&algorithm);
        if pinned { Ok(()) } else { Err(Unfit::AlgorithmNotPinned) }
    }

    /// Whom a token is about that it has signed, if the token counts now.
    pub fn identify(&self, claims: &Claims, now: Timestamp) -> Result<Identified, Unfit> {
        if !self.is_trusted() {
            return Err(Unfit::IssuerSuspended);
        }
        if claims.iss != self.issuer {
            return Err(Unfit::IssuerDiffers);
        }
        let is_ours = |name: &String| self.terms.audiences.contains(name);
        let audiences = claims.aud.all();
        if !audiences.iter().any(is_ours) {
            return Err(Unfit::AudienceDiffers);
        }
        if audiences.len() > 1 && !claims.azp.as_ref().is_some_and(is_ours) {
            return Err(Unfit::PartyDiffers);
        }
        is_of_now(claims, now.as_second())?;
        let subject = claims.sub.clone();
        if !(1..=SUBJECT_MAX_BYTES).contains(&subject.len()) {
            return Err(Unfit::SubjectInvalid);
        }
        let verified = claims.email_verified == Some(Value::Bool(true));
        let email = claims.email.clone().filter(|email| verified && self.speaks_for(email));
        Ok(Identified { subject, email, name: claims.name.clone() })
    }

    fn speaks_for(&self, email: &str) -> bool {
        let domains = &self.terms.email_domains;
        let Some((_, domain)) = email.rsplit_once('@') else { return false };
        domains.is_empty() || domains.contains(&text::fold(domain))
    }
}

fn is_of_now(claims: &Claims, now: i64) -> Result<(), Unfit> {
    let (late, early) = (now.saturating_sub(LEEWAY_SECONDS), now.saturating_add(LEEWAY_SECONDS));
    if claims.exp <= late {
        return Err(Unfit::Expired);
    }
    if claims.iat > early || claims.nbf.is_some_and(|nbf| nbf > early) {
        return Err(Unfit::FromTheFuture);
    }
    let oldest = late.saturating_sub(AGE_MAX_SECONDS);
    if claims.iat < oldest { Err(Unfit::TooOld) } else { Ok(()) }
}
