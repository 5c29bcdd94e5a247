//! Every setting as it holds in the organisation or in one of its units, with its schema and its source.

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use events::Module::Settings;
use events::UnitId;
use events::settings::configuration::{Configuration, Scope};
use events::settings::{Effective, Key, Source, Value, effective, effective_for};
use platform::clock;
use platform::fold::Folded;
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::Serialize;

use super::{of_organization, of_unit, reading, unit};
use crate::answer::{Items, Stamped, stamped};
use crate::call::{Call, unreadable};
use crate::endpoint::Endpoint;
use crate::shape::{KNOWN, PREFER, WAITING, query};

/// A setting as it holds where it was asked for.
#[derive(Debug, Serialize, JsonSchema)]
struct Setting {
    key: Key,
    /// What it is for.
    title: &'static str,
    /// The JSON Schema of what it can hold, with its default.
    schema: serde_json::Value,
    /// Whether a unit may set it for itself.
    per_unit: bool,
    /// Whether a user may choose it for themselves.
    per_user: bool,
    value: Value,
    /// Where the value comes from.
    source: Source,
    /// The unit that set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_id: Option<UnitId>,
    /// The version, for `If-Match`, of all that was set where it was asked for; 0 when that is nothing.
    version: i64,
}

const UNIT: &[Parameter] = &[
    query("unit_id", "the unit where it holds; the organisation as a whole when absent"),
    KNOWN,
    PREFER,
];

pub(super) fn settings() -> Endpoint {
    let route = reading(Route::get("/settings", Settings, "settings_settings"))
        .in_unit()
        .summary("Every setting: what it can hold, what it holds, and who set it")
        .parameters(UNIT)
        .answers::<Stamped<Items<Setting>>>(200);
    Endpoint::new(route, |call: Call| async move {
        let asked = call.head().await?;
        let place = Place::of(&call).await?;
        let items = Key::offered().map(|key| place.setting(key)).collect();
        Ok(stamped(&call, &asked, Items { items }))
    })
}

pub(super) fn setting() -> Endpoint {
    let route = reading(Route::get("/settings/{key}", Settings, "settings_setting"))
        .in_unit()
        .summary("One setting: what it can hold, what it holds, and who set it")
        .parameters(UNIT)
        .answers::<Stamped<Setting>>(200);
    Endpoint::new(route, |call: Call| async move {
        let key: Key = call.id("key", "setting")?;
        if !Key::offered().any(|offered| offered == key) {
            return Err(Problem::absent("setting"));
        }
        let asked = call.head().await?;
        let setting = Place::of(&call).await?.setting(key);
        let version = setting.version;
        Ok(at_version(stamped(&call, &asked, setting), version))
    })
}

pub(super) fn own_settings() -> Endpoint {
    let route = Route::get("/me/settings", Settings, "settings_own")
        .summary("The settings that the caller may choose for themselves, as they hold for them")
        .in_person()
        .parameters(WAITING)
        .answers::<Stamped<Items<Setting>>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&[])?;
        let own = Scope::User(call.person()?).stream(call.tenant());
        let asked = call.head().await?;
        let own = Some(call.aggregate::<Configuration>(&own).await?);
        let place = Place { own, ..Place::at(&call, home(&call).await?).await? };
        let items = Key::offered().filter(|key| key.is_per_user());
        let items = items.map(|key| place.setting(key)).collect();
        Ok(stamped(&call, &asked, Items { items }))
    })
}

/// What a setting holds in the caller's organisation as a whole.
pub(crate) async fn held(call: &Call, key: Key) -> Result<Value, Problem> {
    let organization = of_organization(call).await?;
    Ok(effective(key, &organization.state, &[]).value)
}

/// The one unit in which the caller has roles, and those above it.
async fn home(call: &Call) -> Result<Vec<UnitId>, Problem> {
    let Some(standing) = &call.standing else { return Ok(Vec::new()) };
    let rights = call.app.access.rights(call.tenant(), standing).await.map_err(unreadable)?;
    let home = rights.access.state.home(clock::now());
    Ok(home.map(|unit| standing.organization.state.path(unit)).unwrap_or_default())
}

fn at_version(mut response: Response, version: i64) -> Response {
    let name = HeaderName::from_static("aggregate-version");
    response.headers_mut().insert(name, HeaderValue::from(version));
    response
}

/// Where settings are asked for.
struct Place {
    /// What the user has chosen, of whom it is asked.
    own: Option<Folded<Configuration>>,
    organization: Folded<Configuration>,
    /// The unit and those above it, nearest first.
    units: Vec<(UnitId, Folded<Configuration>)>,
}

impl Place {
    async fn of(call: &Call) -> Result<Self, Problem> {
        call.only_parameters(&["unit_id"])?;
        let path = match unit(call)? {
            Some(unit) => path(call, unit).await?,
            None => Vec::new(),
        };
        Self::at(call, path).await
    }

    /// In a unit, which comes with those above it.
    async fn at(call: &Call, path: Vec<UnitId>) -> Result<Self, Problem> {
        let mut units = Vec::new();
        for unit in path {
            units.push((unit, of_unit(call, unit).await?));
        }
        Ok(Self { own: None, organization: of_organization(call).await?, units })
    }

    fn setting(&self, key: Key) -> Setting {
        let units: Vec<(UnitId, &Configuration)> =
            self.units.iter().map(|(unit, of)| (*unit, &*of.state)).collect();
        let nobodys = Configuration::default();
        let own = self.own.as_ref().map_or(&nobodys, |own| &*own.state);
        let found = effective_for(key, own, &self.organization.state, &units);
        let Effective { value, source, unit_id } = found;
        let nearest = self.units.first().map(|(_, nearest)| nearest);
        let asked = self.own.as_ref().or(nearest).unwrap_or(&self.organization);
        Setting {
            key,
            title: key.title(),
            schema: key.schema(),
            per_unit: key.is_per_unit(),
            per_user: key.is_per_user(),
            value,
            source,
            unit_id,
            version: asked.version,
        }
    }
}

/// The unit and those above it.
async fn path(call: &Call, unit: UnitId) -> Result<Vec<UnitId>, Problem> {
    let path = call.organization().await?.state.path(unit);
    if path.is_empty() { Err(Problem::absent("unit")) } else { Ok(path) }
}
