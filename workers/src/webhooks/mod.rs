//! Webhooks: which events follow to which programs elsewhere, the calls that tell them, and what is noted of each.
//!
//! A program is told at least once: again where a worker dies between the program's answer and our note of it, under the same id.

mod book;
mod call;
mod deliver;
mod dispatch;
mod sign;

use std::time::Duration;

use crate::runtime::{Handler, Jobs, Sweep, process_of};

pub(crate) use call::Caller;
use dispatch::Dispatch;

/// The job that tells one program of one event.
const DELIVER: &str = "webhooks.deliver";

/// What workers do for webhooks.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![process_of::<Dispatch>(dispatch::events())],
        handlers: vec![Handler {
            kind: DELIVER,
            slots: 8,
            lease: Duration::from_secs(45),
            max_attempts: deliver::ATTEMPTS,
            run: deliver::run,
            give_up: deliver::give_up,
            let_go: None,
            test: Some(deliver::run),
        }],
        sweeps: vec![Sweep { name: "webhooks", run: book::sweep }],
    }
}
