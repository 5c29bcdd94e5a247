//! Who holds which role, where and until when; protected roles, which the policy grants, among them.

use events::rbac::policy::{self, Policy};
use events::rbac::user_access::{self, UserAccess};
use events::{Decider as _, RoleId, TenantId, UnitId, UserId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Assignments;

row!(Row {
    tenant_id: TenantId = Uuid,
    assignment_id: Uuid = Uuid,
    user_id: UserId = Uuid,
    role_id: RoleId = Uuid,
    unit_id: Option<UnitId> = Uuid,
    is_protected: bool = Boolean,
    expires_at: Option<Timestamp> = Timestamptz,
    assigned_by: Option<String> = Text,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

/// What an event says about one assignment.
enum Change {
    Made(Option<Timestamp>),
    Ended,
    Limited(Option<Timestamp>),
}

impl ReadModel for Assignments {
    const TABLE: Table = Table {
        name: "rbac_assignments",
        schema: "read",
        table: "rbac_assignments",
        key: &["tenant_id", "assignment_id"],
        group: "user_id",
        resource: ("rbac.assignment", "assignment_id"),
        columns: Row::COLUMNS,
        reads: &[Policy::TYPE, UserAccess::TYPE],
    };
    const BUILD: i32 = 1;
    const READS_METADATA: bool = true;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        if let Some(event) = fact.of::<Policy>()? {
            return Ok(granted(event).map(|(user_id, ..)| user_id.to_string()));
        }
        let Some(event) = fact.of::<UserAccess>()? else { return Ok(None) };
        Ok(assigned(event).map(|_| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        if let Some(event) = fact.of::<Policy>()? {
            let Some((user_id, held, change)) = granted(event) else { return Ok(()) };
            return apply(rows, fact, &new(fact, user_id, held, true), &change);
        }
        let Some(event) = fact.of::<UserAccess>()? else { return Ok(()) };
        let Some((held, change)) = assigned(event) else { return Ok(()) };
        apply(rows, fact, &new(fact, fact.stream_id()?, held, false), &change)
    }
}

/// The one id of a role held by a user in a place, by assignment or by grant of the policy.
fn id(user_id: UserId, held: (RoleId, Option<UnitId>), is_protected: bool) -> Uuid {
    const SPACE: Uuid = Uuid::from_u128(0x2c0f_7a56_3b0e_5d8a_9c41_77e0_52d1_ba96);
    let (role_id, unit_id) = held;
    let unit = unit_id.map(|unit| unit.to_string()).unwrap_or_default();
    Uuid::new_v5(&SPACE, format!("{user_id}/{role_id}/{unit}/{is_protected}").as_bytes())
}

fn new(fact: &Fact, user_id: UserId, held: (RoleId, Option<UnitId>), is_protected: bool) -> Row {
    Row {
        tenant_id: fact.tenant(),
        assignment_id: id(user_id, held, is_protected),
        user_id,
        role_id: held.0,
        unit_id: held.1,
        is_protected,
        expires_at: None,
        assigned_by: None,
        created_at: fact.at(),
        changed_at: fact.at(),
    }
}

fn apply(rows: &mut Rows<Row>, fact: &Fact, row: &Row, change: &Change) -> Result<(), FoldError> {
    let same = |other: &Row| other.assignment_id == row.assignment_id;
    match change {
        &Change::Made(expires_at) => {
            rows.remove(same); // one that has expired and was never cleared
            rows.insert(Row { expires_at, assigned_by: fact.actor_id(), ..row.clone() });
        }
        Change::Ended => {
            if rows.remove(same) == 0 {
                return Err(FoldError::absent("assignment", row.assignment_id));
            }
        }
        &Change::Limited(expires_at) => {
            let found = rows.change(same);
            let found = found.ok_or_else(|| FoldError::absent("assignment", row.assignment_id))?;
            found.expires_at = expires_at;
            found.changed_at = fact.at();
        }
    }
    Ok(())
}

fn assigned(event: &user_access::Event) -> Option<((RoleId, Option<UnitId>), Change)> {
    use user_access::Event;
    match event {
        Event::RoleAssigned { role_id, unit_id, expires_at } => {
            Some(((*role_id, *unit_id), Change::Made(*expires_at)))
        }
        Event::RoleRemoved { role_id, unit_id, .. }
        | Event::RoleAssignmentExpired { role_id, unit_id } => {
            Some(((*role_id, *unit_id), Change::Ended))
        }
        Event::RoleExtended { role_id, unit_id, expires_at } => {
            Some(((*role_id, *unit_id), Change::Limited(*expires_at)))
        }
        Event::RoleShortened { role_id, unit_id, expires_at } => {
            Some(((*role_id, *unit_id), Change::Limited(Some(*expires_at))))
        }
        Event::RoleEndAnnounced { .. }
        | Event::UnitAccessGranted { .. }
        | Event::UnitAccessRevoked { .. }
        | Event::UnitAccessExpired { .. } => None,
    }
}

fn granted(event: &policy::Event) -> Option<(UserId, (RoleId, Option<UnitId>), Change)> {
    use policy::Event;
    match event {
        Event::ProtectedRoleGranted { user_id, role_id, unit_id, expires_at } => {
            Some((*user_id, (*role_id, *unit_id), Change::Made(*expires_at)))
        }
        Event::ProtectedRoleRevoked { user_id, role_id, unit_id, .. }
        | Event::ProtectedRoleExpired { user_id, role_id, unit_id } => {
            Some((*user_id, (*role_id, *unit_id), Change::Ended))
        }
        Event::Initialized { .. }
        | Event::PermissionCreated { .. }
        | Event::PermissionDescribed { .. }
        | Event::PermissionRetired { .. }
        | Event::RoleCreated(_)
        | Event::RoleRenamed { .. }
        | Event::RoleDescribed { .. }
        | Event::RoleRaised { .. }
        | Event::RoleLowered { .. }
        | Event::RoleDeleted { .. }
        | Event::RolePermissionsReplaced { .. }
        | Event::PermissionGranted { .. }
        | Event::PermissionRevoked { .. }
        | Event::InheritanceAdded { .. }
        | Event::InheritanceRemoved { .. }
        | Event::TemplateInstantiated { .. }
        | Event::ProtectedRoleEndAnnounced { .. }
        | Event::ExclusiveRolesDefined { .. }
        | Event::ExclusiveRoleAdded { .. }
        | Event::ExclusiveRoleRemoved { .. }
        | Event::ExclusiveRolesTightened { .. }
        | Event::ExclusiveRolesRelaxed { .. }
        | Event::ExclusiveRolesRemoved { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn assigned(role: u128, unit: Option<u128>) -> user_access::Event {
        let (role_id, unit_id) = (id(role), unit.map(id));
        user_access::Event::RoleAssigned { role_id, unit_id, expires_at: None }
    }

    #[test]
    fn a_user_holds_a_role_once_per_unit() {
        let past = Past::default().with::<UserAccess>(
            id::<UserId>(1),
            [assigned(1, None), assigned(1, Some(9)), assigned(2, None)],
        );
        let rows = past.rows::<Assignments>();
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row["assigned_by"] == "somebody"));
    }

    #[test]
    fn an_assignment_is_shortened_extended_and_removed() {
        let (role_id, unit_id) = (id(1), None);
        let until = |text| Some(at(text));
        let shortened = user_access::Event::RoleShortened {
            role_id,
            unit_id,
            expires_at: at("2026-02-01T00:00:00Z"),
        };
        let extended = user_access::Event::RoleExtended {
            role_id,
            unit_id,
            expires_at: until("2026-03-01T00:00:00Z"),
        };
        let removed = user_access::Event::RoleRemoved { role_id, unit_id, reason: None };
        let after = |events: Vec<user_access::Event>| {
            Past::default().with::<UserAccess>(id::<UserId>(1), events).rows::<Assignments>()
        };
        let rows = after(vec![assigned(1, None), shortened.clone()]);
        assert_eq!(rows[0]["expires_at"], "2026-02-01T00:00:00Z");
        let rows = after(vec![assigned(1, None), shortened, extended]);
        assert_eq!(rows[0]["expires_at"], "2026-03-01T00:00:00Z");
        assert!(after(vec![assigned(1, None), removed]).is_empty());
    }

    #[test]
    fn a_grant_of_the_policy_stands_beside_an_assignment_of_the_same_role() {
        let (user_id, role_id, unit_id) = (id::<UserId>(1), id(1), None);
        let granted =
            policy::Event::ProtectedRoleGranted { user_id, role_id, unit_id, expires_at: None };
        let revoked =
            policy::Event::ProtectedRoleRevoked { user_id, role_id, unit_id, reason: None };
        let past = Past::default()
            .with::<UserAccess>(user_id, [assigned(1, None)])
            .with::<Policy>(id::<TenantId>(0), [granted]);
        assert_eq!(past.rows::<Assignments>().len(), 2);
        let row = past.with::<Policy>(id::<TenantId>(0), [revoked]).row::<Assignments>();
        assert_eq!(row["is_protected"], json!(false));
    }

    #[test]
    fn an_assignment_made_anew_after_it_expired_takes_the_old_ones_place() {
        let past = Past::default()
            .with::<UserAccess>(id::<UserId>(1), [assigned(1, None), assigned(1, None)]);
        assert_eq!(past.row::<Assignments>()["created_at"], "2026-01-01T12:00:02Z");
    }
}
