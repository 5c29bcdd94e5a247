//! Routes for roles.

use events::rbac::policy::{self, Command, Policy};
use events::{Module, Permission, RoleId, UnitId};
use platform::clock;
use platform::problem::Problem;
use platform::routes::{Alias, Route};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

const DEFAULT_LEVEL: u16 = 1;

/// A role to create.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateRole {
    /// Its id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<RoleId>,
    /// Its name, unique in its unit.
    name: String,
    /// Its code, unique in the organisation; made from the name when absent.
    #[serde(default)]
    code: Option<String>,
    /// What it is for.
    #[serde(default)]
    description: Option<String>,
    /// Its place on the ladder: seniors have a higher one.
    #[serde(default = "default_level")]
    level: u16,
    /// The unit that owns it and in which alone it counts.
    #[serde(default)]
    unit_id: Option<UnitId>,
    /// Whether it is held by grant of the policy itself, under the last-administrator rule.
    #[serde(default)]
    protected: bool,
    /// What it is granted from the start: names and patterns.
    #[serde(default)]
    permissions: Vec<String>,
}

fn default_level() -> u16 {
    DEFAULT_LEVEL
}

/// What to change of a role; what is absent stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeRole {
    /// Its name.
    #[serde(default)]
    name: Option<String>,
    /// What it is for.
    #[serde(default)]
    description: Option<String>,
    /// Its place on the ladder.
    #[serde(default)]
    level: Option<u16>,
}

/// A role in full.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PutRole {
    /// Its name.
    name: String,
    /// What it is for; nothing when absent.
    #[serde(default)]
    description: Option<String>,
    /// Its place on the ladder.
    level: u16,
    /// All that it is to be granted, names and patterns; as it is when absent.
    #[serde(default)]
    permissions: Option<Vec<String>>,
}

/// All that a role is to be granted.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PutPermissions {
    /// Names and patterns.
    permissions: Vec<String>,
}

const ALIASES: &[Alias] = &[Alias::new("/roles", "rbac_policy_create_role_alias")];
const ROLE: &str = "/rbac/roles/{role_id}";
const PERMISSIONS: &str = "/rbac/roles/{role_id}/permissions";
const PERMISSION: &str = "/rbac/roles/{role_id}/permissions/{permission}";
const PARENT: &str = "/rbac/roles/{role_id}/parents/{junior_id}";

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<CreateRole, Policy>(
        manage(Route::post("/rbac/roles", Module::Rbac, "rbac_policy_create_role"))
            .summary("create a role")
            .also(ALIASES)
            .answers::<()>(201),
        |call| Ok(create(call)),
    );
    registry.command::<PutRole, Policy>(
        manage(Route::put(ROLE, Module::Rbac, "rbac_policy_replace_role"))
            .summary("name, describe and place a role anew, as its caller has seen the policy last")
            .needs_version(),
        replace,
    );
    registry.command::<ChangeRole, Policy>(
        manage(Route::patch(ROLE, Module::Rbac, "rbac_policy_change_role"))
            .summary("rename, describe or place a role"),
        change,
    );
    registry.command::<Nothing, Policy>(
        manage(Route::delete(ROLE, Module::Rbac, "rbac_policy_delete_role"))
            .summary("delete a role; it authorises nobody from then on"),
        |call| {
            let role_id = call.id("role_id")?;
            Ok(Target::new(call.tenant(), Command::DeleteRole { role_id }))
        },
    );
    grants(registry);
    inheritance(registry);
}

fn grants(registry: &mut Registry) {
    registry.command::<PutPermissions, Policy>(
        manage(Route::put(PERMISSIONS, Module::Rbac, "rbac_policy_replace_role_permissions"))
            .summary("let a role be granted exactly these permissions"),
        |call| {
            let role_id = call.id("role_id")?;
            let permissions = call.body.permissions.clone();
            let command = Command::ReplaceRolePermissions { role_id, permissions };
            Ok(Target::new(call.tenant(), command))
        },
    );
    registry.command::<Nothing, Policy>(
        manage(Route::post(PERMISSION, Module::Rbac, "rbac_policy_grant_permission")).summary(
            "grant a role one permission, by name, by pattern or by the id of the permission",
        ),
        |call| {
            let (role_id, permission) = (call.id("role_id")?, call.text("permission"));
            Ok(Target::new(call.tenant(), Command::GrantPermission { role_id, permission }))
        },
    );
    registry.command::<Nothing, Policy>(
        manage(Route::delete(PERMISSION, Module::Rbac, "rbac_policy_revoke_permission")).summary(
            "take one permission from a role, by name, by pattern or by the id of the permission",
        ),
        |call| {
            let (role_id, permission) = (call.id("role_id")?, call.text("permission"));
            Ok(Target::new(call.tenant(), Command::RevokePermission { role_id, permission }))
        },
    );
}

fn inheritance(registry: &mut Registry) {
    registry.command::<Nothing, Policy>(
        manage(Route::post(PARENT, Module::Rbac, "rbac_policy_add_inheritance"))
            .summary("let a role have all that another may"),
        |call| {
            let (senior_id, junior_id) = (call.id("role_id")?, call.id("junior_id")?);
            Ok(Target::new(call.tenant(), Command::AddInheritance { senior_id, junior_id }))
        },
    );
    registry.command::<Nothing, Policy>(
        manage(Route::delete(PARENT, Module::Rbac, "rbac_policy_remove_inheritance"))
            .summary("let a role no longer have what another may"),
        |call| {
            let (senior_id, junior_id) = (call.id("role_id")?, call.id("junior_id")?);
            Ok(Target::new(call.tenant(), Command::RemoveInheritance { senior_id, junior_id }))
        },
    );
}

fn manage(route: Route) -> Route {
    route.needs(Permission::RbacRolesManage)
}

fn create(call: &Call<CreateRole>) -> Target<Policy> {
    let body = &call.body;
    let role_id: RoleId = body.id.unwrap_or_else(clock::new_id);
    let command = Command::CreateRole(policy::CreateRole {
        role_id,
        name: body.name.clone(),
        code: body.code.clone(),
        description: body.description.clone(),
        level: body.level,
        unit_id: body.unit_id,
        protected: body.protected,
        permissions: body.permissions.clone(),
    });
    Target::new(call.tenant(), command).at("/rbac/roles/{role_id}")
}

fn change(call: &Call<ChangeRole>) -> Result<Target<Policy>, Problem> {
    let role_id: RoleId = call.id("role_id")?;
    let body = &call.body;
    let commands = [
        body.name.clone().map(|name| Command::RenameRole { role_id, name }),
        body.description
            .clone()
            .map(|text| Command::DescribeRole { role_id, description: Some(text) }),
        body.level.map(|level| Command::ChangeRoleLevel { role_id, level }),
    ];
    Ok(Target { commands: commands.into_iter().flatten().collect(), ..Target::of(call.tenant()) })
}

fn replace(call: &Call<PutRole>) -> Result<Target<Policy>, Problem> {
    let role_id: RoleId = call.id("role_id")?;
    let PutRole { name, description, level, permissions } = &call.body;
    let mut commands = vec![
        Command::RenameRole { role_id, name: name.clone() },
        Command::DescribeRole { role_id, description: description.clone() },
        Command::ChangeRoleLevel { role_id, level: *level },
    ];
    let replace = |permissions| Command::ReplaceRolePermissions { role_id, permissions };
    commands.extend(permissions.clone().map(replace));
    Ok(Target { commands, ..Target::of(call.tenant()) })
}
