//! The end of an invitation is recorded when its time has come, and so is that of an organisation that is to be purged; that of
//! an API key is announced.

use events::envelope::Recorded;
use events::identity::api_key::Event as OfKey;
use events::identity::invitation::Event;
use events::identity::organization::Event as OfOrganization;
use jiff::Timestamp;
use serde_json::json;

use crate::runtime::{Effect, End, Reminder};

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
    let subject_id = event.aggregate_id.clone();
    let address = format!("/invitations/{subject_id}");
    let (kind, body) = (INVITATION, json!({}));
    Ok(vec![End { kind, subject_id, at: end, begun: true, address, body }.record()])
}

pub(super) const OF_KEYS: &[&str] =
    &["identity.api_key.created", "identity.api_key.rotated", "identity.api_key.revoked"];

const KEY_NOTICE: &str = "identity.api_key_notice";

/// A key is over by the clock, and nothing more has to be recorded of it then.
pub(super) fn on_key(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let (at, begun) = match serde_json::from_str(&event.payload)? {
        OfKey::Created { expires_at, .. } => (Some(expires_at), true),
        OfKey::Rotated { expires_at, .. } => (Some(expires_at), false),
        OfKey::Revoked { .. } => (None, false),
        OfKey::Renamed { .. } | OfKey::EndAnnounced { .. } => return Ok(Vec::new()),
    };
    let subject_id = event.aggregate_id.clone();
    let address = format!("/api-keys/{subject_id}");
    let (kind, body) = (KEY_NOTICE, json!({}));
    let end = End { kind, subject_id, at, begun, address, body };
    Ok(vec![end.announce(event.recorded_at)])
}

pub(super) const OF_ORGANIZATIONS: &[&str] = &[
    "identity.organization.purge_confirmed",
    "identity.organization.purge_cancelled",
    "identity.organization.purged",
];

const PURGE: &str = "identity.purge";

pub(super) fn on_organization(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let (kind, subject_id) = (PURGE, event.aggregate_id.clone());
    // Three events of many; the others are not asked for.
    let effective_at = match serde_json::from_str(&event.payload)? {
        OfOrganization::PurgeConfirmed { effective_at, .. } => Some(effective_at),
        OfOrganization::PurgeCancelled
        | OfOrganization::Purged
        | OfOrganization::PurgeRequested { .. }
        | OfOrganization::Created { .. }
        | OfOrganization::Renamed { .. }
        | OfOrganization::Suspended { .. }
        | OfOrganization::Reactivated
        | OfOrganization::UnitAdded { .. }
        | OfOrganization::UnitMoved { .. }
        | OfOrganization::UnitRenamed { .. }
        | OfOrganization::UnitClosed { .. } => None,
    };
    let path = format!("/organizations/{subject_id}/purge/run");
    Ok(vec![match effective_at {
        Some(due_at) => {
            Effect::Remind(Reminder { kind, subject_id, due_at, path, body: json!({}) })
        }
        None => Effect::Forget { kind, subject_id },
    }])
}

#[cfg(test)]
mod tests {
    use events::TenantId;
    use events::identity::api_key::ApiKey;
    use events::identity::organization::Organization;
    use events::testing::{at, id};

    use super::*;
    use crate::testing::recorded;

    fn after(event: &OfOrganization) -> Vec<Effect> {
        on_organization(&recorded::<Organization>(id(1), event)).unwrap()
    }

    #[test]
    fn a_confirmed_purge_is_waited_for_until_it_is_cancelled_or_done() {
        let due_at = at("2026-01-08T12:00:00Z");
        let confirmed = OfOrganization::PurgeConfirmed { by: id(2), effective_at: due_at };
        let subject_id = id::<TenantId>(1).to_string();
        let path = format!("/organizations/{subject_id}/purge/run");
        let kind = PURGE;
        let reminder =
            Reminder { kind, subject_id: subject_id.clone(), due_at, path, body: json!({}) };
        assert_eq!(after(&confirmed), [Effect::Remind(reminder)]);
        for over in [OfOrganization::PurgeCancelled, OfOrganization::Purged] {
            assert_eq!(after(&over), [Effect::Forget { kind, subject_id: subject_id.clone() }]);
        }
    }

    #[test]
    fn a_notice_comes_seven_days_before_a_key_ends_and_moves_and_goes_with_it() {
        let subject_id = || id::<TenantId>(1).to_string();
        let of = |end: &str| (at(end), "feed".to_owned());
        let created = |end| {
            let ((expires_at, secret_sha256), (name, scope)) = (of(end), ("x".into(), vec![]));
            OfKey::Created { owner_id: id(3), name, scope, secret_sha256, expires_at }
        };
        let rotated = |end| {
            let ((expires_at, secret_sha256), overlap_ends_at) = (of(end), None);
            OfKey::Rotated { secret_sha256, expires_at, overlap_ends_at }
        };
        let after = |event| on_key(&recorded::<ApiKey>(id(1), &event)).unwrap();
        let forgotten = || [Effect::Forget { kind: KEY_NOTICE, subject_id: subject_id() }];
        let reminded = |due: &str| {
            let path = format!("/api-keys/{}/announce-end", subject_id());
            let (kind, due_at, body) = (KEY_NOTICE, at(due), json!({}));
            [Effect::Remind(Reminder { kind, subject_id: subject_id(), due_at, path, body })]
        };
        let (far, near) = ("2026-02-01T00:00:00Z", "2026-01-05T00:00:00Z");
        assert_eq!(after(created(far)), reminded("2026-01-25T00:00:00Z"));
        assert_eq!(after(created(near)), forgotten(), "whoever makes a key for four days knows");
        assert_eq!(after(rotated(far)), reminded("2026-01-25T00:00:00Z"));
        assert_eq!(after(rotated(near)), reminded("2025-12-29T00:00:00Z"));
        let reason = events::identity::api_key::RevocationReason::Unneeded;
        assert_eq!(after(OfKey::Revoked { reason }), forgotten());
        assert_eq!(after(OfKey::EndAnnounced { expires_at: at(near) }), []);
    }
}
