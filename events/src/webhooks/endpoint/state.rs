//! An address that hears of events as its rules see it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DisableReason, Event};
use crate::ids::{SecretId, UserId};
use crate::webhooks::Wanted;

/// An address elsewhere that hears of events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Whether it exists and hears of events.
    pub status: Status,
    /// Where it is.
    pub url: String,
    /// What it hears of, in order.
    pub events: Vec<Wanted>,
    /// What it is for.
    pub description: Option<String>,
    /// In whose name it is told.
    pub owned_by: UserId,
    /// The row of its secret.
    pub secret_id: SecretId,
    /// The row of the secret before, and until when that signs as well.
    pub overlap: Option<(SecretId, Timestamp)>,
    /// Since when it did not answer when its owner was told last.
    pub announced: Option<Timestamp>,
}

/// Whether an address hears of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// It does.
    Enabled,
    /// It does not, for this reason.
    Disabled(DisableReason),
    /// It never will again.
    Deleted,
}

impl Endpoint {
    /// Whether it is to hear of an event of that stored name.
    pub fn wants(&self, event_type: &str) -> bool {
        self.status == Status::Enabled && self.events.iter().any(|wanted| wanted.is(event_type))
    }

    /// The rows of the secrets that sign at a moment, the newest first.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = SecretId> {
        let before = self.overlap.filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        [self.secret_id].into_iter().chain(before)
    }

    /// Whether it exists.
    pub fn is_there(&self) -> bool {
        !matches!(self.status, Status::Absent | Status::Deleted)
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered { url, events, description, owned_by, secret_id } => {
                *self = Self {
                    status: Status::Enabled,
                    url: url.clone(),
                    events: events.clone(),
                    description: description.clone(),
                    owned_by: *owned_by,
                    secret_id: *secret_id,
                    overlap: None,
                    announced: None,
                };
            }
            Event::Revised { url, events, description } => {
                self.url.clone_from(url);
                self.events.clone_from(events);
                self.description.clone_from(description);
            }
            Event::SecretRotated { secret_id, old_valid_until } => {
                let before = std::mem::replace(&mut self.secret_id, *secret_id);
                self.overlap = old_valid_until.map(|until| (before, until));
            }
            Event::Disabled { reason } => self.status = Status::Disabled(*reason),
            Event::Enabled { owned_by } => {
                self.status = Status::Enabled;
                self.owned_by = *owned_by;
            }
            Event::FailingAnnounced { since } => self.announced = Some(*since),
            Event::Deleted => self.status = Status::Deleted,
            Event::TestRequested
            | Event::RedeliveryRequested { .. }
            | Event::DeliveryDeadLettered { .. } => {}
        }
    }
}
