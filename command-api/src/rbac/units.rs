//! Routes for access to units: plants, branches, departments, sites.

use events::rbac::unit_access::{Level, UnitAccess};
use events::rbac::user_access::{Command, UserAccess};
use events::{Module, Permission, UnitId, UserId};
use jiff::Timestamp;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::guard::Spot;
use crate::pipeline::Target;
use crate::registry::{Call, Registry};

/// Access to a unit.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Access {
    /// How far it goes; the role of code `unit-read`, `unit-write` or `unit-admin` says what it means.
    level: Level,
    /// Until when; for good when absent.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// Why access ends.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct End {
    /// Why.
    #[serde(default)]
    reason: Option<String>,
}

const PLANT: &str = "/rbac/users/{user_id}/plants/{unit_id}";

pub(super) fn routes(registry: &mut Registry) {
    let assign = |route: Route| route.needs(Permission::RbacAssignmentsAssign).in_unit();
    registry.command::<Access, UserAccess>(
        assign(Route::put(PLANT, Module::Rbac, "rbac_user_access_grant_unit_access"))
            .summary("give a user access to a unit, instead of what access they have there"),
        |call| {
            let (user, unit_id) = names(call)?;
            let Access { level, expires_at } = call.body;
            let wanted = UnitAccess { unit_id, level, expires_at };
            let grant = Command::GrantUnitAccess(wanted);
            Ok(Target::new(user, grant).within([Spot::In(unit_id)]))
        },
    );
    registry.command::<End, UserAccess>(
        assign(Route::delete(PLANT, Module::Rbac, "rbac_user_access_revoke_unit_access"))
            .summary("take access to a unit from a user; it holds from the next command"),
        |call| {
            let (user, unit_id) = names(call)?;
            let reason = call.body.reason.clone();
            let revoke = Command::RevokeUnitAccess { unit_id, reason };
            Ok(Target::new(user, revoke).within([Spot::In(unit_id)]))
        },
    );
}

fn names<B>(call: &Call<B>) -> Result<(UserId, UnitId), Problem> {
    Ok((call.id("user_id")?, call.id("unit_id")?))
}
