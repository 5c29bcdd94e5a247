//! Questions about the upkeep of assets: what there is, what it was used, who is let in, what is to be done, and when.

mod past;
mod schedules;
mod tasks;

use axum::response::Response;
use events::Module::Maintenance;
use platform::dataset::filter::Filter;
use platform::dataset::{Query, one};
use platform::problem::Problem;
use platform::routes::Route;
use uuid::Uuid;

use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::item::item;
use crate::list::{list, visible};
use crate::shape::{dataset, listing, page_of, row_of, single};
use crate::travel::with_past;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let assets = Route::get("/assets", Maintenance, "maintenance_assets")
        .summary("The assets of units in which the caller may see them, and those that others share with the caller");
    let usage = Route::get("/assets/{id}/usage", Maintenance, "maintenance_asset_usage")
        .summary("The counters of an asset, each with its last reading");
    let sharing = Route::get("/assets/{id}/sharing", Maintenance, "maintenance_asset_shares")
        .summary("Whom an asset is shared with, and how far they are let in");
    let lists = vec![
        Endpoint::new(
            listing(assets, "maintenance.assets", |g| page_of(g, "maintenance.assets")),
            |call| async move { list(&call, dataset("maintenance.assets"), None).await },
        ),
        Endpoint::new(
            listing(usage, "maintenance.asset_usage", |g| page_of(g, "maintenance.asset_usage")),
            |call| async move { of_asset(&call, "maintenance.asset_usage").await },
        ),
        Endpoint::new(
            listing(sharing, "maintenance.asset_shares", |g| {
                page_of(g, "maintenance.asset_shares")
            }),
            |call| async move { of_asset(&call, "maintenance.asset_shares").await },
        ),
    ];
    let assets = lists.into_iter().chain(with_past(&past::ASSET, asset()));
    assets.chain(tasks::endpoints()).chain(schedules::endpoints()).collect()
}

fn asset() -> Endpoint {
    let route = Route::get("/assets/{id}", Maintenance, "maintenance_asset").summary("One asset");
    Endpoint::new(
        single(route, "maintenance.assets", |g| row_of(g, "maintenance.assets")),
        |call| async move {
            item(&call, dataset("maintenance.assets"), call.segment("id"), "asset").await
        },
    )
}

/// The rows of a dataset that are about an asset which the caller sees.
async fn of_asset(call: &Call, name: &'static str) -> Result<Response, Problem> {
    of_seen(call, ("maintenance.assets", "asset_id", "asset"), name).await
}

/// The rows of a dataset that are about a record of another, where the caller sees that: the other, its key, and what it is for people.
async fn of_seen(
    call: &Call,
    (records, key, what): (&'static str, &'static str, &'static str),
    name: &'static str,
) -> Result<Response, Problem> {
    let id = call.segment("id");
    let absent = || Problem::absent(what);
    // An id that is not even of the right form names nothing.
    let id: Uuid = id.parse().map_err(|_| absent())?;
    let this = || Filter::equals(key, id.to_string());
    let records = dataset(records);
    let query = Query::everything(records)?.narrowed(records, this(), call.me())?;
    let query = visible(call, records, query).map_err(|_| absent())?.only(records, [key])?;
    if call.ask(records.projections, &one(records, &query)).await?.rows.is_empty() {
        return Err(absent());
    }
    list(call, dataset(name), Some(this())).await
}
