//! Every setting as it holds in the organisation or in one of its units, with its schema and its source.

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use events::Module::Settings;
use events::UnitId;
use events::settings::configuration::Configuration;
use events::settings::{Effective, Key, Source, Value, effective};
use platform::fold::Folded;
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::Serialize;

use super::{of_organization, of_unit, reading};
use crate::answer::{Items, Stamped, stamped};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::shape::query;

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
    value: Value,
    /// Where the value comes from.
    source: Source,
    /// The unit that set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_id: Option<UnitId>,
    /// The version, for `If-Match`, of all that was set where it was asked for; 0 when that is nothing.
    version: i64,
}

const UNIT: &[Parameter] =
    &[query("unit_id", "the unit where it holds; the organisation as a whole when absent")];

pub(super) fn settings() -> Endpoint {
    let route = reading(Route::get("/settings", Settings, "settings_settings"))
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

fn at_version(mut response: Response, version: i64) -> Response {
    let name = HeaderName::from_static("aggregate-version");
    response.headers_mut().insert(name, HeaderValue::from(version));
    response
}

/// Where settings are asked for.
struct Place {
    organization: Folded<Configuration>,
    /// The unit and those above it, nearest first.
    units: Vec<(UnitId, Folded<Configuration>)>,
}

impl Place {
    async fn of(call: &Call) -> Result<Self, Problem> {
        call.only_parameters(&["unit_id"])?;
        let mut units = Vec::new();
        if let Some(unit) = call.parameter("unit_id") {
            for unit in path(call, unit).await? {
                units.push((unit, of_unit(call, unit).await?));
            }
        }
        Ok(Self { organization: of_organization(call).await?, units })
    }

    fn setting(&self, key: Key) -> Setting {
        let units: Vec<(UnitId, &Configuration)> =
            self.units.iter().map(|(unit, of)| (*unit, &*of.state)).collect();
        let Effective { value, source, unit_id } = effective(key, &self.organization.state, &units);
        let asked = self.units.first().map_or(&self.organization, |(_, nearest)| nearest);
        Setting {
            key,
            title: key.title(),
            schema: key.schema(),
            per_unit: key.is_per_unit(),
            value,
            source,
            unit_id,
            version: asked.version,
        }
    }
}

/// The unit and those above it.
async fn path(call: &Call, unit: &str) -> Result<Vec<UnitId>, Problem> {
    let unit: UnitId = unit.parse().map_err(|_| Problem::absent("unit"))?;
    let path = call.organization().await?.state.path(unit);
    if path.is_empty() { Err(Problem::absent("unit")) } else { Ok(path) }
}
