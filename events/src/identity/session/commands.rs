//! What can be asked of a session; none of it comes from a request's body as it stands.

use std::net::IpAddr;

use jiff::Timestamp;

use super::RevocationReason;
use crate::ids::{IssuerId, UserId};

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Opens the session.
    Start(Start),
    /// Exchanges the refresh token for the next.
    Refresh(Refresh),
    /// Ends the session.
    Revoke(Revoke),
}

/// Opens a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The user.
    pub user_id: UserId,
    /// SHA-256 of the refresh token, as 64 lower-case hexadecimal digits.
    pub refresh_sha256: String,
    /// When the session ends unless it is refreshed.
    pub expires_at: Timestamp,
    /// How the user proved who they are (RFC 8176), for example `pwd`.
    pub amr: Vec<String>,
    /// From where.
    pub ip: Option<IpAddr>,
    /// With which program; cut to what fits.
    pub user_agent: Option<String>,
    /// By whose token, where it was not a password of ours.
    pub exchanged: Option<Exchanged>,
}

/// The token of an issuer that a session is exchanged for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// Whose it is.
    pub issuer_id: IssuerId,
    /// SHA-256 of what the issuer signed.
    pub token_sha256: String,
}

/// Exchanges a refresh token for the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// SHA-256 of the token that was presented.
    pub presented_sha256: String,
    /// SHA-256 of the token that will be handed out.
    pub next_sha256: String,
    /// When the session ends unless it is refreshed again.
    pub expires_at: Timestamp,
}

/// Ends a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoke {
    /// Why.
    pub reason: RevocationReason,
}
