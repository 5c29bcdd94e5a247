//! Exports: files made from read models.

mod as_of;
mod file;
mod make;
mod manifest;
mod opening;
mod order;
mod refusal;
pub mod render;
mod rows;

use std::time::Duration;

use events::envelope::Recorded;
use events::exports::export::Export;
use platform::files::Files;
use serde_json::json;

use crate::making::{self, Filed};
use crate::runtime::{Effect, Handler, Jobs, Office, Reaction};

const RENDER: &str = "exports.render";

/// What workers do for exports.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![Reaction {
            name: "exports_render",
            events: &[
                "exports.export.requested",
                "exports.export.retried",
                "exports.export.cancel_requested",
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
            let_go: Some(making::let_go::<Export>),
            test: Some(make::test),
        }],
        sweeps: Vec::new(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
fn on_export(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let subject_id = event.aggregate_id.clone();
    Ok(vec![match event.event_type.as_str() {
        "exports.export.cancel_requested" => Effect::Interrupt { kind: RENDER, subject_id },
        "exports.export.cancelled" => Effect::Cancel { kind: RENDER, subject_id },
        _ => Effect::Start { kind: RENDER, subject_id, body: json!({}) },
    }])
}

impl Filed for Export {
    fn store(office: &Office) -> &Files {
        &office.files
    }
}
