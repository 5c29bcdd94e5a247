//! When assignments, protected roles and access to units end.

use events::envelope::Recorded;
use events::rbac::policy::{self, Policy};
use events::rbac::user_access::{self, UserAccess};
use events::{Decider as _, RoleId, UnitId};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::runtime::{Effect, Reminder};

/// The events that set, move or clear an end.
pub(super) const EVENTS: &[&str] = &[
    "rbac.user_access.role_assigned",
    "rbac.user_access.role_removed",
    "rbac.user_access.role_assignment_expired",
    "rbac.user_access.role_extended",
    "rbac.user_access.role_shortened",
    "rbac.user_access.unit_access_granted",
    "rbac.user_access.unit_access_revoked",
    "rbac.user_access.unit_access_expired",
    "rbac.policy.protected_role_granted",
    "rbac.policy.protected_role_revoked",
    "rbac.policy.protected_role_expired",
];

const ROLE: &str = "rbac.assignment";
const PROTECTED: &str = "rbac.protected_role";
const PLANT: &str = "rbac.unit_access";

/// What an event says about an end.
pub(super) fn on_event(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let effect = match event.aggregate_type.as_str() {
        UserAccess::TYPE => of_user(&event.aggregate_id, &serde_json::from_str(&event.payload)?),
        Policy::TYPE => of_policy(&serde_json::from_str(&event.payload)?),
        other => anyhow::bail!("nothing of {other} ends"),
    };
    Ok(effect.into_iter().collect())
}

fn of_user(user: &str, event: &user_access::Event) -> Option<Effect> {
    use user_access::Event;
    let role = |role_id: &RoleId, unit_id: &Option<UnitId>, end: Option<Timestamp>| {
        let path = format!("/rbac/users/{user}/roles/{role_id}/expire");
        let subject = format!("{user}/{role_id}/{}", place(*unit_id));
        Some(effect((ROLE, subject), end, path, json!({ "unit_id": unit_id })))
    };
    let plant = |unit_id: &UnitId, end: Option<Timestamp>| {
        let path = format!("/rbac/users/{user}/plants/{unit_id}/expire");
        Some(effect((PLANT, format!("{user}/{unit_id}")), end, path, json!({})))
    };
    match event {
        Event::RoleAssigned { expires_at: None, .. } => None, // there is no timer to forget
        Event::RoleAssigned { role_id, unit_id, expires_at }
        | Event::RoleExtended { role_id, unit_id, expires_at } => {
            role(role_id, unit_id, *expires_at)
        }
        Event::RoleShortened { role_id, unit_id, expires_at } => {
            role(role_id, unit_id, Some(*expires_at))
        }
        Event::RoleRemoved { role_id, unit_id, .. }
        | Event::RoleAssignmentExpired { role_id, unit_id } => role(role_id, unit_id, None),
        Event::UnitAccessGranted { unit_id, expires_at, .. } => plant(unit_id, *expires_at),
        Event::UnitAccessRevoked { unit_id, .. } | Event::UnitAccessExpired { unit_id } => {
            plant(unit_id, None)
        }
    }
}

/// Three events of many; the others are not asked for.
fn of_policy(event: &policy::Event) -> Option<Effect> {
    use policy::Event;
    let (user_id, role_id, unit_id, end) =
        if let Event::ProtectedRoleGranted { user_id, role_id, unit_id, expires_at } = event {
            (user_id, role_id, unit_id, *expires_at)
        } else if let Event::ProtectedRoleRevoked { user_id, role_id, unit_id, .. }
        | Event::ProtectedRoleExpired { user_id, role_id, unit_id } = event
        {
            (user_id, role_id, unit_id, None)
        } else {
            return None;
        };
    let path = format!("/rbac/users/{user_id}/protected-roles/{role_id}/expire");
    let subject = format!("{user_id}/{role_id}/{}", place(*unit_id));
    Some(effect((PROTECTED, subject), end, path, json!({ "unit_id": unit_id })))
}

fn place(unit: Option<UnitId>) -> String {
    unit.map(|unit| unit.to_string()).unwrap_or_default()
}

fn effect(
    (kind, subject_id): (&'static str, String),
    end: Option<Timestamp>,
    path: String,
    body: Value,
) -> Effect {
    match end {
        Some(due_at) => Effect::Remind(Reminder { kind, subject_id, due_at, path, body }),
        None => Effect::Forget { kind, subject_id },
    }
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};

    use super::*;

    #[test]
    fn an_end_is_remembered_moved_and_forgotten() {
        use user_access::Event;
        let (role_id, unit_id) = (id(3), Some(id(4)));
        let end = at("2026-02-01T00:00:00Z");
        let (user, subject_id) = (id::<events::UserId>(1).to_string(), |user: &str| {
            format!("{user}/{}/{}", id::<RoleId>(3), id::<UnitId>(4))
        });
        let reminded = Effect::Remind(Reminder {
            kind: ROLE,
            subject_id: subject_id(&user),
            due_at: end,
            path: format!("/rbac/users/{user}/roles/{role_id}/expire"),
            body: json!({ "unit_id": unit_id }),
        });
        let forgotten = Effect::Forget { kind: ROLE, subject_id: subject_id(&user) };
        for (event, effect) in [
            (Event::RoleAssigned { role_id, unit_id, expires_at: None }, None),
            (Event::RoleAssigned { role_id, unit_id, expires_at: Some(end) }, Some(&reminded)),
            (Event::RoleShortened { role_id, unit_id, expires_at: end }, Some(&reminded)),
            (Event::RoleExtended { role_id, unit_id, expires_at: None }, Some(&forgotten)),
            (Event::RoleRemoved { role_id, unit_id, reason: None }, Some(&forgotten)),
            (Event::RoleAssignmentExpired { role_id, unit_id }, Some(&forgotten)),
        ] {
            assert_eq!(of_user(&user, &event).as_ref(), effect, "{event:?}");
        }
    }
}
