//! A user's presence as its rules see it.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::ids::SessionId;

/// How many places of a user are known again; of more, the oldest is new when it comes back.
pub const PLACES_MAX_COUNT: usize = 32;

/// The sessions of a user that are open, as far as is known, and where sessions opened from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Oldest first; one that has ended stays until somebody looks.
    pub open: Vec<SessionId>,
    /// The digests of places, newest last.
    #[serde(default)]
    pub places: Vec<String>,
}

impl Presence {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::SessionOpened { session_id, ended, displaced } => {
                self.open.retain(|open| !ended.contains(open) && !displaced.contains(open));
                self.open.push(*session_id);
            }
            Event::PlaceFirstSeen { place_sha256, .. } => {
                self.places.push(place_sha256.clone());
                let over = self.places.len().saturating_sub(PLACES_MAX_COUNT);
                self.places.drain(..over);
            }
        }
    }
}
