//! The organisation's policy as a whole: the hierarchy of roles, and what a role may do by itself and by inheritance.

use std::collections::BTreeMap;

use events::rbac::policy::Policy;
use events::{Module, Permission, RoleId, UnitId};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::{Items, Stamped, stamped};
use crate::call::Call;
use crate::endpoint::Endpoint;

/// A role among the roles.
#[derive(Debug, Serialize, JsonSchema)]
struct Node {
    role_id: RoleId,
    code: String,
    name: String,
    level: u16,
    unit_id: Option<UnitId>,
    /// The roles it inherits from directly.
    juniors: Vec<RoleId>,
    /// The roles that inherit from it directly.
    seniors: Vec<RoleId>,
    /// Every role it inherits from, nearest first.
    inherits: Vec<RoleId>,
}

/// A permission or pattern that a role has.
#[derive(Debug, Serialize, JsonSchema)]
struct Granted {
    /// The permission or pattern.
    permission: String,
    /// Whether the role itself is granted it.
    direct: bool,
    /// The nearest role that is granted it.
    from_role_id: RoleId,
}

pub(super) fn hierarchy() -> Endpoint {
    let route = Route::get("/rbac/roles/hierarchy", Module::Rbac, "rbac_role_hierarchy")
        .summary("Which role inherits from which, seniors first")
        .needs(Permission::RbacRolesRead)
        .answers::<Stamped<Items<Node>>>(200);
    Endpoint::new(route, |call: Call| async move {
        let asked = call.head().await?;
        let policy = policy(&call).await?;
        let mut items: Vec<Node> = policy.roles().map(|(id, _)| node(&policy, id)).collect();
        items.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.code.cmp(&b.code)));
        Ok(stamped(&call, &asked, Items { items }))
    })
}

async fn policy(call: &Call) -> Result<std::sync::Arc<Policy>, Problem> {
    Ok(call.aggregate::<Policy>(&call.tenant().to_string()).await?.state)
}

fn node(policy: &Policy, role_id: RoleId) -> Node {
    let inherits = policy.closure(role_id).into_iter().skip(1).map(|(id, _)| id).collect();
    let (mut juniors, mut seniors) = (Vec::new(), Vec::new());
    let (mut code, mut name, mut level, mut unit_id) = (String::new(), String::new(), 0, None);
    if let Some(role) = policy.role(role_id) {
        (juniors, seniors) = (role.juniors.clone(), role.seniors.clone());
        (code, name) = (role.facts.code.clone(), role.facts.name.clone());
        (level, unit_id) = (role.facts.level, role.facts.unit_id);
    }
    Node { role_id, code, name, level, unit_id, juniors, seniors, inherits }
}

pub(super) fn role_permissions() -> Endpoint {
    let route =
        Route::get("/rbac/roles/{role_id}/permissions", Module::Rbac, "rbac_role_permissions")
            .summary("What a role may do, by itself and by inheritance")
            .needs(Permission::RbacRolesRead)
            .answers::<Stamped<Items<Granted>>>(200);
    Endpoint::new(route, |call: Call| async move {
        let role_id: RoleId = call.id("role_id", "role")?;
        let asked = call.head().await?;
        let policy = policy(&call).await?;
        policy.role(role_id).ok_or_else(|| Problem::absent("role"))?;
        let mut found = BTreeMap::new();
        for (from, role) in policy.closure(role_id) {
            for grant in role.grants.iter() {
                found.entry(grant.to_string()).or_insert(from); // the closure comes nearest first
            }
        }
        let items = found.into_iter().map(|(permission, from_role_id)| Granted {
            permission,
            direct: from_role_id == role_id,
            from_role_id,
        });
        Ok(stamped(&call, &asked, Items { items: items.collect() }))
    })
}
