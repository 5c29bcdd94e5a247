//! What can be granted in each organisation: the catalogue, and the permissions of its own.

use events::rbac::name::catalogue_id;
use events::rbac::policy::{Event, Policy};
use events::{Decider as _, Permission, PermissionId, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Permissions;

row!(Row {
    tenant_id: TenantId = Uuid,
    permission_id: PermissionId = Uuid,
    name: String = Text,
    resource: String = Text,
    action: String = Text,
    description: Option<String> = Text,
    origin: String = Text,
    implies: Vec<String> = Jsonb,
    retired_at: Option<Timestamp> = Timestamptz,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

const CATALOGUE: &str = "catalogue";
const CUSTOM: &str = "custom";

impl ReadModel for Permissions {
    const TABLE: Table = Table {
        name: "rbac_permissions",
        schema: "read",
        table: "rbac_permissions",
        key: &["tenant_id", "permission_id"],
        group: "tenant_id", // the first event makes the rows of the whole catalogue
        resource: ("rbac.permission", "permission_id"),
        columns: Row::COLUMNS,
        reads: &[Policy::TYPE],
    };
    // The catalogue is part of the fold, so a longer one is another build.
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "it is short")]
    const BUILD: i32 = 1000 + Permission::ALL.len() as i32;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let Some(event) = fact.of::<Policy>()? else { return Ok(None) };
        Ok(match event {
            Event::Initialized { .. }
            | Event::PermissionCreated { .. }
            | Event::PermissionDescribed { .. }
            | Event::PermissionRetired { .. } => Some(fact.tenant().to_string()),
            Event::RoleCreated(_)
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
        let Some(event) = fact.of::<Policy>()? else { return Ok(()) };
        match event {
            Event::Initialized { .. } => {
                for permission in Permission::ALL {
                    let mut row =
                        row(fact, catalogue_id(*permission), permission.name(), CATALOGUE);
                    row.description = Some(permission.description().to_owned());
                    rows.insert(row);
                }
            }
            Event::PermissionCreated { permission_id, name, description, implies } => {
                let mut row = row(fact, *permission_id, name, CUSTOM);
                row.description.clone_from(description);
                row.implies.clone_from(implies);
                rows.insert(row);
            }
            Event::PermissionDescribed { permission_id, description } => {
                change(rows, *permission_id, fact)?.description.clone_from(description);
            }
            Event::PermissionRetired { permission_id } => {
                change(rows, *permission_id, fact)?.retired_at = Some(fact.at());
            }
            Event::RoleCreated(_)
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
        Ok(())
    }
}

fn row(fact: &Fact, permission_id: PermissionId, name: &str, origin: &str) -> Row {
    let (resource, action) = name.split_once(':').unwrap_or((name, ""));
    Row {
        tenant_id: fact.tenant(),
        permission_id,
        name: name.to_owned(),
        resource: resource.to_owned(),
        action: action.to_owned(),
        description: None,
        origin: origin.to_owned(),
        implies: Vec::new(),
        retired_at: None,
        created_at: fact.at(),
        changed_at: fact.at(),
    }
}

fn change<'a>(
    rows: &'a mut Rows<Row>,
    permission_id: PermissionId,
    fact: &Fact,
) -> Result<&'a mut Row, FoldError> {
    let row = rows.change(|row| row.permission_id == permission_id);
    let row = row.ok_or_else(|| FoldError::absent("permission", permission_id))?;
    row.changed_at = fact.at();
    Ok(row)
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn past(events: impl IntoIterator<Item = Event>) -> Past {
        Past::default().with::<Policy>(id::<TenantId>(0), events)
    }

    #[test]
    fn a_policy_begins_with_the_whole_catalogue() {
        let rows = past([Event::Initialized { owner_role_id: id(1) }]).rows::<Permissions>();
        assert_eq!(rows.len(), Permission::ALL.len());
        assert!(rows.iter().all(|row| row["origin"] == "catalogue" && row["description"] != ""));
    }

    #[test]
    fn a_permission_of_its_own_can_be_described_and_retired() {
        let created = Event::PermissionCreated {
            permission_id: id(5),
            name: "shop.orders:read".into(),
            description: None,
            implies: vec!["shop.items:read".into()],
        };
        let described = Event::PermissionDescribed {
            permission_id: id(5),
            description: Some("see orders".into()),
        };
        let retired = Event::PermissionRetired { permission_id: id(5) };
        let row = past([created, described, retired]).row::<Permissions>();
        assert_eq!((&row["resource"], &row["action"]), (&json!("shop.orders"), &json!("read")));
        assert_eq!(row["description"], "see orders");
        assert_eq!(row["implies"], json!(["shop.items:read"]));
        assert_eq!(row["retired_at"], "2026-01-01T12:00:03Z");
    }
}
