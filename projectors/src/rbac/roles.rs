//! The roles of organisations, with what they are granted and from whom they inherit.

use events::rbac::policy::{Event, Policy, RoleCreated};
use events::{Decider as _, RoleId, TenantId, UnitId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Roles;

row!(Row {
    tenant_id: TenantId = Uuid,
    role_id: RoleId = Uuid,
    code: String = Text,
    name: String = Text,
    description: Option<String> = Text,
    level: u16 = Integer,
    unit_id: Option<UnitId> = Uuid,
    is_system: bool = Boolean,
    is_protected: bool = Boolean,
    permissions: Vec<String> = Jsonb,
    parents: Vec<RoleId> = Jsonb,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Roles {
    const TABLE: Table = Table {
        name: "rbac_roles",
        schema: "read",
        table: "rbac_roles",
        key: &["tenant_id", "role_id"],
        group: "role_id",
        resource: ("rbac.role", "role_id"),
        columns: Row::COLUMNS,
        reads: &[Policy::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let Some(event) = fact.of::<Policy>()? else { return Ok(None) };
        Ok(match event {
            Event::RoleCreated(RoleCreated { role_id, .. })
            | Event::RoleRenamed { role_id, .. }
            | Event::RoleDescribed { role_id, .. }
            | Event::RoleRaised { role_id, .. }
            | Event::RoleLowered { role_id, .. }
            | Event::RoleDeleted { role_id }
            | Event::RolePermissionsReplaced { role_id, .. }
            | Event::PermissionGranted { role_id, .. }
            | Event::PermissionRevoked { role_id, .. }
            | Event::InheritanceAdded { senior_id: role_id, .. }
            | Event::InheritanceRemoved { senior_id: role_id, .. } => Some(role_id.to_string()),
            Event::Initialized { .. }
            | Event::PermissionCreated { .. }
            | Event::PermissionDescribed { .. }
            | Event::PermissionRetired { .. }
            | Event::ExclusiveRolesDefined { .. }
            | Event::ExclusiveRoleAdded { .. }
            | Event::ExclusiveRoleRemoved { .. }
            | Event::ExclusiveRolesTightened { .. }
            | Event::ExclusiveRolesRelaxed { .. }
            | Event::ExclusiveRolesRemoved { .. }
            | Event::TemplateInstantiated { .. }
            | Event::ProtectedRoleGranted { .. }
            | Event::ProtectedRoleRevoked { .. }
            | Event::ProtectedRoleEndAnnounced { .. }
            | Event::ProtectedRoleExpired { .. } => None,
        })
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        match fact.of::<Policy>()? {
            None => Ok(()),
            Some(Event::RoleCreated(role)) => {
                rows.insert(created(role, fact));
                Ok(())
            }
            Some(Event::RoleDeleted { role_id }) => match rows.remove(|_| true) {
                0 => Err(FoldError::absent("role", role_id)),
                _ => Ok(()),
            },
            Some(event) => {
                let row = rows.only().ok_or_else(|| FoldError("the role is not there".into()))?;
                row.changed_at = fact.at();
                change(row, event);
                Ok(())
            }
        }
    }
}

fn created(role: &RoleCreated, fact: &Fact) -> Row {
    Row {
        tenant_id: fact.tenant(),
        role_id: role.role_id,
        code: role.code.clone(),
        name: role.name.clone(),
        description: role.description.clone(),
        level: role.level,
        unit_id: role.unit_id,
        is_system: role.system,
        is_protected: role.protected,
        permissions: Vec::new(),
        parents: Vec::new(),
        created_at: fact.at(),
        changed_at: fact.at(),
    }
}

/// Lists are kept in order, so that a rebuild and a live table are the same whatever order things came in.
fn change(row: &mut Row, event: &Event) {
    match event {
        Event::RoleRenamed { name, .. } => row.name.clone_from(name),
        Event::RoleDescribed { description, .. } => row.description.clone_from(description),
        Event::RoleRaised { level, .. } | Event::RoleLowered { level, .. } => row.level = *level,
        Event::RolePermissionsReplaced { added, removed, .. } => {
            row.permissions.retain(|name| !removed.contains(name));
            row.permissions.extend(added.iter().cloned());
            row.permissions.sort_unstable();
            row.permissions.dedup();
        }
        Event::PermissionGranted { permission, .. } => insert(&mut row.permissions, permission),
        Event::PermissionRevoked { permission, .. } => {
            row.permissions.retain(|name| name != permission);
        }
        Event::InheritanceAdded { junior_id, .. } => insert(&mut row.parents, junior_id),
        Event::InheritanceRemoved { junior_id, .. } => row.parents.retain(|id| id != junior_id),
        Event::Initialized { .. }
        | Event::PermissionCreated { .. }
        | Event::PermissionDescribed { .. }
        | Event::PermissionRetired { .. }
        | Event::RoleCreated(_)
        | Event::RoleDeleted { .. }
        | Event::ExclusiveRolesDefined { .. }
        | Event::ExclusiveRoleAdded { .. }
        | Event::ExclusiveRoleRemoved { .. }
        | Event::ExclusiveRolesTightened { .. }
        | Event::ExclusiveRolesRelaxed { .. }
        | Event::ExclusiveRolesRemoved { .. }
        | Event::TemplateInstantiated { .. }
        | Event::ProtectedRoleGranted { .. }
        | Event::ProtectedRoleRevoked { .. }
        | Event::ProtectedRoleEndAnnounced { .. }
        | Event::ProtectedRoleExpired { .. } => {}
    }
}

fn insert<T: Ord + Clone>(list: &mut Vec<T>, value: &T) {
    if let Err(place) = list.binary_search(value) {
        list.insert(place, value.clone());
    }
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn created(role: u128) -> Event {
        Event::RoleCreated(RoleCreated {
            role_id: id(role),
            name: format!("Role {role}"),
            code: format!("R{role}"),
            description: None,
            level: 10,
            unit_id: None,
            system: false,
            protected: false,
        })
    }

    fn granted(role: u128, permission: &str) -> Event {
        Event::PermissionGranted { role_id: id(role), permission: permission.into() }
    }

    fn past(events: impl IntoIterator<Item = Event>) -> Past {
        Past::default().with::<Policy>(id::<TenantId>(0), events)
    }

    #[test]
    fn grants_are_a_set_in_order() {
        let replaced = Event::RolePermissionsReplaced {
            role_id: id(1),
            added: vec!["c:x".into(), "a:x".into()],
            removed: vec!["b:x".into()],
        };
        let revoked = Event::PermissionRevoked { role_id: id(1), permission: "c:x".into() };
        let row = past([created(1), granted(1, "d:x"), granted(1, "b:x"), replaced, revoked])
            .row::<Roles>();
        assert_eq!(row["permissions"], json!(["a:x", "d:x"]));
    }

    #[test]
    fn a_role_shows_from_whom_it_inherits() {
        let (senior_id, junior_id) = (id(1), id(2));
        let added = Event::InheritanceAdded { senior_id, junior_id };
        let removed = Event::InheritanceRemoved { senior_id, junior_id };
        let parents = |events: Vec<Event>| {
            let rows = past([created(1), created(2)].into_iter().chain(events)).rows::<Roles>();
            rows.into_iter().find(|row| row["code"] == "R1").unwrap()["parents"].clone()
        };
        assert_eq!(parents(vec![added.clone()]), json!([junior_id]));
        assert_eq!(parents(vec![added, removed]), json!([]));
    }

    #[test]
    fn a_deleted_role_has_no_row() {
        let deleted = Event::RoleDeleted { role_id: id(1) };
        assert!(past([created(1), deleted.clone()]).rows::<Roles>().is_empty());
        assert!(past([deleted]).folded::<Roles>().is_err());
    }

    #[test]
    fn a_role_goes_up_and_down_the_ladder_under_its_newest_name() {
        let row = past([
            created(1),
            Event::RoleRaised { role_id: id(1), level: 50 },
            Event::RoleLowered { role_id: id(1), level: 20 },
            Event::RoleRenamed { role_id: id(1), name: "Clerk".into() },
            Event::RoleDescribed { role_id: id(1), description: Some("files things".into()) },
        ])
        .row::<Roles>();
        assert_eq!((row["level"].clone(), row["name"].clone()), (json!(20), json!("Clerk")));
        assert_eq!(row["description"], "files things");
    }
}
