//! Identity: the letters that people are written because of what happened to their account, and the end of invitations.

mod ends;
mod letters;

use std::time::Duration;

use events::envelope::Recorded;
use serde_json::json;

use crate::runtime::{Effect, Handler, Jobs, Reaction};

const MAIL: &str = "identity.mail";

/// What workers do for identity.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![
            Reaction { name: "identity_mail", events: letters::EVENTS, react: on_event },
            Reaction { name: "identity_ends", events: ends::EVENTS, react: ends::on_invitation },
        ],
        handlers: vec![Handler {
            kind: MAIL,
            slots: 4,
            lease: Duration::from_secs(30),
            max_attempts: 8, // a server that is away for an hour loses nothing
            run: letters::run,
            give_up: letters::give_up,
        }],
    }
}

/// The job says which event it is; what is in the letter is looked up when it is written, and no token is ever in a job.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
fn on_event(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let subject_id = event.aggregate_id.clone();
    let body = json!({"event": event.event_type, "version": event.sequence});
    Ok(vec![Effect::Start { kind: MAIL, subject_id, body }])
}
