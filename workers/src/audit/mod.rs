//! Audit: months of the trail written into files; the notary that signs the log runs beside.

pub mod archive;
pub(crate) mod notary;

use std::time::Duration;

use events::envelope::Recorded;
use serde_json::json;

use crate::runtime::{Effect, Handler, Jobs, React, Reaction, never_mind};

const ARCHIVE: &str = "audit.archive";

/// What workers do for audit.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![Reaction {
            name: "audit_archive",
            events: &["audit.ledger.archive_requested"],
            react: React::Event(on_request),
        }],
        handlers: vec![Handler {
            kind: ARCHIVE,
            slots: 1,
            lease: Duration::from_secs(30),
            max_attempts: 8,
            run: archive::run,
            // Nothing is dropped before it is archived.
            give_up: never_mind,
            let_go: None,
            test: None,
        }],
        sweeps: Vec::new(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
fn on_request(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let body = json!({"position": event.position});
    Ok(vec![Effect::Start { kind: ARCHIVE, subject_id: event.aggregate_id.clone(), body }])
}
