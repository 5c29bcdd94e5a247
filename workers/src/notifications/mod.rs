//! Notifications: who is told what because of an event, and for how long it stays.

mod account;
mod expire;
mod tell;
mod trigger;

use std::time::Duration;

use events::envelope::{Metadata, Recorded, meta};
use serde_json::json;

use crate::runtime::{Effect, Handler, Jobs, Reaction, Sweep};

const SEND: &str = "notifications.send";

/// What workers do for notifications.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![Reaction {
            name: "notifications_tell",
            events: tell::EVENTS,
            react: on_event,
        }],
        handlers: vec![Handler {
            kind: SEND,
            slots: 4,
            lease: Duration::from_secs(15),
            max_attempts: 5,
            run: tell::run,
            give_up: tell::give_up,
            let_go: None,
            test: Some(tell::run),
        }],
        sweeps: vec![Sweep { name: "notifications", run: expire::sweep }],
    }
}

/// The job carries the event; whom it concerns is looked up when it is done.
fn on_event(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    if !tell::is_told(event) {
        return Ok(Vec::new());
    }
    let mut metadata: Metadata = serde_json::from_str(&event.metadata)?;
    let body = json!({
        "stream": event.aggregate_type,
        "stream_id": event.aggregate_id,
        "payload": event.payload,
        "actor_id": metadata.remove(meta::ACTOR_ID),
        "at": event.recorded_at,
    });
    Ok(vec![Effect::Start { kind: SEND, subject_id: event.event_id.to_string(), body }])
}
