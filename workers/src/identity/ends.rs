//! The end of an invitation is recorded when its time has come, and so is that of an organisation that is to be purged.

use events::envelope::Recorded;
use events::identity::invitation::Event;
use events::identity::organization::Event as OfOrganization;
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
    use events::envelope::encode;
    use events::testing::{at, id};
    use uuid::Uuid;

    use super::*;

    fn after(event: &OfOrganization) -> Vec<Effect> {
        let encoded = encode(event).unwrap();
        let recorded = Recorded {
            position: 1,
            tenant_id: id(1),
            tenant_seq: 1,
            aggregate_type: "identity.organization".into(),
            aggregate_id: id::<TenantId>(1).to_string(),
            sequence: 1,
            event_id: Uuid::nil(),
            event_type: encoded.event_type,
            event_version: encoded.event_version,
            payload: encoded.payload,
            metadata: "{}".into(),
            recorded_at: Timestamp::UNIX_EPOCH,
            chain: Vec::new(),
        };
        on_organization(&recorded).unwrap()
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
}
