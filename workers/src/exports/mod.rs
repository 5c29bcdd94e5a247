//! Exports: files made from read models.

mod as_of;
mod batch;
mod changes;
mod deliver;
mod expire;
mod file;
mod logo;
mod make;
mod manifest;
mod opening;
mod order;
mod refusal;
pub mod render;
mod rows;

use std::time::Duration;

use events::FileId;
use events::envelope::Recorded;
use events::exports::export::Export;
use platform::files::Files;
use serde_json::json;

use crate::making::{self, Filed};
use crate::runtime::{
    Effect, Handler, Job, Jobs, Office, React, Reaction, Sweep, never_mind, process,
};

const RENDER: &str = "exports.render";
const REMOVE: &str = "exports.remove";
const CLEAN_UP: &str = "exports.clean_up";
/// What takes away what is promised to go is tried for long.
const REMOVE_ATTEMPTS: i32 = 50;

const LEASE: Duration = Duration::from_secs(15);

/// What workers do for exports.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![
            Reaction {
                name: "exports_render",
                events: &[
                    "exports.export.requested",
                    "exports.export.retried",
                    "exports.export.cancel_requested",
                    "exports.export.cancelled",
                    "exports.export.deleted",
                    "exports.export.expired",
                    "exports.cleanup.requested",
                ],
                react: React::Event(on_export),
            },
            process::<deliver::Delivery>(),
            process::<batch::Batches>(),
            process::<batch::Items>(),
        ],
        handlers: vec![
            Handler {
                kind: RENDER,
                slots: 2,
                lease: LEASE,
                max_attempts: 5,
                run: make::run,
                give_up: make::give_up,
                let_go: Some(making::let_go::<Export>),
                test: Some(make::test),
            },
            Handler {
                kind: REMOVE,
                slots: 1,
                lease: LEASE,
                max_attempts: REMOVE_ATTEMPTS,
                run: expire::remove,
                give_up: never_mind,
                let_go: None,
                test: None,
            },
            Handler {
                kind: CLEAN_UP,
                slots: 1,
                lease: LEASE,
                max_attempts: 10,
                run: expire::clean_up,
                give_up: never_mind,
                let_go: None,
                test: None,
            },
        ],
        sweeps: vec![Sweep { name: "exports", run: expire::sweep }],
    }
}

fn on_export(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let subject_id = event.aggregate_id.clone();
    Ok(vec![match event.event_type.as_str() {
        "exports.export.cancel_requested" => Effect::Interrupt { kind: RENDER, subject_id },
        "exports.export.cancelled" => Effect::Cancel { kind: RENDER, subject_id },
        "exports.export.deleted" | "exports.export.expired" => {
            Effect::Start { kind: REMOVE, subject_id, body: json!({}) }
        }
        "exports.cleanup.requested" => {
            let body = serde_json::from_str(&event.payload)?;
            Effect::Start { kind: CLEAN_UP, subject_id, body }
        }
        _ => Effect::Start { kind: RENDER, subject_id, body: json!({}) },
    }])
}

impl Filed for Export {
    fn store(office: &Office) -> &Files {
        &office.files
    }

    fn beside(job: &Job, attempt: u32) -> Option<FileId> {
        Some(changes::digests_id(job, attempt))
    }
}
