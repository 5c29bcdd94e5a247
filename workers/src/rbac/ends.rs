//! When assignments, protected roles and access to units end, and when their holders are told that they will.

use events::envelope::Recorded;
use events::rbac::policy::{self, Policy};
use events::rbac::user_access::{self, UserAccess};
use events::{Decider as _, RoleId, UnitId};
use jiff::Timestamp;
use serde_json::json;

use crate::runtime::{Effect, End};

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
const ROLE_NOTICE: &str = "rbac.assignment_notice";
const PROTECTED: &str = "rbac.protected_role";
const PROTECTED_NOTICE: &str = "rbac.protected_role_notice";
const PLANT: &str = "rbac.unit_access";

/// An end is recorded when it has come.
pub(super) fn on_event(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    Ok(read(event)?.map(End::record).into_iter().collect())
}

/// The holder of a role is told some days before its end.
pub(super) fn on_notice(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let told = read(event)?.and_then(of_notice);
    Ok(told.map(|end| end.announce(event.recorded_at)).into_iter().collect())
}

/// The same end as its notice; of access to a unit nobody is told.
fn of_notice(end: End) -> Option<End> {
    let kind = match end.kind {
        ROLE => ROLE_NOTICE,
        PROTECTED => PROTECTED_NOTICE,
        _ => return None,
    };
    Some(End { kind, ..end })
}

fn read(event: &Recorded) -> anyhow::Result<Option<End>> {
    Ok(match event.aggregate_type.as_str() {
        UserAccess::TYPE => of_user(&event.aggregate_id, &serde_json::from_str(&event.payload)?),
        Policy::TYPE => of_policy(&serde_json::from_str(&event.payload)?),
        other => anyhow::bail!("nothing of {other} ends"),
    })
}

fn of_user(user: &str, event: &user_access::Event) -> Option<End> {
    use user_access::Event;
    let role = |role_id: &RoleId, unit_id: &Option<UnitId>, at: Option<Timestamp>, begun| End {
        kind: ROLE,
        subject_id: format!("{user}/{role_id}/{}", place(*unit_id)),
        at,
        begun,
        address: format!("/rbac/users/{user}/roles/{role_id}"),
        body: json!({ "unit_id": unit_id }),
    };
    let plant = |unit_id: &UnitId, at: Option<Timestamp>| End {
        kind: PLANT,
        subject_id: format!("{user}/{unit_id}"),
        at,
        begun: true,
        address: format!("/rbac/users/{user}/plants/{unit_id}"),
        body: json!({}),
    };
    Some(match event {
        // There is no timer to forget, and none to set.
        Event::RoleAssigned { expires_at: None, .. } | Event::RoleEndAnnounced { .. } => {
            return None;
        }
        Event::RoleAssigned { role_id, unit_id, expires_at } => {
            role(role_id, unit_id, *expires_at, true)
        }
        Event::RoleExtended { role_id, unit_id, expires_at } => {
            role(role_id, unit_id, *expires_at, false)
        }
        Event::RoleShortened { role_id, unit_id, expires_at } => {
            role(role_id, unit_id, Some(*expires_at), false)
        }
        Event::RoleRemoved { role_id, unit_id, .. }
        | Event::RoleAssignmentExpired { role_id, unit_id } => role(role_id, unit_id, None, false),
        Event::UnitAccessGranted { unit_id, expires_at, .. } => plant(unit_id, *expires_at),
        Event::UnitAccessRevoked { unit_id, .. } | Event::UnitAccessExpired { unit_id } => {
            plant(unit_id, None)
        }
    })
}

/// Three events of many; the others are not asked for.
fn of_policy(event: &policy::Event) -> Option<End> {
    use policy::Event;
    let (user_id, role_id, unit_id, at) =
        if let Event::ProtectedRoleGranted { user_id, role_id, unit_id, expires_at } = event {
            (user_id, role_id, unit_id, *expires_at)
        } else if let Event::ProtectedRoleRevoked { user_id, role_id, unit_id, .. }
        | Event::ProtectedRoleExpired { user_id, role_id, unit_id } = event
        {
            (user_id, role_id, unit_id, None)
        } else {
            return None;
        };
    Some(End {
        kind: PROTECTED,
        subject_id: format!("{user_id}/{role_id}/{}", place(*unit_id)),
        at,
        begun: true,
        address: format!("/rbac/users/{user_id}/protected-roles/{role_id}"),
        body: json!({ "unit_id": unit_id }),
    })
}

fn place(unit: Option<UnitId>) -> String {
    unit.map(|unit| unit.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use events::UserId;
    use events::testing::{at, id};

    use super::*;
    use crate::runtime::Reminder;

    const NOW: &str = "2026-01-01T00:00:00Z";
    const END: &str = "2026-02-01T00:00:00Z";
    const SOON: &str = "2026-01-05T00:00:00Z";

    fn of_assignment(effect: fn(End) -> Option<Effect>) -> Vec<Option<Effect>> {
        use user_access::Event;
        let (role_id, unit_id) = (id(3), Some(id(4)));
        let (end, soon) = (at(END), at(SOON));
        let user = id::<UserId>(1).to_string();
        let events = [
            Event::RoleAssigned { role_id, unit_id, expires_at: None },
            Event::RoleAssigned { role_id, unit_id, expires_at: Some(end) },
            Event::RoleAssigned { role_id, unit_id, expires_at: Some(soon) },
            Event::RoleShortened { role_id, unit_id, expires_at: soon },
            Event::RoleExtended { role_id, unit_id, expires_at: None },
            Event::RoleEndAnnounced { role_id, unit_id, expires_at: end },
            Event::RoleRemoved { role_id, unit_id, reason: None },
            Event::RoleAssignmentExpired { role_id, unit_id },
        ];
        events.iter().map(|event| of_user(&user, event).and_then(effect)).collect()
    }

    fn announced(end: End) -> Option<Effect> {
        of_notice(end).map(|end| end.announce(at(NOW)))
    }

    fn subject_id() -> String {
        format!("{}/{}/{}", id::<UserId>(1), id::<RoleId>(3), id::<UnitId>(4))
    }

    fn reminded(kind: &'static str, what: &str, due: &str) -> Effect {
        let (user, role) = (id::<UserId>(1), id::<RoleId>(3));
        Effect::Remind(Reminder {
            kind,
            subject_id: subject_id(),
            due_at: at(due),
            path: format!("/rbac/users/{user}/roles/{role}/{what}"),
            body: json!({ "unit_id": id::<UnitId>(4) }),
        })
    }

    #[test]
    fn an_end_is_remembered_moved_and_forgotten() {
        let forgotten = || Some(Effect::Forget { kind: ROLE, subject_id: subject_id() });
        let reminded = |due| Some(reminded(ROLE, "expire", due));
        let expected = [
            None,
            reminded(END),
            reminded(SOON),
            reminded(SOON),
            forgotten(),
            None,
            forgotten(),
            forgotten(),
        ];
        assert_eq!(of_assignment(|end| Some(end.record())), expected);
    }

    #[test]
    fn a_notice_comes_seven_days_before_the_end_moves_with_it_and_goes_with_the_role() {
        let forgotten = || Some(Effect::Forget { kind: ROLE_NOTICE, subject_id: subject_id() });
        let reminded = |due| Some(reminded(ROLE_NOTICE, "announce-end", due));
        let expected = [
            None,
            reminded("2026-01-25T00:00:00Z"),
            forgotten(), // who gets a role for four days knows
            reminded("2025-12-29T00:00:00Z"),
            forgotten(),
            None,
            forgotten(),
            forgotten(),
        ];
        assert_eq!(of_assignment(announced), expected);
    }

    #[test]
    fn the_holder_of_a_protected_role_is_told_as_well_but_not_of_units() {
        let (user_id, role_id) = (id(1), id(3));
        let granted = policy::Event::ProtectedRoleGranted {
            user_id,
            role_id,
            unit_id: None,
            expires_at: Some(at(END)),
        };
        let effect = of_policy(&granted).and_then(announced);
        let Some(Effect::Remind(reminder)) = effect else { panic!("{effect:?}") };
        assert_eq!(
            (reminder.kind, reminder.due_at),
            (PROTECTED_NOTICE, at("2026-01-25T00:00:00Z"))
        );
        let path = format!("/rbac/users/{user_id}/protected-roles/{role_id}/announce-end");
        assert_eq!(reminder.path, path);
        let (level, expires_at) = (events::rbac::unit_access::Level::Read, Some(at(END)));
        let opened = user_access::Event::UnitAccessGranted { unit_id: id(4), level, expires_at };
        assert_eq!(of_user("1", &opened).and_then(announced), None);
    }
}
