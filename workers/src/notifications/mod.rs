//! Notifications: who is told what because of an event, who is sent an e-mail of it, and for how long it stays.

mod account;
mod asset;
mod endpoint;
mod expire;
mod export;
mod letters;
mod mention;
mod plan;
mod task;
mod tell;
mod trigger;

use std::time::Duration;

use events::envelope::{Metadata, Recorded, meta};
use serde_json::json;

use crate::runtime::{Effect, Handler, Jobs, React, Reaction, Sweep, never_mind};

const SEND: &str = "notifications.send";
const MAIL: &str = "notifications.mail";

/// What workers do for notifications.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![
            Reaction {
                name: "notifications_tell",
                events: tell::EVENTS,
                react: React::Event(on_event),
            },
            Reaction {
                name: "notifications_mail",
                events: letters::EVENTS,
                react: React::Event(on_created),
            },
        ],
        handlers: vec![
            Handler {
                kind: SEND,
                slots: 4,
                lease: Duration::from_secs(15),
                max_attempts: 5,
                run: tell::run,
                give_up: never_mind,
                let_go: None,
                test: Some(tell::run),
            },
            Handler {
                kind: MAIL,
                slots: 4,
                lease: Duration::from_secs(30),
                max_attempts: 8, // a server that is away for an hour loses nothing
                run: letters::run,
                give_up: never_mind,
                let_go: None,
                test: Some(letters::run),
            },
        ],
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

/// What may go by e-mail as well; whether the recipient wants it so is asked when it is written.
fn on_created(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    if !letters::may_go(&event.payload)? {
        return Ok(Vec::new());
    }
    let subject_id = event.aggregate_id.clone();
    let body = json!({ "at": event.recorded_at });
    Ok(vec![Effect::Start { kind: MAIL, subject_id, body }])
}
