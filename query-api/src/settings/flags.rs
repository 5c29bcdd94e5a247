//! Every feature flag as it holds for the caller, and why.

use events::Module::Settings;
use events::UnitId;
use events::settings::{Caller, Flag, Source, Verdict, Why, verdict};
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;

use super::of_organization;
use crate::answer::{Items, Stamped, stamped};
use crate::call::{Call, unreadable};
use crate::endpoint::Endpoint;

/// A feature flag as it holds for the caller.
#[derive(Debug, Serialize, JsonSchema)]
struct ForCaller {
    flag: Flag,
    /// What it switches.
    title: &'static str,
    /// Whether the feature is on.
    on: bool,
    /// Why.
    why: Why,
    /// Where that comes from.
    source: Source,
    /// The unit of the caller's for which it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_id: Option<UnitId>,
    /// The caller's bucket, 0 to 99: a share of n per cent is on for the buckets below n.
    bucket: u8,
    /// The version, for `If-Match`, of all that the organisation has set; 0 when that is nothing.
    version: i64,
}

pub(super) fn flags() -> Endpoint {
    let route = Route::get("/feature-flags", Settings, "settings_flags")
        .summary("Every feature flag, whether it is on for the caller, and why")
        .answers::<Stamped<Items<ForCaller>>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&[])?;
        let asked = call.head().await?;
        let organization = of_organization(&call).await?;
        let units = match &call.standing {
            Some(standing) => {
                call.app.access.units(call.tenant(), standing).await.map_err(unreadable)?
            }
            None => Vec::new(),
        };
        let caller = Caller { id: &call.principal.actor.id, units: &units };
        let items = Flag::offered().map(|flag| {
            let environment = call.app.settings.feature_flags.get(&flag).copied();
            let found = verdict(flag, environment, &organization.state, caller);
            let Verdict { on, why, source, unit_id, bucket } = found;
            let (title, version) = (flag.title(), organization.version);
            ForCaller { flag, title, on, why, source, unit_id, bucket, version }
        });
        Ok(stamped(&call, &asked, Items { items: items.collect() }))
    })
}
