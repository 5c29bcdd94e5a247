//! What can have happened to an issuer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::Claim;

/// The namespace of issuers' addresses, each trusted once in an organisation.
pub const URL: &str = "identity.issuer.url";

/// A fact about an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// The organisation took to trusting the issuer.
    #[serde(rename = "identity.issuer.trusted")]
    Trusted {
        /// What people call it.
        name: String,
        /// Its address, exactly as in the `iss` of its tokens.
        issuer: String,
        /// Which of its tokens count.
        terms: Terms,
    },
    /// The issuer is called otherwise.
    #[serde(rename = "identity.issuer.renamed")]
    Renamed {
        /// What people call it.
        name: String,
    },
    /// Other tokens of the issuer count.
    #[serde(rename = "identity.issuer.terms_replaced")]
    TermsReplaced {
        /// Which.
        terms: Terms,
    },
    /// None of its tokens count until it is reactivated, and the sessions that began with one ended.
    #[serde(rename = "identity.issuer.suspended")]
    Suspended {
        /// Why.
        reason: String,
    },
    /// Its tokens count again; sessions that ended stay so.
    #[serde(rename = "identity.issuer.reactivated")]
    Reactivated,
    /// Its tokens do not count any more, for good, and the sessions that began with one ended.
    #[serde(rename = "identity.issuer.distrusted")]
    Distrusted {
        /// Its address, free to be trusted anew.
        issuer: String,
    },
}

/// Which tokens of an issuer count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Terms {
    /// What we are called there: one of these must be in the `aud` of a token.
    pub audiences: Vec<String>,
    /// The only algorithms that it may sign with.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are; by discovery when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// How its tokens name users.
    pub mapping: Mapping,
    /// The domains of e-mail addresses that it speaks for; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email_domains: Vec<String>,
    /// Whether somebody unknown becomes a user by a token.
    #[serde(default)]
    pub joins: bool,
}

/// How an issuer's tokens name users.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Mapping {
    /// By a subject that was linked to a user before, and by nothing else.
    #[default]
    Subject,
    /// Likewise; a subject that is not linked yet is so by an e-mail address that both sides have confirmed.
    VerifiedEmail,
}

/// A way of signing that can be pinned: with a private key, and never with a secret that both sides know.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    #[strum(serialize = "EdDSA")]
    EdDsa,
}

impl crate::aggregate::Event for Event {
    fn claims(&self, _: &str) -> Vec<Claim> {
        match self {
            Self::Trusted { issuer, .. } => vec![Claim::take(URL, issuer)],
            Self::Distrusted { issuer } => vec![Claim::release(URL, issuer)],
            Self::Renamed { .. }
            | Self::TermsReplaced { .. }
            | Self::Suspended { .. }
            | Self::Reactivated => Vec::new(),
        }
    }
}
