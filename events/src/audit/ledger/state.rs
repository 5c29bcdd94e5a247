//! The trail as a whole, as its rules see it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Archive, Event};

/// What of the trail is archived and dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The first day of the first month that nobody asked to archive.
    pub requested_before: Option<Date>,
    /// When the notary last began to refuse to sign the log.
    #[serde(default)]
    pub refused_since: Option<Timestamp>,
    /// The months that are archived.
    pub months: BTreeMap<Date, Month>,
}

/// A month that is archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Month {
    /// Its file.
    pub archive: Archive,
    /// Whether it is no longer in the trail.
    pub dropped: bool,
}

impl Ledger {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::ArchiveRequested { older_than } => {
                self.requested_before = self.requested_before.max(Some(*older_than));
            }
            Event::Archived(archive) => {
                let month = Month { archive: archive.clone(), dropped: false };
                self.months.insert(archive.month, month);
            }
            Event::MonthDropped { month } => {
                if let Some(month) = self.months.get_mut(month) {
                    month.dropped = true;
                }
            }
            Event::SigningRefused(refusal) => {
                self.refused_since = self.refused_since.max(Some(refusal.since));
            }
        }
    }
}
