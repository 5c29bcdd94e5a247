//! The organisation's policy as a whole: the hierarchy of roles, and what a role may do by itself and by inheritance.

use events::rbac::chain::{self, Gap};
use events::rbac::policy::Policy;
use events::rbac::resolve::evidence::Fact;
use events::rbac::resolve::review::granted;
use events::rbac::template::{Template, TemplatePermission, TemplateRole};
use events::{Module, Permission, RoleId, UnitId};
use jiff::Timestamp;
use platform::http::json_body;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::search;
use crate::answer::{Items, Stamped, plain, stamped};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::shape::{WAITING, dataset};

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
struct RolePermission {
    /// The permission or pattern.
    permission: String,
    /// Whether the role itself is granted it.
    direct: bool,
    /// The nearest role that is granted it.
    from_role_id: RoleId,
    /// Since when that role is granted it.
    #[schemars(with = "Option<String>")]
    granted_at: Option<Timestamp>,
}

pub(super) fn hierarchy() -> Endpoint {
    let route = Route::get("/rbac/roles/hierarchy", Module::Rbac, "rbac_role_hierarchy")
        .summary("Which role inherits from which, seniors first")
        .needs(Permission::RbacRolesRead)
        .parameters(WAITING)
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
            .in_unit()
            .parameters(WAITING)
            .answers::<Stamped<Items<RolePermission>>>(200);
    Endpoint::new(route, |call: Call| async move {
        let role_id: RoleId = call.id("role_id", "role")?;
        let asked = call.head().await?;
        let policy = policy(&call).await?;
        let role = policy.role(role_id).ok_or_else(|| Problem::absent("role"))?;
        if !dataset("rbac.roles").is_seen_from(&call.places, role.facts.unit_id) {
            return Err(Problem::absent("role"));
        }
        let granted = granted(&policy, role_id);
        let fact = |permission: &str, role_id: RoleId| {
            let permission = permission.to_owned();
            Fact::Granted { role_id, permission }
        };
        let facts = granted.iter().map(|(permission, from)| fact(permission, *from));
        let found = search(&call, &policy, asked.place.head, facts.collect()).await?;
        let items = granted.iter().map(|(permission, from)| RolePermission {
            permission: permission.to_string(),
            direct: *from == role_id,
            from_role_id: *from,
            granted_at: found.since(&fact(permission, *from)),
        });
        Ok(stamped(&call, &asked, Items { items: items.collect() }))
    })
}

/// A permission among the permissions.
#[derive(Debug, Serialize, JsonSchema)]
struct PermissionNode {
    name: String,
    resource: String,
    action: String,
    /// Whether it is the organisation's own.
    custom: bool,
    /// Whether it authorises no longer.
    retired: bool,
    /// The permissions that come with it directly.
    implies: Vec<String>,
    /// Every permission that comes with it.
    implies_all: Vec<String>,
}

pub(super) fn permission_hierarchy() -> Endpoint {
    let route =
        Route::get("/rbac/permissions/hierarchy", Module::Rbac, "rbac_permission_hierarchy")
            .summary("Which permission comes with which, by resource")
            .needs(Permission::RbacPermissionsRead)
            .parameters(WAITING)
            .answers::<Stamped<Items<PermissionNode>>>(200);
    Endpoint::new(route, |call: Call| async move {
        let asked = call.head().await?;
        let policy = policy(&call).await?;
        let items = policy.permission_names().map(|name| permission_node(&policy, &name));
        Ok(stamped(&call, &asked, Items { items: items.collect() }))
    })
}

fn permission_node(policy: &Policy, name: &str) -> PermissionNode {
    let (resource, action) = name.split_once(':').unwrap_or((name, ""));
    let made = policy.custom_permission(name);
    let all = chain::implied(policy, name);
    PermissionNode {
        name: name.to_owned(),
        resource: resource.to_owned(),
        action: action.to_owned(),
        custom: made.is_some(),
        retired: made.is_some_and(|made| made.retired),
        implies: made.iter().flat_map(|made| &made.implies).map(ToString::to_string).collect(),
        implies_all: all.iter().filter(|all| &***all != name).map(ToString::to_string).collect(),
    }
}

/// Permissions that are to be granted together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Together {
    /// Names and patterns, at most 1,000.
    permissions: Vec<String>,
}

/// Whether a list of permissions is complete.
#[derive(Debug, Serialize, JsonSchema)]
struct Validity {
    /// Whether nothing is wrong or missing.
    valid: bool,
    /// What is.
    gaps: Vec<Gap>,
}

pub(super) fn validate() -> Endpoint {
    let route =
        Route::post("/rbac/permissions/validate", Module::Rbac, "rbac_validate_permissions")
            .summary("Whether permissions that are to be granted together lack another one")
            .needs(Permission::RbacPermissionsRead)
            .takes::<Together>()
            .answers::<Stamped<Validity>>(200);
    Endpoint::new(route, |call: Call| async move {
        let body: Together = json_body(&call.headers, &call.body)?;
        if body.permissions.len() > MAX_TOGETHER {
            let detail = format!("send at most {MAX_TOGETHER} permissions at once");
            return Err(Problem::invalid("/permissions", "TOO_MANY_PERMISSIONS", detail));
        }
        let asked = call.head().await?;
        let gaps = chain::gaps(&*policy(&call).await?, &body.permissions);
        Ok(stamped(&call, &asked, Validity { valid: gaps.is_empty(), gaps }))
    })
}

const MAX_TOGETHER: usize = 1_000;

/// A template and what it makes.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    template: Template,
    /// Its roles, seniors first.
    roles: &'static [TemplateRole],
    /// The permissions it makes where they are missing.
    permissions: &'static [TemplatePermission],
}

pub(super) fn templates() -> Endpoint {
    let route = Route::get("/rbac/templates", Module::Rbac, "rbac_templates")
        .summary("The templates that roles can be made by")
        .needs(Permission::RbacRolesRead)
        .answers::<Items<Shown>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&[])?;
        let shown = |template: &Template| Shown {
            template: *template,
            roles: template.roles(),
            permissions: template.permissions(),
        };
        Ok(plain(&Items { items: Template::ALL.iter().map(shown).collect::<Vec<_>>() }))
    })
}
