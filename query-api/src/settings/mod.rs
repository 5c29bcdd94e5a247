//! Questions about settings and feature flags: what holds, and where it comes from.

mod chosen;
mod flags;
mod past;

use events::Module::Settings;
use events::settings::configuration::Configuration;
use events::{Permission, UnitId};
use platform::fold::Folded;
use platform::problem::Problem;
use platform::routes::Route;

pub(crate) use self::chosen::held;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::identity::me;
use crate::item::item;
use crate::list::list;
use crate::shape::{dataset, listing, page_of, row_of, single};
use crate::travel::with_past;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let set = Route::get("/settings/chosen", Settings, "settings_chosen")
        .summary("What the organisation and its units have set; the rest holds by default");
    let switched = Route::get("/feature-flags/switched", Settings, "settings_flags_switched")
        .summary("How the organisation has switched features");
    let lists = vec![
        chosen::settings(),
        chosen::own_settings(),
        flags::flags(),
        Endpoint::new(
            listing(set, "settings.settings", |g| page_of(g, "settings.settings")),
            |call| async move { list(&call, dataset("settings.settings"), None).await },
        ),
        Endpoint::new(
            listing(switched, "settings.flags", |g| page_of(g, "settings.flags")),
            |call| async move { list(&call, dataset("settings.flags"), None).await },
        ),
    ];
    let items = with_past(&past::SETTING, chosen::setting()).into_iter();
    lists.into_iter().chain(items).chain(with_past(&past::FLAG, switched_flag())).collect()
}

/// Whether it is on for the caller is the list's to say; this is what was decided.
fn switched_flag() -> Endpoint {
    let route = Route::get("/feature-flags/{flag}", Settings, "settings_flag")
        .summary("How the organisation has switched one feature");
    Endpoint::new(
        single(route, "settings.flags", |g| row_of(g, "settings.flags")),
        |call| async move {
            item(&call, dataset("settings.flags"), call.segment("flag"), "switch of the feature")
                .await
        },
    )
}

/// A question that needs the right to see settings.
fn reading(route: Route) -> Route {
    route.needs(Permission::SettingsSettingsRead)
}

/// The unit whose settings are asked for, where the caller may see them; the organisation as a whole when absent.
fn unit(call: &Call) -> Result<Option<UnitId>, Problem> {
    let unit = me::unit(call)?;
    call.only_in(&call.places, unit, Permission::SettingsSettingsRead)?;
    Ok(unit)
}

/// What the organisation has set, as the log has it now.
async fn of_organization(call: &Call) -> Result<Folded<Configuration>, Problem> {
    call.aggregate::<Configuration>(&call.tenant().to_string()).await
}

/// What a unit has set, as the log has it now.
async fn of_unit(call: &Call, unit: UnitId) -> Result<Folded<Configuration>, Problem> {
    call.aggregate::<Configuration>(&unit.to_string()).await
}
