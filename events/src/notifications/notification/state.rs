//! A notification as its rules see it.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::ids::UserId;

/// A message to one person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Where it stands.
    pub status: Status,
    /// The recipient.
    pub user_id: UserId,
}

/// Where a notification stands in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// The recipient has not read it.
    Unread,
    /// The recipient has read it.
    Read,
    /// The recipient has deleted it, or it was kept long enough.
    Deleted,
}

impl Notification {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Created { user_id, .. } => {
                *self = Self { status: Status::Unread, user_id: *user_id };
            }
            Event::Read => self.status = Status::Read,
            Event::Deleted | Event::Expired => self.status = Status::Deleted,
        }
    }
}
