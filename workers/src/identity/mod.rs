//! Identity: the end of an invitation is recorded when its time has come, and whoever was erased is forgotten everywhere.

mod erase;

use std::time::Duration;

use events::envelope::Recorded;
use events::identity::invitation::Event;
use jiff::Timestamp;
use serde_json::json;

use crate::runtime::{Effect, Handler, Jobs, Reaction, Reminder};

pub(crate) use erase::erase_again;

const INVITATION: &str = "identity.invitation";
const SHRED: &str = "identity.shred";

/// What workers do for identity.
pub(crate) fn jobs() -> Jobs {
    Jobs {
        reactions: vec![
            Reaction {
                name: "identity_ends",
                events: &[
                    "identity.invitation.issued",
                    "identity.invitation.resent",
                    "identity.invitation.expired",
                    "identity.invitation.accepted",
                    "identity.invitation.revoked",
                    "identity.invitation.erased",
                ],
                react: on_invitation,
            },
            Reaction {
                name: "identity_shred",
                events: &["identity.user.erased", "identity.invitation.erased"],
                react: on_erased,
            },
        ],
        handlers: vec![Handler {
            kind: SHRED,
            slots: 1,
            lease: Duration::from_secs(30),
            max_attempts: 50, // what was promised is done, however long an export takes
            run: erase::run,
            give_up: erase::give_up,
        }],
    }
}

fn on_invitation(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let end: Option<Timestamp> = match serde_json::from_str(&event.payload)? {
        Event::Issued { expires_at, .. } | Event::Resent { expires_at, .. } => Some(expires_at),
        Event::Expired { .. }
        | Event::Accepted { .. }
        | Event::Revoked { .. }
        | Event::Erased { .. } => None,
    };
    let (kind, subject_id) = (INVITATION, event.aggregate_id.clone());
    let path = format!("/invitations/{subject_id}/expire");
    Ok(vec![match end {
        Some(due_at) => {
            Effect::Remind(Reminder { kind, subject_id, due_at, path, body: json!({}) })
        }
        None => Effect::Forget { kind, subject_id },
    }])
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
