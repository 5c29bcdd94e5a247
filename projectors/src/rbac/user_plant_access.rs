//! Which user has access to which unit, how far and until when.

use events::rbac::unit_access::Level;
use events::rbac::user_access::{Event, UserAccess};
use events::{Decider as _, TenantId, UnitId, UserId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct UserPlantAccess;

row!(Row {
    tenant_id: TenantId = Uuid,
    access_id: Uuid = Uuid,
    user_id: UserId = Uuid,
    unit_id: UnitId = Uuid,
    level: String = Text,
    role_code: String = Text,
    expires_at: Option<Timestamp> = Timestamptz,
    granted_by: Option<String> = Text,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for UserPlantAccess {
    const TABLE: Table = Table {
        name: "rbac_user_plant_access",
        schema: "read",
        table: "rbac_user_plant_access",
        key: &["tenant_id", "access_id"],
        group: "user_id",
        resource: ("rbac.plant_access", "access_id"),
        columns: Row::COLUMNS,
        reads: &[UserAccess::TYPE],
    };
    const BUILD: i32 = 1;
    const READS_METADATA: bool = true;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let Some(event) = fact.of::<UserAccess>()? else { return Ok(None) };
        Ok(unit(event).map(|_| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<UserAccess>()? else { return Ok(()) };
        let Some(unit_id) = unit(event) else { return Ok(()) };
        if let Event::UnitAccessGranted { level, expires_at, .. } = event {
            grant(rows, fact, (unit_id, *level), *expires_at)?;
        } else if rows.remove(|row| row.unit_id == unit_id) == 0 {
            return Err(FoldError::absent("access to the unit", unit_id));
        }
        Ok(())
    }
}

fn unit(event: &Event) -> Option<UnitId> {
    match event {
        Event::UnitAccessGranted { unit_id, .. }
        | Event::UnitAccessRevoked { unit_id, .. }
        | Event::UnitAccessExpired { unit_id } => Some(*unit_id),
        Event::RoleAssigned { .. }
        | Event::RoleRemoved { .. }
        | Event::RoleAssignmentExpired { .. }
        | Event::RoleEndAnnounced { .. }
        | Event::RoleExtended { .. }
        | Event::RoleShortened { .. } => None,
    }
}

fn grant(
    rows: &mut Rows<Row>,
    fact: &Fact,
    (unit_id, level): (UnitId, Level),
    expires_at: Option<Timestamp>,
) -> Result<(), FoldError> {
    let name: &str = level.into();
    if let Some(row) = rows.change(|row| row.unit_id == unit_id) {
        row.level = name.into();
        row.role_code = level.code().into();
        row.expires_at = expires_at;
        row.granted_by = fact.actor_id();
        row.changed_at = fact.at();
        return Ok(());
    }
    let user_id: UserId = fact.stream_id()?;
    rows.insert(Row {
        tenant_id: fact.tenant(),
        access_id: id(user_id, unit_id),
        user_id,
        unit_id,
        level: name.into(),
        role_code: level.code().into(),
        expires_at,
        granted_by: fact.actor_id(),
        created_at: fact.at(),
        changed_at: fact.at(),
    });
    Ok(())
}

/// The one id of a user's access to a unit.
fn id(user_id: UserId, unit_id: UnitId) -> Uuid {
    const SPACE: Uuid = Uuid::from_u128(0x7a90_3c1e_58d4_5b6f_8e02_1d75_c6ab_4093);
    Uuid::new_v5(&SPACE, format!("{user_id}/{unit_id}").as_bytes())
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};

    use super::*;
    use crate::testing::Past;

    fn granted(unit: u128, level: Level) -> Event {
        let expires_at = Some(at("2026-02-01T00:00:00Z"));
        Event::UnitAccessGranted { unit_id: id(unit), level, expires_at }
    }

    fn rows(events: impl IntoIterator<Item = Event>) -> Vec<serde_json::Value> {
        Past::default().with::<UserAccess>(id::<UserId>(1), events).rows::<UserPlantAccess>()
    }

    #[test]
    fn a_user_has_access_to_a_unit_once_at_the_level_given_last() {
        let found = rows([granted(9, Level::Read), granted(9, Level::Admin)]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0]["level"], &found[0]["role_code"]),
            (&"admin".into(), &"unit-admin".into())
        );
        assert_eq!(found[0]["granted_by"], "somebody");
        assert_eq!(found[0]["expires_at"], "2026-02-01T00:00:00Z");
    }

    #[test]
    fn access_that_was_revoked_or_has_expired_has_no_row() {
        let revoked = Event::UnitAccessRevoked { unit_id: id(9), reason: None };
        let expired = Event::UnitAccessExpired { unit_id: id(8) };
        let begun = [granted(9, Level::Read), granted(8, Level::Write)];
        assert!(rows(begun.into_iter().chain([revoked, expired])).is_empty());
    }
}
