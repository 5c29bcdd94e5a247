//! A user's presence as its rules see it.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::ids::SessionId;

/// The sessions of a user that are open, as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Oldest first; one that has ended stays until somebody looks.
    pub open: Vec<SessionId>,
}

impl Presence {
    pub(super) fn evolve(&mut self, event: &Event) {
        let Event::SessionOpened { session_id, ended, displaced } = event;
        self.open.retain(|open| !ended.contains(open) && !displaced.contains(open));
        self.open.push(*session_id);
    }
}
