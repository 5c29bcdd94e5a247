//! What decisions about assets, plans and tasks lean on: how far the caller is let in, and the units that they are to belong to.

mod asset;
mod plan;
mod task;

use events::UnitId;
use events::identity::organization::Organization;
use events::maintenance::asset::{Level, Place};
use platform::access::LetsIn;
use platform::problem::Problem;

use crate::facts::Sources;

/// It rests on the caller's standing, the versions of which every append checks.
async fn reach<R: LetsIn>(
    sources: &Sources<'_>,
    record: Option<&R>,
) -> Result<Option<Level>, Problem> {
    let (Some(principal), Some(record)) = (sources.principal, record) else { return Ok(None) };
    let reach = sources.app.access.reach(principal, sources.standing, record).await;
    reach.map_err(|error| Problem::internal(&error))
}

async fn place(sources: &mut Sources<'_>, unit: Option<UnitId>) -> Result<Place, Problem> {
    let Some(unit) = unit else { return Ok(Place::Open) };
    let organization = sources.get::<Organization>(&sources.tenant.to_string()).await?;
    Ok(match organization.state.units.get(&unit) {
        None => Place::Unknown,
        Some(unit) if unit.closed => Place::Closed,
        Some(_) => Place::Open,
    })
}
