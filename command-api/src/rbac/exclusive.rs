//! Routes for roles that exclude each other (static separation of duty).

use events::rbac::policy::{Command, DefineExclusiveRoles, Policy};
use events::{ExclusiveSetId, Module, Permission, RoleId};
use platform::clock;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// Roles that are to exclude each other.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Define {
    /// The id of the set, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<ExclusiveSetId>,
    /// Its name.
    name: String,
    /// The roles, at least two.
    roles: Vec<RoleId>,
    /// Nobody may have as many of them, inherited ones included; 2 and more.
    #[serde(default = "two")]
    cardinality: u16,
}

fn two() -> u16 {
    2
}

/// How many roles of a set are too many.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Cardinality {
    /// Nobody may have as many of them, inherited ones included; 2 and more.
    cardinality: u16,
}

const SETS: &str = "/rbac/exclusive-sets";
const SET: &str = "/rbac/exclusive-sets/{set_id}";
const CARDINALITY: &str = "/rbac/exclusive-sets/{set_id}/cardinality";
const ROLE: &str = "/rbac/exclusive-sets/{set_id}/roles/{role_id}";

pub(super) fn routes(registry: &mut Registry) {
    let manage = |route: Route| route.needs(Permission::RbacRolesManage);
    registry.command::<Define, Policy>(
        manage(Route::post(SETS, Module::Rbac, "rbac_policy_define_exclusive_roles"))
            .summary("let roles exclude each other: nobody may have too many of them")
            .answers::<()>(201),
        |call| Ok(define(call)),
    );
    registry.command::<Cardinality, Policy>(
        manage(Route::put(CARDINALITY, Module::Rbac, "rbac_policy_set_exclusive_cardinality"))
            .summary("say how many roles of an exclusive set are too many"),
        |call| {
            let (set_id, cardinality) = (call.id("set_id")?, call.body.cardinality);
            let command = Command::SetExclusiveCardinality { set_id, cardinality };
            Ok(Target::new(call.tenant(), command))
        },
    );
    registry.command::<Nothing, Policy>(
        manage(Route::delete(SET, Module::Rbac, "rbac_policy_remove_exclusive_roles"))
            .summary("let the roles of a set exclude each other no longer"),
        |call| {
            let set_id = call.id("set_id")?;
            Ok(Target::new(call.tenant(), Command::RemoveExclusiveRoles { set_id }))
        },
    );
    registry.command::<Nothing, Policy>(
        manage(Route::post(ROLE, Module::Rbac, "rbac_policy_add_exclusive_role"))
            .summary("let one more role exclude the others of a set"),
        |call| {
            let (set_id, role_id) = names(call)?;
            Ok(Target::new(call.tenant(), Command::AddExclusiveRole { set_id, role_id }))
        },
    );
    registry.command::<Nothing, Policy>(
        manage(Route::delete(ROLE, Module::Rbac, "rbac_policy_remove_exclusive_role"))
            .summary("let a role exclude the others of a set no longer"),
        |call| {
            let (set_id, role_id) = names(call)?;
            Ok(Target::new(call.tenant(), Command::RemoveExclusiveRole { set_id, role_id }))
        },
    );
}

fn define(call: &Call<Define>) -> Target<Policy> {
    let Define { id, name, roles, cardinality } = &call.body;
    let set_id = id.unwrap_or_else(clock::new_id);
    let (name, roles, cardinality) = (name.clone(), roles.clone(), *cardinality);
    let wanted = DefineExclusiveRoles { set_id, name, roles, cardinality };
    let command = Command::DefineExclusiveRoles(wanted);
    Target::new(call.tenant(), command).at(SET)
}

fn names<B>(call: &Call<B>) -> Result<(ExclusiveSetId, RoleId), Problem> {
    Ok((call.id("set_id")?, call.id("role_id")?))
}
