//! Roles as they were.

use ::events::RoleId;
use ::events::rbac::policy::Policy;
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
};

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
