//! Every feature flag as it holds for the caller, and why.

use std::collections::BTreeSet;

use events::Module::Settings;
use events::UnitId;
use events::settings::{Caller, Flag, Source, Verdict, Why, verdict};
use platform::access::Standing;
use platform::clock;
use platform::problem::Problem;
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
            Some(standing) => units(&call, standing).await?,
            None => Vec::new(),
        };
        let caller = Caller { id: &call.principal.actor.id, units: &units };
        let items = Flag::ALL.iter().map(|flag| {
            let environment = call.app.settings.feature_flags.get(flag).copied();
            let found = verdict(*flag, environment, &organization.state, caller);
            let Verdict { on, why, source, unit_id, bucket } = found;
            let (flag, title, version) = (*flag, flag.title(), organization.version);
            ForCaller { flag, title, on, why, source, unit_id, bucket, version }
        });
        Ok(stamped(&call, &asked, Items { items: items.collect() }))
    })
}

/// The units in which the caller has a role now, and all units above them.
async fn units(call: &Call, standing: &Standing) -> Result<Vec<UnitId>, Problem> {
    let rights = call.app.access.rights(call.tenant(), standing).await.map_err(unreadable)?;
    let (policy, access, now) = (&rights.policy.state, &rights.access.state, clock::now());
    let held = access.assignments().iter().chain(policy.protected_grants(standing.user_id));
    let own: BTreeSet<UnitId> =
        held.filter(|held| held.is_live(now)).filter_map(|held| held.unit_id).collect();
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let organization = call.organization().await?;
    let above: BTreeSet<UnitId> =
        own.into_iter().flat_map(|unit| organization.state.path(unit)).collect();
    Ok(above.into_iter().collect())
}
