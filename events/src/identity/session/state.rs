//! A session as its rules see it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, RevocationReason};
use crate::ids::{IssuerId, UserId};

/// How many exchanged refresh tokens a session recognises; older ones are refused as unknown.
pub const SPENT_MAX_TOKENS: usize = 256;

/// A signed-in session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Whether it exists and is open.
    pub status: Status,
    /// The user who signed in.
    pub user_id: UserId,
    /// How they proved who they are.
    pub amr: Vec<String>,
    /// How many times the refresh token was exchanged.
    pub rotation: u32,
    /// SHA-256 of the refresh token that is good now.
    pub refresh_sha256: String,
    /// SHA-256 of the tokens that were exchanged, oldest first.
    pub spent_sha256: Vec<String>,
    /// When the session ends unless it is refreshed.
    pub expires_at: Timestamp,
    /// How often all sessions of the user had been ended before.
    pub began_after: u32,
    /// The issuer whose word it rests on, and how often such sessions had been ended before.
    pub issuer: Option<(IssuerId, u32)>,
}

/// Where a session stands in its life; that it has expired is a matter of the clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// It is open until it expires.
    Open,
    /// It was ended.
    Revoked(RevocationReason),
}

impl Session {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Started {
                user_id,
                refresh_sha256,
                expires_at,
                amr,
                began_after,
                issuer_id,
                issuer_endings,
                ..
            } => {
                *self = Self {
                    status: Status::Open,
                    user_id: *user_id,
                    amr: amr.clone(),
                    refresh_sha256: refresh_sha256.clone(),
                    expires_at: *expires_at,
                    began_after: *began_after,
                    issuer: issuer_id.map(|id| (id, *issuer_endings)),
                    ..Self::default()
                };
            }
            Event::Refreshed { rotation, refresh_sha256, expires_at } => {
                self.rotation = *rotation;
                let spent = std::mem::replace(&mut self.refresh_sha256, refresh_sha256.clone());
                self.spent_sha256.push(spent);
                let over = self.spent_sha256.len().saturating_sub(SPENT_MAX_TOKENS);
                self.spent_sha256.drain(..over);
                self.expires_at = *expires_at;
            }
            Event::RefreshReuseDetected { .. } => {}
            Event::Revoked { reason } => {
                self.status = Status::Revoked(*reason);
                self.spent_sha256.clear();
            }
        }
    }
}
