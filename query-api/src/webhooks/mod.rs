//! Questions about programs elsewhere that hear of events: which there are, what they were told, and what there is to be told.

mod deliveries;
mod event_types;
mod past;

use events::Module::Webhooks;
use platform::routes::Route;

use crate::endpoint::Endpoint;
use crate::item::item;
use crate::list::list;
use crate::shape::{dataset, listing, page_of, row_of, single};
use crate::travel::with_past;

const ENDPOINTS: &str = "webhooks.endpoints";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let all = Route::get("/webhooks", Webhooks, "webhooks_endpoints")
        .summary("The programs elsewhere that hear of events");
    let lists = vec![
        Endpoint::new(listing(all, ENDPOINTS, |g| page_of(g, ENDPOINTS)), |call| async move {
            list(&call, dataset(ENDPOINTS), None).await
        }),
        event_types::all(),
        deliveries::of_endpoint(),
    ];
    lists.into_iter().chain(with_past(&past::ENDPOINT, one())).collect()
}

fn one() -> Endpoint {
    let route = Route::get("/webhooks/{id}", Webhooks, "webhooks_endpoint")
        .summary("One program that hears of events");
    Endpoint::new(single(route, ENDPOINTS, |g| row_of(g, ENDPOINTS)), |call| async move {
        item(&call, dataset(ENDPOINTS), call.segment("id"), "endpoint").await
    })
}
