//! Roles and permissions of the organisation's own as they were.

use ::events::rbac::policy::Policy;
use ::events::{ExclusiveSetId, PermissionId, RoleId};
use serde_json::{Value, json};

use crate::shape::PAST_ITEM;
use crate::travel::{Past, Place, names};

pub(super) static ROLE: Past<Policy> = Past {
    data: "rbac.roles",
    what: "role",
    names: names!("/rbac/roles/{role_id}", "rbac_role"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| {
        let id: RoleId = call.id("role_id", "role")?;
        let (stream, id) = (call.tenant().to_string(), id.to_string());
        Ok(Place { stream, text: Some(id.clone()), id })
    },
    view: role,
    masked: &[],
    owner: None,
};

pub(super) static PERMISSION: Past<Policy> = Past {
    data: "rbac.permissions",
    what: "permission",
    names: names!("/rbac/permissions/{permission_id}", "rbac_permission"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| {
        let id: PermissionId = call.id("permission_id", "permission")?;
        let (stream, id) = (call.tenant().to_string(), id.to_string());
        Ok(Place { stream, text: Some(id.clone()), id })
    },
    view: permission,
    masked: &[],
    owner: None,
};

pub(super) static EXCLUSIVE_SET: Past<Policy> = Past {
    data: "rbac.exclusive_sets",
    what: "exclusive set",
    names: names!("/rbac/exclusive-sets/{set_id}", "rbac_exclusive_set"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| {
        let id: ExclusiveSetId = call.id("set_id", "exclusive set")?;
        let (stream, id) = (call.tenant().to_string(), id.to_string());
        Ok(Place { stream, text: Some(id.clone()), id })
    },
    view: exclusive_set,
    masked: &[],
    owner: None,
};

fn exclusive_set(policy: &Policy, id: &str) -> Option<Value> {
    let set_id: ExclusiveSetId = id.parse().ok()?;
    let set = policy.exclusive_set(set_id)?;
    Some(json!({
        "set_id": set_id,
        "name": set.name,
        "roles": set.roles,
        "cardinality": set.cardinality,
    }))
}

fn permission(policy: &Policy, id: &str) -> Option<Value> {
    let permission_id: PermissionId = id.parse().ok()?;
    let name = policy.permission_name(permission_id)?;
    let permission = policy.custom_permission(&name)?;
    let implies: Vec<&str> = permission.implies.iter().map(|implied| &**implied).collect();
    Some(json!({
        "permission_id": permission_id,
        "name": &*name,
        "description": permission.description,
        "implies": implies,
    }))
}

fn role(policy: &Policy, id: &str) -> Option<Value> {
    let role_id: RoleId = id.parse().ok()?;
    let role = policy.role(role_id)?;
    let facts = &role.facts;
    let permissions: Vec<&str> = role.grants.iter().map(|grant| &**grant).collect();
    Some(json!({
        "role_id": role_id,
        "code": facts.code,
        "name": facts.name,
        "description": facts.description,
        "level": facts.level,
        "unit_id": facts.unit_id,
        "is_system": facts.system,
        "is_protected": facts.protected,
        "permissions": permissions,
        "parents": role.juniors,
    }))
}
