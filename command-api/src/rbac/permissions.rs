//! Routes for an organisation's own permissions.

use std::slice;

use events::rbac::policy::{self, Command, Policy};
use events::{Module, Permission, PermissionId};
use platform::clock;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// As many permissions as one command creates.
const BATCH_MAX: usize = 500;

/// A permission to create.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreatePermission {
    /// Its id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<PermissionId>,
    /// Its name, `resource.path:action`, outside the name spaces of our modules.
    name: String,
    /// What it is for.
    #[serde(default)]
    description: Option<String>,
    /// The permissions that come with it, by name.
    #[serde(default)]
    implies: Vec<String>,
}

/// Permissions to create, all or none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreatePermissions {
    /// One after the other, at most 500; a later one may imply an earlier one.
    permissions: Vec<CreatePermission>,
}

/// What a permission is for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Describe {
    /// For people; nothing when absent.
    #[serde(default)]
    description: Option<String>,
}

pub(super) fn routes(registry: &mut Registry) {
    let manage = |route: Route| route.needs(Permission::RbacPermissionsManage);
    registry.command::<CreatePermission, Policy>(
        manage(Route::post("/rbac/permissions", Module::Rbac, "rbac_policy_create_permission"))
            .summary("create a permission of your own")
            .answers::<()>(201),
        |call| Ok(creating(call, slice::from_ref(&call.body))),
    );
    registry.command::<CreatePermissions, Policy>(
        manage(Route::post(
            "/rbac/permissions/batch",
            Module::Rbac,
            "rbac_policy_create_permissions",
        ))
        .summary("create several permissions of your own, all or none")
        .answers::<()>(201),
        create_several,
    );
    registry.command::<Describe, Policy>(
        manage(Route::patch(
            "/rbac/permissions/{permission_id}",
            Module::Rbac,
            "rbac_policy_describe_permission",
        ))
        .summary("say what a permission of your own is for"),
        |call| {
            let permission_id = call.id("permission_id")?;
            let description = call.body.description.clone();
            Ok(Target::new(
                call.tenant(),
                Command::DescribePermission { permission_id, description },
            ))
        },
    );
    registry.command::<Nothing, Policy>(
        manage(Route::delete(
            "/rbac/permissions/{permission_id}",
            Module::Rbac,
            "rbac_policy_retire_permission",
        ))
        .summary("let a permission of your own authorise no longer"),
        |call| {
            let permission_id = call.id("permission_id")?;
            Ok(Target::new(call.tenant(), Command::RetirePermission { permission_id }))
        },
    );
}

fn create_several(call: &Call<CreatePermissions>) -> Result<Target<Policy>, Problem> {
    let permissions = &call.body.permissions;
    if permissions.len() > BATCH_MAX {
        let detail = format!("send at most {BATCH_MAX} permissions at once");
        return Err(Problem::invalid("/permissions", "TOO_MANY_PERMISSIONS", detail));
    }
    Ok(creating(call, permissions))
}

fn creating<B>(call: &Call<B>, permissions: &[CreatePermission]) -> Target<Policy> {
    let command = |wanted: CreatePermission| {
        let CreatePermission { id, name, description, implies } = wanted;
        let permission_id = id.unwrap_or_else(clock::new_id);
        Command::CreatePermission(policy::CreatePermission {
            permission_id,
            name,
            description,
            implies,
        })
    };
    let commands = permissions.iter().cloned().map(command).collect();
    Target { commands, ..Target::of(call.tenant()) }.at("/rbac/permissions")
}
