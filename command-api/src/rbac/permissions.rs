//! Routes for an organisation's own permissions.

use events::rbac::policy::{self, Command, Policy};
use events::{Module, Permission, PermissionId};
use platform::clock;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// A permission to create.
#[derive(Deserialize, JsonSchema)]
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
        create,
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

fn create(call: &Call<CreatePermission>) -> Result<Target<Policy>, Problem> {
    let body = &call.body;
    let command = Command::CreatePermission(policy::CreatePermission {
        permission_id: body.id.unwrap_or_else(clock::new_id),
        name: body.name.clone(),
        description: body.description.clone(),
        implies: body.implies.clone(),
    });
    Ok(Target::new(call.tenant(), command).at("/rbac/permissions"))
}
