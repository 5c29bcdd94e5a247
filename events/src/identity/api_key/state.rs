//! An API key as its rules see it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, Rejection, RevocationReason};
use crate::ids::UserId;
use crate::text::is_same_sha256;

/// What a program acts by in the name of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Whether it exists and can be used.
    pub status: Status,
    /// In whose name it acts.
    pub owner_id: UserId,
    /// What people call it.
    pub name: String,
    /// The permissions that it may use, names or patterns.
    pub scope: Vec<String>,
    /// How many times it has another secret.
    pub rotation: u32,
    /// SHA-256 of the secret that is good now.
    pub secret_sha256: String,
    /// The digest of the secret before, and until when it is good as well.
    pub overlap: Option<(String, Timestamp)>,
    /// From when on it is of no use.
    pub expires_at: Timestamp,
    /// Whether that was announced.
    #[serde(default)]
    pub announced: bool,
}

/// Where a key stands in its life; that it has expired is a matter of the clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// It can be used until it expires.
    Open,
    /// It was ended for good.
    Revoked(RevocationReason),
}

impl ApiKey {
    /// The rotation whose secret has this digest, among those that may still be good.
    pub fn rotation_of(&self, presented_sha256: &str) -> Option<u32> {
        // Both are looked at, so that the time taken does not tell which one matched.
        let now = is_same_sha256(&self.secret_sha256, presented_sha256);
        let before = self.overlap.as_ref().map_or("", |(digest, _)| digest);
        let before = is_same_sha256(before, presented_sha256);
        match (now, before) {
            (true, _) => Some(self.rotation),
            (false, true) => self.rotation.checked_sub(1),
            (false, false) => None,
        }
    }

    /// Whether what the key allows may still be done by whoever has the secret of a rotation.
    pub fn alive(&self, rotation: u32, now: Timestamp) -> Result<(), Rejection> {
        match self.status {
            Status::Absent => Err(Rejection::Unknown),
            Status::Revoked(_) => Err(Rejection::Revoked),
            Status::Open if self.expires_at <= now => Err(Rejection::Expired),
            Status::Open if rotation == self.rotation => Ok(()),
            Status::Open => {
                let overlaps = rotation.checked_add(1) == Some(self.rotation);
                let good = |(_, end): &(String, Timestamp)| overlaps && now < *end;
                if self.overlap.as_ref().is_some_and(good) {
                    Ok(())
                } else {
                    Err(Rejection::RotatedAway)
                }
            }
        }
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Created { owner_id, name, scope, secret_sha256, expires_at } => {
                *self = Self {
                    status: Status::Open,
                    owner_id: *owner_id,
                    name: name.clone(),
                    scope: scope.clone(),
                    rotation: 0,
                    secret_sha256: secret_sha256.clone(),
                    overlap: None,
                    expires_at: *expires_at,
                    announced: false,
                };
            }
            Event::Renamed { name } => self.name.clone_from(name),
            Event::Rotated { secret_sha256, expires_at, overlap_ends_at } => {
                let before = std::mem::replace(&mut self.secret_sha256, secret_sha256.clone());
                self.overlap = overlap_ends_at.map(|end| (before, end));
                self.rotation += 1;
                self.announced &= self.expires_at == *expires_at;
                self.expires_at = *expires_at;
            }
            Event::EndAnnounced { .. } => self.announced = true,
            Event::Revoked { reason } => self.status = Status::Revoked(*reason),
        }
    }
}
