//! Exports: files made from read models.

mod make;
mod refusal;
pub mod render;
mod rows;

use std::time::Duration;

use events::envelope::Recorded;
use serde_json::json;

use crate::runtime::{Effect, Handler, Jobs, Reaction};

const RENDER: &str = "exports.render";

/// What workers do for exports.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![Reaction {
            name: "exports_render",
            events: &[
                "exports.export.requested",
                "exports.export.retried",
                "exports.export.cancelled",
            ],
            react: on_export,
        }],
        handlers: vec![Handler {
            kind: RENDER,
            slots: 2,
            lease: Duration::from_secs(15),
            max_attempts: 5,
            run: make::run,
            give_up: make::give_up,
        }],
        sweeps: Vec::new(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
fn on_export(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let subject_id = event.aggregate_id.clone();
    if event.event_type == "exports.export.cancelled" {
        return Ok(vec![Effect::Cancel { kind: RENDER, subject_id }]);
    }
    Ok(vec![Effect::Start { kind: RENDER, subject_id, body: json!({}) }])
}
