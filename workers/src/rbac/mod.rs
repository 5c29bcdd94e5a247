//! Access control: what ends is recorded when its time has come, and what is left of a deleted role is taken from its holders.

mod ends;
mod retire;

use std::time::Duration;

use crate::runtime::{Handler, Jobs, React, Reaction, never_mind};

/// What workers do for access control.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![
            Reaction {
                name: "rbac_ends",
                events: ends::EVENTS,
                react: React::Event(ends::on_event),
            },
            Reaction {
                name: "rbac_notices",
                events: ends::EVENTS,
                react: React::Event(ends::on_notice),
            },
            Reaction {
                name: "rbac_retire",
                events: &["rbac.policy.role_deleted"],
                react: React::Event(retire::on_deleted),
            },
        ],
        handlers: vec![Handler {
            kind: retire::KIND,
            slots: 1,
            lease: Duration::from_secs(30),
            max_attempts: 10,
            run: retire::run,
            // What remains gives nothing.
            give_up: never_mind,
            let_go: None,
            test: Some(retire::run),
        }],
        sweeps: Vec::new(),
    }
}
