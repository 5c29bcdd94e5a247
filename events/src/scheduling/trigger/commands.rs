//! What can be asked of a trigger.

use jiff::Timestamp;

use super::{Target, Terms};
use crate::scheduling::{Modifiers, Spec, Subject};

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begins it.
    Create(Create),
    /// Changes it, from a moment on.
    Revise(Revise),
    /// Lets nothing happen for a while.
    Pause,
    /// Goes on; what was due meanwhile is not made up for.
    Resume,
    /// The time of an occurrence has come.
    RecordFire {
        /// Which.
        occurrence: Timestamp,
    },
    /// A counter was read.
    RecordUsage {
        /// Where it stands, in its smallest unit.
        reading: u64,
    },
    /// An occurrence is not to happen.
    Skip {
        /// Which.
        occurrence: Timestamp,
    },
    /// What the command of an occurrence came to.
    RecordAnswer {
        /// Which.
        occurrence: Timestamp,
        /// What it came to.
        answer: Answer,
    },
    /// Calendars have changed.
    Replan,
    /// Brings about what the record wants that it belongs to, and begins it where it is not there.
    Follow {
        /// The record.
        managed_by: Subject,
    },
    /// Ends it for good.
    Cancel,
}

/// What the command of an occurrence came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done {
        /// The record that it is about.
        aggregate_id: String,
    },
    /// It was refused, and would be again.
    Refused {
        /// For programs.
        code: String,
        /// For people.
        detail: String,
    },
}

/// Begins a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// What people call it.
    pub name: String,
    /// What it leads to.
    pub target: Target,
    /// When.
    pub terms: Terms,
    /// Whether it begins at once.
    pub enabled: bool,
}

/// Changes a trigger; what is absent stays, and what is there without a value is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revise {
    /// What people call it.
    pub name: Option<String>,
    /// What it leads to.
    pub target: Option<Target>,
    /// When it recurs.
    pub spec: Option<Spec>,
    /// What holds for every occurrence.
    pub modifiers: Option<Modifiers>,
    /// Nothing happens after it.
    pub ends_at: Option<Option<Timestamp>>,
    /// So often it happens at most.
    pub max_fires: Option<Option<u64>>,
    /// So many seconds before an occurrence is due it happens.
    pub lead_secs: Option<Option<u64>>,
    /// Occurrences up to this moment keep what holds now; the present where none is given.
    pub effective_from: Option<Timestamp>,
}
