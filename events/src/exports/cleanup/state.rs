//! A clean-up as its rules see it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Event;

/// Old files that are to go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleanup {
    /// What was made before this moment goes; nothing as long as nobody asked.
    pub made_before: Option<Timestamp>,
}

impl Cleanup {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Requested { made_before, .. } => self.made_before = Some(*made_before),
        }
    }
}
