//! Programs that hear of events as they were.

use events::webhooks::endpoint::{Endpoint, Status};
use serde_json::{Value, json};

use crate::shape::PAST_ITEM;
use crate::travel::{Past, Place, names};

pub(super) static ENDPOINT: Past<Endpoint> = Past {
    data: super::ENDPOINTS,
    what: "endpoint",
    names: names!("/webhooks/{id}", "webhooks_endpoint"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: endpoint,
    masked: &[],
    owner: None,
};

fn endpoint(endpoint: &Endpoint, id: &str) -> Option<Value> {
    let (status, reason) = match endpoint.status {
        Status::Absent | Status::Deleted => return None,
        Status::Enabled => ("enabled", None),
        Status::Disabled(reason) => ("disabled", Some(reason)),
    };
    Some(json!({
        "endpoint_id": id,
        "url": endpoint.url,
        "events": endpoint.events,
        "description": endpoint.description,
        "owned_by": endpoint.owned_by,
        "status": status,
        "disabled_reason": reason,
        "old_valid_until": endpoint.overlap.map(|(_, until)| until),
    }))
}
