//! An invitation as its rules see it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Event;
use crate::ids::UserId;
use crate::personal::ERASED;
use crate::rbac::Assignment;

/// An invitation into the organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Whether it exists and can be accepted.
    pub status: Status,
    /// Where it goes.
    pub email: String,
    /// The roles that the invitee will have.
    pub roles: Vec<Assignment>,
    /// What the sender adds.
    pub message: Option<String>,
    /// Whoever sent it last, and answers for the roles.
    pub invited_by: UserId,
    /// SHA-256 of the token that is good now.
    pub token_sha256: String,
    /// How many times it was sent, each time with another token.
    pub sendings: i64,
    /// From when on it can no longer be accepted.
    pub expires_at: Timestamp,
}

/// Where an invitation stands in its life; that it has expired is a matter of the clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// It can be accepted until it expires.
    Open,
    /// It is recorded that it expired, and the address is free.
    Expired,
    /// It was accepted.
    Accepted,
    /// It was taken back.
    Revoked,
    /// Nothing is known of the invitee any more.
    Erased,
}

impl Invitation {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Issued { email, roles, message, invited_by, token_sha256, expires_at } => {
                *self = Self {
                    status: Status::Open,
                    email: email.clone(),
                    roles: roles.clone(),
                    message: message.clone(),
                    invited_by: *invited_by,
                    token_sha256: token_sha256.clone(),
                    sendings: 1,
                    expires_at: *expires_at,
                };
            }
            Event::Resent { invited_by, token_sha256, expires_at, email: _ } => {
                self.status = Status::Open;
                self.invited_by = *invited_by;
                self.token_sha256.clone_from(token_sha256);
                self.sendings += 1;
                self.expires_at = *expires_at;
            }
            Event::Expired { .. } => self.status = Status::Expired,
            Event::Accepted { .. } => self.status = Status::Accepted,
            Event::Revoked { .. } => self.status = Status::Revoked,
            Event::Erased { .. } => {
                self.status = Status::Erased;
                self.email = ERASED.into();
            }
        }
    }
}
