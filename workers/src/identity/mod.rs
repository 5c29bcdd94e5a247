//! Identity: the letters that people are written because of what happened to their account or organisation, the end of
//! invitations, notices before that of API keys, and the forgetting of whoever was erased and of organisations that were purged.

mod ends;
mod erase;
mod letters;
mod purge;

use std::time::Duration;

use events::envelope::Recorded;
use serde_json::json;

use crate::runtime::{Effect, Handler, Jobs, React, Reaction, never_mind};

pub(crate) use erase::erase_again;
pub(crate) use letters::purge_news;

const MAIL: &str = "identity.mail";
const MAIL_ATTEMPTS: i32 = 8; // a server that is away for an hour loses nothing
const SHRED: &str = "identity.shred";
const PURGE: &str = "identity.purge";

/// What workers do for identity.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![
            Reaction {
                name: "identity_mail",
                events: letters::EVENTS,
                react: React::Event(on_event),
            },
            Reaction {
                name: "identity_ends",
                events: ends::EVENTS,
                react: React::Event(ends::on_invitation),
            },
            Reaction {
                name: "identity_key_notices",
                events: ends::OF_KEYS,
                react: React::Event(ends::on_key),
            },
            Reaction {
                name: "identity_shred",
                events: &["identity.user.erased", "identity.invitation.erased"],
                react: React::Event(on_erased),
            },
            Reaction {
                name: "identity_purge_due",
                events: ends::OF_ORGANIZATIONS,
                react: React::Event(ends::on_organization),
            },
            Reaction {
                name: "identity_purge",
                events: &["identity.organization.purged"],
                react: React::Event(on_purged),
            },
        ],
        handlers: vec![
            Handler {
                kind: MAIL,
                slots: 4,
                lease: Duration::from_secs(30),
                max_attempts: MAIL_ATTEMPTS,
                run: letters::run,
                give_up: never_mind,
                let_go: None,
                test: Some(letters::run),
            },
            Handler {
                kind: SHRED,
                slots: 1,
                lease: Duration::from_secs(30),
                max_attempts: 50, // what was promised is done, however long an export takes
                run: erase::run,
                give_up: never_mind,
                let_go: None,
                test: None,
            },
            Handler {
                kind: PURGE,
                slots: 1,
                lease: Duration::from_secs(15),
                max_attempts: 200, // two days of what holds it up, before somebody has to look
                run: purge::run,
                give_up: never_mind,
                let_go: None,
                test: None,
            },
        ],
        sweeps: Vec::new(),
    }
}

/// The job says which event it is; what is in the letter is looked up when it is written, and no token is ever in a job.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
fn on_event(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let subject_id = event.aggregate_id.clone();
    let body = json!({"event": event.event_type, "version": event.sequence});
    Ok(vec![Effect::Start { kind: MAIL, subject_id, body }])
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
fn on_erased(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let body = json!({
        "stream": event.aggregate_type,
        "position": event.position,
        "erased_at": event.recorded_at,
    });
    Ok(vec![Effect::Start { kind: SHRED, subject_id: event.aggregate_id.clone(), body }])
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
fn on_purged(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let body = json!({ "position": event.position, "erased_at": event.recorded_at });
    Ok(vec![Effect::Start { kind: PURGE, subject_id: event.aggregate_id.clone(), body }])
}
