//! What follows from what happens to assets: triggers hear what their counters show, and the end of a warranty is announced.

mod usage;
mod warranty;

use std::time::Duration;

use crate::runtime::{Handler, Jobs, React, Reaction};

/// What workers do for the upkeep of assets.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![
            Reaction {
                name: "maintenance_usage",
                events: usage::EVENTS,
                react: React::Event(usage::on_recorded),
            },
            Reaction {
                name: "maintenance_warranty",
                events: warranty::EVENTS,
                react: React::Event(warranty::on_event),
            },
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
