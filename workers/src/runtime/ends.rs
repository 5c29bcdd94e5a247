//! What has an end: that it has come is recorded, and whom it concerns is told of it some days before.

use events::notice::NOTICE;
use jiff::Timestamp;
use serde_json::Value;

use super::{Effect, Reminder};

/// An end that was set, moved or cleared.
pub(crate) struct End {
    /// The kind of its timer.
    pub(crate) kind: &'static str,
    pub(crate) subject_id: String,
    pub(crate) at: Option<Timestamp>,
    /// Whether what ends has only begun.
    pub(crate) begun: bool,
    /// Where commands about it go.
    pub(crate) address: String,
    pub(crate) body: Value,
}

impl End {
    /// It is recorded when it has come.
    pub(crate) fn record(self) -> Effect {
        let (due, path) = (self.at, format!("{}/expire", self.address));
        self.effect(due, path)
    }

    /// It is announced before it comes. Whoever gets something for fewer days than a notice is ahead knows its end from the
    /// beginning.
    pub(crate) fn announce(self, now: Timestamp) -> Effect {
        let due = self.at.and_then(|at| at.checked_sub(NOTICE).ok());
        let due = due.filter(|due| !self.begun || *due > now);
        let path = format!("{}/announce-end", self.address);
        self.effect(due, path)
    }

    fn effect(self, due: Option<Timestamp>, path: String) -> Effect {
        let Self { kind, subject_id, body, .. } = self;
        match due {
            Some(due_at) => Effect::Remind(Reminder { kind, subject_id, due_at, path, body }),
            None => Effect::Forget { kind, subject_id },
        }
    }
}
