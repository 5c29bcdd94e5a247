//! The end of an invitation is recorded when its time has come.

use events::envelope::Recorded;
use events::identity::invitation::Event;
use jiff::Timestamp;
use serde_json::json;

use crate::runtime::{Effect, Reminder};

pub(super) const EVENTS: &[&str] = &[
    "identity.invitation.issued",
    "identity.invitation.resent",
    "identity.invitation.expired",
    "identity.invitation.accepted",
    "identity.invitation.revoked",
    "identity.invitation.erased",
];

const INVITATION: &str = "identity.invitation";

pub(super) fn on_invitation(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
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
