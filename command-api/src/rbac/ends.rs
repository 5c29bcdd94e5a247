//! Routes by which our own workers record what the clock or a deleted role has ended.

use events::rbac::policy::{self, Policy};
use events::rbac::user_access::{Command, UserAccess};
use events::{Module, Permission, UnitId};
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::{Nothing, Registry};

/// Which assignment of a role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Where {
    /// Where it counted; everywhere when absent.
    #[serde(default)]
    unit_id: Option<UnitId>,
}

const ASSIGNMENT: &str = "/rbac/users/{user_id}/roles/{role_id}/expire";
const NOTICE: &str = "/rbac/users/{user_id}/roles/{role_id}/announce-end";
const STRIP: &str = "/rbac/users/{user_id}/roles/{role_id}/strip";
const PROTECTED: &str = "/rbac/users/{user_id}/protected-roles/{role_id}/expire";
const PROTECTED_NOTICE: &str = "/rbac/users/{user_id}/protected-roles/{role_id}/announce-end";
const PLANT: &str = "/rbac/users/{user_id}/plants/{unit_id}/expire";

pub(super) fn routes(registry: &mut Registry) {
    let expire = |route: Route| route.needs(Permission::RbacAssignmentsExpire);
    registry.command::<Where, UserAccess>(
        expire(Route::post(ASSIGNMENT, Module::Rbac, "rbac_user_access_expire_role"))
            .summary("record that an assignment has reached its end"),
        |call| {
            let (role_id, unit_id) = (call.id("role_id")?, call.body.unit_id);
            let user: events::UserId = call.id("user_id")?;
            Ok(Target::new(user, Command::ExpireRole { role_id, unit_id }))
        },
    );
    registry.command::<Where, UserAccess>(
        expire(Route::post(NOTICE, Module::Rbac, "rbac_user_access_announce_role_end"))
            .summary("record that the holder is told of an assignment's end, which is near"),
        |call| {
            let (role_id, unit_id) = (call.id("role_id")?, call.body.unit_id);
            let user: events::UserId = call.id("user_id")?;
            Ok(Target::new(user, Command::AnnounceRoleEnd { role_id, unit_id }))
        },
    );
    registry.command::<Where, UserAccess>(
        expire(Route::post(STRIP, Module::Rbac, "rbac_user_access_strip_role"))
            .summary("take what is left of a deleted role from a user"),
        |call| {
            let (role_id, unit_id) = (call.id("role_id")?, call.body.unit_id);
            let user: events::UserId = call.id("user_id")?;
            Ok(Target::new(user, Command::StripRole { role_id, unit_id }))
        },
    );
    registry.command::<Where, Policy>(
        expire(Route::post(PROTECTED, Module::Rbac, "rbac_policy_expire_protected_role"))
            .summary("record that the grant of a protected role has reached its end"),
        |call| {
            let (user_id, role_id) = (call.id("user_id")?, call.id("role_id")?);
            let unit_id = call.body.unit_id;
            let command = policy::Command::ExpireProtectedRole { user_id, role_id, unit_id };
            Ok(Target::new(call.tenant(), command))
        },
    );
    registry.command::<Where, Policy>(
        expire(Route::post(
            PROTECTED_NOTICE,
            Module::Rbac,
            "rbac_policy_announce_protected_role_end",
        ))
        .summary("record that the holder of a protected role is told of its end, which is near"),
        |call| {
            let (user_id, role_id) = (call.id("user_id")?, call.id("role_id")?);
            let unit_id = call.body.unit_id;
            let command = policy::Command::AnnounceProtectedRoleEnd { user_id, role_id, unit_id };
            Ok(Target::new(call.tenant(), command))
        },
    );
    registry.command::<Nothing, UserAccess>(
        expire(Route::post(PLANT, Module::Rbac, "rbac_user_access_expire_unit_access"))
            .summary("record that access to a unit has reached its end"),
        |call| {
            let (user, unit_id): (events::UserId, _) = (call.id("user_id")?, call.id("unit_id")?);
            Ok(Target::new(user, Command::ExpireUnitAccess { unit_id }))
        },
    );
}
