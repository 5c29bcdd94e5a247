//! Routes of settings and feature flags: setting, unsetting, switching.

use events::settings::configuration::{
    Command, Configuration, Scope, SetSetting, SwitchFlag, UnsetSetting,
};
use events::{Module, Permission, UnitId};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::guard::Spot;
use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// What a setting shall hold, and where.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Choice {
    /// What it shall hold, as its schema in `GET /settings` says.
    value: Value,
    /// The unit that chooses; the organisation as a whole when absent.
    #[serde(default)]
    unit_id: Option<UnitId>,
}

/// What a setting shall hold for the caller.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OwnChoice {
    /// What it shall hold, as its schema in `GET /me/settings` says.
    value: Value,
}

/// Where a setting is given back to what holds above it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Return {
    /// The unit that gives it back; the organisation as a whole when absent.
    #[serde(default)]
    unit_id: Option<UnitId>,
}

/// For whom a feature is on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Switch {
    /// Whether it is on for anybody at all.
    enabled: bool,
    /// The share of users it is on for, 0 to 100 per cent.
    #[serde(default = "everybody")]
    #[schemars(range(min = 0, max = 100))]
    rollout_pct: i64,
    /// The units it is on for as a whole, with all below them.
    #[serde(default)]
    units: Vec<UnitId>,
}

fn everybody() -> i64 {
    100
}

const SETTING: &str = "/settings/{key}";
const OWN: &str = "/me/settings/{key}";

pub(crate) fn routes(registry: &mut Registry) {
    let manage = |route: Route| route.needs(Permission::SettingsSettingsManage);
    registry.command::<Choice, Configuration>(
        manage(Route::put(SETTING, Module::Settings, "settings_configuration_set_setting"))
            .in_unit()
            .summary("set a setting of the organisation or of a unit"),
        |call| {
            let set = SetSetting { key: call.text("key"), value: call.body.value.clone() };
            Ok(scope(call, call.body.unit_id, Command::SetSetting(set)))
        },
    );
    registry.command::<Return, Configuration>(
        manage(Route::delete(SETTING, Module::Settings, "settings_configuration_unset_setting"))
            .in_unit()
            .summary("give a setting back to what holds above it"),
        |call| {
            let unset = UnsetSetting { key: call.text("key") };
            Ok(scope(call, call.body.unit_id, Command::UnsetSetting(unset)))
        },
    );
    registry.command::<OwnChoice, Configuration>(
        Route::put(OWN, Module::Settings, "settings_configuration_set_own_setting")
            .summary("choose a setting for yourself")
            .in_person(),
        |call| {
            let set = SetSetting { key: call.text("key"), value: call.body.value.clone() };
            own(call, Command::SetSetting(set))
        },
    );
    registry.command::<Nothing, Configuration>(
        Route::delete(OWN, Module::Settings, "settings_configuration_unset_own_setting")
            .summary("take a setting again as it holds where you are")
            .in_person(),
        |call| own(call, Command::UnsetSetting(UnsetSetting { key: call.text("key") })),
    );
    registry.command::<Switch, Configuration>(
        manage(Route::put(
            "/feature-flags/{flag}",
            Module::Settings,
            "settings_configuration_switch_flag",
        ))
        .summary("switch a feature on for some or everybody, or off"),
        |call| {
            let Switch { enabled, rollout_pct, ref units } = call.body;
            let (flag, units) = (call.text("flag"), units.clone());
            let switch = SwitchFlag { flag, enabled, rollout_pct, units };
            Ok(scope(call, None, Command::SwitchFlag(switch)))
        },
    );
}

/// The configuration of the organisation, or of one of its units.
fn scope<B>(call: &Call<B>, unit: Option<UnitId>, command: Command) -> Target<Configuration> {
    let scope = unit.map_or(Scope::Organization, Scope::Unit);
    Target::new(scope.stream(call.tenant()), command).within([Spot::of(unit)])
}

/// The caller's own.
fn own<B>(call: &Call<B>, command: Command) -> Result<Target<Configuration>, Problem> {
    let user = call.principal.user();
    let user = user.ok_or_else(|| Problem::forbidden("a service has no settings of its own"))?;
    Ok(Target::new(Scope::User(user).stream(call.tenant()), command))
}
