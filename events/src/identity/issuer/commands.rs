//! What can be asked of an issuer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Algorithm, Mapping};

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begins to trust the issuer.
    Trust(Trust),
    /// Changes what is known of it.
    Change(Change),
    /// Ends its trust for a while, and the sessions that rest on it for good.
    Suspend(Suspend),
    /// Trusts it again.
    Reactivate,
    /// Ends its trust for good.
    Distrust,
}

/// Begins to trust an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// What people call it.
    pub name: String,
    /// Its address, exactly as in the `iss` of its tokens.
    pub issuer: String,
    /// What we are called there.
    pub audiences: Vec<String>,
    /// The only algorithms that it may sign with.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are; by discovery when absent.
    pub jwks_uri: Option<String>,
    /// How its tokens name users.
    pub mapping: Mapping,
    /// The domains of e-mail addresses that it speaks for.
    pub email_domains: Vec<String>,
    /// Whether somebody unknown becomes a user by a token.
    pub joins: bool,
}

/// Changes what is known of an issuer; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// What people call it.
    pub name: Option<String>,
    /// What we are called there.
    pub audiences: Option<Vec<String>>,
    /// The only algorithms that it may sign with.
    pub algorithms: Option<Vec<Algorithm>>,
    /// Where its keys are; by discovery when empty.
    pub jwks_uri: Option<String>,
    /// How its tokens name users.
    pub mapping: Option<Mapping>,
    /// The domains of e-mail addresses that it speaks for; all when empty.
    pub email_domains: Option<Vec<String>>,
    /// Whether somebody unknown becomes a user by a token.
    pub joins: Option<bool>,
}

/// Ends the trust in an issuer for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suspend {
    /// Why.
    pub reason: String,
}
