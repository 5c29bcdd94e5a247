//! What follows from what happens to assets and tasks: triggers hear what counters show and what plans want of them, plans hear what
//! becomes of triggers and tasks, and people what is due.

mod drive;
mod due;
mod generation;
mod hearing;
mod usage;
mod warranty;

use std::time::Duration;

use crate::runtime::{Handler, Jobs, React, Reaction, never_mind, process};

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
            Reaction {
                name: "maintenance_schedules",
                events: drive::EVENTS,
                react: React::Event(drive::on_event),
            },
            Reaction {
                name: "maintenance_retired",
                events: hearing::RETIRED,
                react: React::Event(hearing::on_retired),
            },
            process::<generation::Generation>(),
            process::<hearing::Triggers>(),
            process::<hearing::Tasks>(),
            process::<due::Due>(),
        ],
        handlers: vec![
            Handler {
                kind: usage::KIND,
                slots: 2,
                lease: Duration::from_secs(30),
                max_attempts: 10,
                run: usage::run,
                // The next reading makes up for it.
                give_up: never_mind,
                let_go: None,
                test: Some(usage::run),
            },
            driving(),
        ],
        sweeps: Vec::new(),
    }
}

fn driving() -> Handler {
    Handler {
        kind: drive::KIND,
        slots: 2,
        lease: Duration::from_secs(30),
        max_attempts: 10,
        run: drive::run,
        give_up: never_mind,
        let_go: None,
        test: Some(drive::run),
    }
}
