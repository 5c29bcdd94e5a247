//! Routes that give roles to users and take them away; protected roles go through the policy itself.

use events::rbac::policy::{self, Policy};
use events::rbac::user_access::{Command, UserAccess};
use events::{Module, Permission, RoleId, UnitId, UserId};
use jiff::Timestamp;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::guard::Spot;
use crate::pipeline::Target;
use crate::registry::{Call, Registry};

/// Who gets which role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Assign {
    /// The user.
    user_id: UserId,
    /// The role.
    role_id: RoleId,
    /// Where it counts; everywhere when absent.
    #[serde(default)]
    unit_id: Option<UnitId>,
    /// Until when; for good when absent.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// Where and until when a role counts.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Extent {
    /// Where it counts; everywhere when absent.
    #[serde(default)]
    unit_id: Option<UnitId>,
    /// Until when; for good when absent.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// Which assignment ends, and why.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Removal {
    /// Where the role counts.
    #[serde(default)]
    unit_id: Option<UnitId>,
    /// Why it ends.
    #[serde(default)]
    reason: Option<String>,
}

const ASSIGNMENT: &str = "/rbac/users/{user_id}/roles/{role_id}";
const PROTECTED: &str = "/rbac/users/{user_id}/protected-roles/{role_id}";

pub(super) fn routes(registry: &mut Registry) {
    let assign = |route: Route| route.needs(Permission::RbacAssignmentsAssign).in_unit();
    registry.command::<Assign, UserAccess>(
        assign(Route::post("/rbac/assign", Module::Rbac, "rbac_user_access_assign_role"))
            .summary("assign a role to a user"),
        |call| {
            let Assign { user_id, role_id, unit_id, expires_at } = call.body;
            let assign = Command::AssignRole { role_id, unit_id, expires_at };
            Ok(Target::new(user_id, assign).within([Spot::of(unit_id)]))
        },
    );
    registry.command::<Extent, UserAccess>(
        assign(Route::post(ASSIGNMENT, Module::Rbac, "rbac_user_access_assign_role_to"))
            .summary("assign a role to a user"),
        |call| {
            let Extent { unit_id, expires_at } = call.body;
            let (user, role_id) = names(call)?;
            let assign = Command::AssignRole { role_id, unit_id, expires_at };
            Ok(Target::new(user, assign).within([Spot::of(unit_id)]))
        },
    );
    registry.command::<Extent, UserAccess>(
        assign(Route::patch(ASSIGNMENT, Module::Rbac, "rbac_user_access_change_role_expiry"))
            .summary("let an assignment end at another time, or never"),
        |call| {
            let Extent { unit_id, expires_at } = call.body;
            let (user, role_id) = names(call)?;
            let change = Command::ChangeRoleExpiry { role_id, unit_id, expires_at };
            Ok(Target::new(user, change).within([Spot::of(unit_id)]))
        },
    );
    registry.command::<Removal, UserAccess>(
        assign(Route::delete(ASSIGNMENT, Module::Rbac, "rbac_user_access_remove_role"))
            .summary("take a role from a user; it holds from the next command"),
        |call| {
            let (user, role_id) = names(call)?;
            let (unit_id, reason) = (call.body.unit_id, call.body.reason.clone());
            let remove = Command::RemoveRole { role_id, unit_id, reason };
            Ok(Target::new(user, remove).within([Spot::of(unit_id)]))
        },
    );
    protected(registry);
}

fn protected(registry: &mut Registry) {
    let assign = |route: Route| route.needs(Permission::RbacAssignmentsAssign).in_unit();
    registry.command::<Extent, Policy>(
        assign(Route::post(PROTECTED, Module::Rbac, "rbac_policy_grant_protected_role"))
            .summary("give a user a protected role"),
        |call| {
            let Extent { unit_id, expires_at } = call.body;
            let (user_id, role_id) = names(call)?;
            let grant =
                policy::Command::GrantProtectedRole { user_id, role_id, unit_id, expires_at };
            Ok(Target::new(call.tenant(), grant).within([Spot::of(unit_id)]))
        },
    );
    registry.command::<Removal, Policy>(
        assign(Route::delete(PROTECTED, Module::Rbac, "rbac_policy_revoke_protected_role"))
            .summary("take a protected role from a user; an administrator must remain"),
        |call| {
            let (user_id, role_id) = names(call)?;
            let (unit_id, reason) = (call.body.unit_id, call.body.reason.clone());
            let revoke = policy::Command::RevokeProtectedRole { user_id, role_id, unit_id, reason };
            Ok(Target::new(call.tenant(), revoke).within([Spot::of(unit_id)]))
        },
    );
}

fn names<B>(call: &Call<B>) -> Result<(UserId, RoleId), Problem> {
    Ok((call.id("user_id")?, call.id("role_id")?))
}
