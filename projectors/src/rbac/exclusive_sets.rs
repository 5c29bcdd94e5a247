//! The sets of roles that exclude each other.

use events::rbac::policy::{Event, Policy};
use events::{Decider as _, ExclusiveSetId, RoleId, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct ExclusiveSets;

row!(Row {
    tenant_id: TenantId = Uuid,
    set_id: ExclusiveSetId = Uuid,
    name: String = Text,
    roles: Vec<RoleId> = Jsonb,
    cardinality: u16 = Integer,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for ExclusiveSets {
    const TABLE: Table = Table {
        name: "rbac_exclusive_sets",
        schema: "read",
        table: "rbac_exclusive_sets",
        key: &["tenant_id", "set_id"],
        group: "tenant_id", // a role that is deleted leaves every set
        resource: ("rbac.exclusive_set", "set_id"),
        columns: Row::COLUMNS,
        reads: &[Policy::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let Some(event) = fact.of::<Policy>()? else { return Ok(None) };
        let of_sets = matches!(change(event), Change::Of(_) | Change::RoleGone(_));
        Ok(of_sets.then(|| fact.tenant().to_string()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Policy>()? else { return Ok(()) };
        match change(event) {
            Change::Nothing => {}
            Change::RoleGone(role_id) => {
                while let Some(row) = rows.change(|row| row.roles.contains(&role_id)) {
                    row.roles.retain(|id| *id != role_id);
                    row.changed_at = fact.at();
                }
            }
            Change::Of(set_id) => apply(rows, fact, set_id, event)?,
        }
        Ok(())
    }
}

/// What an event says about the sets.
enum Change {
    Nothing,
    RoleGone(RoleId),
    Of(ExclusiveSetId),
}

fn change(event: &Event) -> Change {
    match event {
        Event::ExclusiveRolesDefined { set_id, .. }
        | Event::ExclusiveRoleAdded { set_id, .. }
        | Event::ExclusiveRoleRemoved { set_id, .. }
        | Event::ExclusiveRolesTightened { set_id, .. }
        | Event::ExclusiveRolesRelaxed { set_id, .. }
        | Event::ExclusiveRolesRemoved { set_id } => Change::Of(*set_id),
        Event::RoleDeleted { role_id } => Change::RoleGone(*role_id),
        Event::Initialized { .. }
        | Event::PermissionCreated { .. }
        | Event::PermissionDescribed { .. }
        | Event::PermissionRetired { .. }
        | Event::RoleCreated(_)
        | Event::RoleRenamed { .. }
        | Event::RoleDescribed { .. }
        | Event::RoleRaised { .. }
        | Event::RoleLowered { .. }
        | Event::RolePermissionsReplaced { .. }
        | Event::PermissionGranted { .. }
        | Event::PermissionRevoked { .. }
        | Event::InheritanceAdded { .. }
        | Event::InheritanceRemoved { .. }
        | Event::TemplateInstantiated { .. }
        | Event::ProtectedRoleGranted { .. }
        | Event::ProtectedRoleRevoked { .. }
        | Event::ProtectedRoleEndAnnounced { .. }
        | Event::ProtectedRoleExpired { .. } => Change::Nothing,
    }
}

fn apply(
    rows: &mut Rows<Row>,
    fact: &Fact,
    set_id: ExclusiveSetId,
    event: &Event,
) -> Result<(), FoldError> {
    if let Event::ExclusiveRolesDefined { name, roles, cardinality, .. } = event {
        rows.insert(Row {
            tenant_id: fact.tenant(),
            set_id,
            name: name.clone(),
            roles: roles.clone(),
            cardinality: *cardinality,
            created_at: fact.at(),
            changed_at: fact.at(),
        });
        return Ok(());
    }
    let absent = || FoldError::absent("exclusive set", set_id);
    if let Event::ExclusiveRolesRemoved { .. } = event {
        let removed = rows.remove(|row| row.set_id == set_id);
        return if removed == 0 { Err(absent()) } else { Ok(()) };
    }
    let row = rows.change(|row| row.set_id == set_id).ok_or_else(absent)?;
    row.changed_at = fact.at();
    if let Event::ExclusiveRoleAdded { role_id, .. } = event {
        row.roles.push(*role_id);
        row.roles.sort_unstable();
    } else if let Event::ExclusiveRoleRemoved { role_id, .. } = event {
        row.roles.retain(|id| id != role_id);
    } else if let Event::ExclusiveRolesTightened { cardinality, .. }
    | Event::ExclusiveRolesRelaxed { cardinality, .. } = event
    {
        row.cardinality = *cardinality;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn rows(events: impl IntoIterator<Item = Event>) -> Vec<serde_json::Value> {
        let defined = |set: u128, roles: &[u128]| Event::ExclusiveRolesDefined {
            set_id: id(set),
            name: format!("Set {set}"),
            roles: roles.iter().map(|role| id(*role)).collect(),
            cardinality: 2,
        };
        let begun = [defined(1, &[11, 12]), defined(2, &[12, 13])];
        Past::default()
            .with::<Policy>(id::<TenantId>(0), begun.into_iter().chain(events))
            .rows::<ExclusiveSets>()
    }

    fn of(rows: &[serde_json::Value], set: u128) -> serde_json::Value {
        let set_id = json!(id::<ExclusiveSetId>(set));
        rows.iter().find(|row| row["set_id"] == set_id).cloned().unwrap_or_default()
    }

    #[test]
    fn a_set_gains_and_loses_roles_and_is_tightened_and_relaxed() {
        let set_id = id(1);
        let rows = rows([
            Event::ExclusiveRoleAdded { set_id, role_id: id(10) },
            Event::ExclusiveRoleRemoved { set_id, role_id: id(12) },
            Event::ExclusiveRolesRelaxed { set_id, cardinality: 3 },
        ]);
        let roles: [RoleId; 2] = [id(10), id(11)];
        assert_eq!(of(&rows, 1)["roles"], json!(roles));
        assert_eq!(of(&rows, 1)["cardinality"], 3);
        assert_eq!(of(&rows, 2)["cardinality"], 2);
    }

    #[test]
    fn a_deleted_role_leaves_every_set_and_a_removed_set_has_no_row() {
        let gone = Event::RoleDeleted { role_id: id(12) };
        let rows = rows([gone, Event::ExclusiveRolesRemoved { set_id: id(2) }]);
        let roles: [RoleId; 1] = [id(11)];
        assert_eq!(rows.len(), 1);
        assert_eq!(of(&rows, 1)["roles"], json!(roles));
    }
}
