//! What recurs: the next occurrence of every trigger is a timer, what happens leads to its command, and when a calendar changes,
//! triggers are planned anew.

mod carry_out;
mod fire;
mod naming;
mod replan;

use std::time::Duration;

use crate::runtime::{Handler, Jobs, React, Reaction, never_mind, process};

pub(crate) use naming::naming;

/// What workers do for what recurs.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![
            process::<fire::Scheduler>(),
            Reaction {
                name: "scheduling_carry_out",
                events: carry_out::EVENTS,
                react: React::Event(carry_out::on_fired),
            },
            Reaction {
                name: "scheduling_replan",
                events: replan::EVENTS,
                react: React::Event(replan::on_changed),
            },
        ],
        handlers: vec![
            carrying_out(),
            Handler {
                kind: replan::KIND,
                slots: 1,
                lease: Duration::from_secs(30),
                max_attempts: 10,
                run: replan::run,
                // An occurrence on a closed day is refused when it is due.
                give_up: never_mind,
                let_go: None,
                test: Some(replan::run),
            },
        ],
        sweeps: Vec::new(),
    }
}

fn carrying_out() -> Handler {
    Handler {
        kind: carry_out::KIND,
        slots: 4,
        lease: Duration::from_secs(30),
        max_attempts: 10,
        run: carry_out::run,
        give_up: carry_out::give_up,
        let_go: None,
        test: Some(carry_out::run),
    }
}
