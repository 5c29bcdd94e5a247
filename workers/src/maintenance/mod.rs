//! What follows from what happens to assets and tasks: triggers hear what counters show, and people what is due.

mod due;
mod usage;

use std::time::Duration;

use crate::runtime::{Handler, Jobs, React, Reaction, process};

/// What workers do for the upkeep of assets.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![
            Reaction {
                name: "maintenance_usage",
                events: usage::EVENTS,
                react: React::Event(usage::on_recorded),
            },
            process::<due::Due>(),
        ],
        handlers: vec![Handler {
            kind: usage::KIND,
            slots: 2,
            lease: Duration::from_secs(30),
            max_attempts: 10,
            run: usage::run,
            give_up: usage::give_up,
            let_go: None,
            test: Some(usage::run),
        }],
        sweeps: Vec::new(),
    }
}
