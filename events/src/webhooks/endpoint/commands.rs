//! What can be asked of an address that hears of events.

use jiff::Timestamp;
use uuid::Uuid;

use crate::ids::{DeliveryId, SecretId};

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Has an address told from now on.
    Register(Register),
    /// Changes where, what and why.
    Revise(Revise),
    /// Gives it another secret.
    RotateSecret(RotateSecret),
    /// Tells it nothing until it is enabled.
    Disable,
    /// Tells it again, in the name of whoever says so.
    Enable,
    /// Has it told of this very command.
    SendTest,
    /// Has it told of one event once more.
    Redeliver(Redeliver),
    /// Tells it nothing any more.
    Delete,
    /// Records that one event could not be told.
    DeadLetter(DeadLetter),
    /// Records how it answers.
    Report(Report),
}

/// Has an address told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Where.
    pub url: String,
    /// Of which events: names, or their beginnings and a star.
    pub events: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The row of its secret.
    pub secret_id: SecretId,
}

/// Changes an address; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revise {
    /// Where.
    pub url: Option<String>,
    /// Of which events.
    pub events: Option<Vec<String>>,
    /// What it is for; nothing when there is to be no such text.
    pub description: Option<Option<String>>,
}

/// Gives an address another secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateSecret {
    /// The row of the next secret.
    pub secret_id: SecretId,
    /// How long the present one signs beside it.
    pub overlap_minutes: u32,
}

/// Has an address told once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeliver {
    /// What it was told, or was to be.
    pub delivery_id: DeliveryId,
    /// Of which event.
    pub event_id: Uuid,
    /// Where that stands in the log.
    pub position: i64,
}

/// One event could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What was to be told.
    pub delivery_id: DeliveryId,
    /// Of which event.
    pub event_id: Uuid,
    /// How often it was tried.
    pub attempts: u32,
    /// The status of the last answer, if there was one.
    pub last_status: Option<u16>,
}

/// How an address answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// It says that it is gone.
    Gone,
    /// Nothing has been told since then but in vain.
    Failing {
        /// Since when.
        since: Timestamp,
    },
    /// In whose name it is told may not see events any more.
    OwnerLost,
}
