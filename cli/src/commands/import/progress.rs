//! How far an import is: a bar on a terminal, one line per step elsewhere; and what it did.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::ProgressBar;
use serde::Serialize;

use crate::commands::bar;

/// What became of one thing that must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was not there.
    Created,
    /// It was there and is as it must be.
    There,
    /// It was there, had been altered, and is now as it must be.
    Restored,
}

/// How often each came out.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    pub(super) created: u64,
    pub(super) already_there: u64,
    pub(super) restored: u64,
}

/// One step of an import.
pub(super) struct Step {
    name: &'static str,
    bar: ProgressBar,
    created: AtomicU64,
    there: AtomicU64,
    restored: AtomicU64,
}

impl Step {
    pub(super) fn begin(name: &'static str, total: usize) -> Self {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let bar = bar::styled("{prefix:12} {bar:40} {human_pos}/{human_len} {per_sec} {eta}");
        bar.set_length(total);
        bar.set_prefix(name);
        let zero = AtomicU64::default;
        Self { name, bar, created: zero(), there: zero(), restored: zero() }
    }

    pub(super) fn count(&self, outcome: Outcome, number: usize) {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        let counter = match outcome {
            Outcome::Created => &self.created,
            Outcome::There => &self.there,
            Outcome::Restored => &self.restored,
        };
        counter.fetch_add(number, Ordering::Relaxed);
        self.bar.inc(number);
    }

    pub(super) fn end(self) -> Tally {
        let tally = Tally {
            created: self.created.into_inner(),
            already_there: self.there.into_inner(),
            restored: self.restored.into_inner(),
        };
        self.bar.finish_and_clear();
        eprintln!("{}", line(self.name, tally));
        tally
    }
}

fn line(name: &str, tally: Tally) -> String {
    let Tally { created, already_there, restored } = tally;
    let line = format!("{name:12} {created} created, {already_there} already there");
    if restored > 0 { format!("{line}, {restored} restored") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_counts_what_came_of_it() {
        let step = Step::begin("roles", 6);
        for (outcome, number) in
            [(Outcome::Created, 3), (Outcome::There, 2), (Outcome::Restored, 1)]
        {
            step.count(outcome, number);
        }
        let tally = step.end();
        assert_eq!(tally, Tally { created: 3, already_there: 2, restored: 1 });
        assert_eq!(line("roles", tally), "roles        3 created, 2 already there, 1 restored");
    }
}
