//! The events that a program can hear of, with the schema of what each says: the documentation of webhooks.

use std::sync::LazyLock;

use events::catalogue::{self, Entry};
use events::webhooks::Wanted;
use events::{Module, Permission};
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::answer::{Items, Stamped, stamped};
use crate::call::Call;
use crate::endpoint::Endpoint;

/// One kind of event.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct EventType {
    /// The `type` of its `CloudEvents`.
    #[serde(rename = "type")]
    name: String,
    /// The version of the schema; `dataschema` ends with it.
    version: String,
    /// The module that it belongs to.
    module: &'static str,
    /// What has happened.
    description: String,
    /// The JSON Schema (draft 2020-12) of its `data`.
    schema: Value,
}

static EVENT_TYPES: LazyLock<Vec<EventType>> =
    LazyLock::new(|| {
        let told = |entry: &Entry| Wanted::all().contains(&entry.event_type);
        let event_type = |Entry { event_type, version, module, description, schema, .. }| {
            EventType { name: event_type, version, module, description, schema }
        };
        catalogue::all().into_iter().filter(told).map(event_type).collect()
    });

pub(super) fn all() -> Endpoint {
    let route = Route::get("/webhooks/event-types", Module::Webhooks, "webhooks_event_types")
        .summary("The events that a program can hear of, and what they say")
        .needs(Permission::WebhooksEndpointsRead)
        .answers::<Stamped<Items<EventType>>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&[])?;
        let asked = call.head().await?;
        Ok(stamped(&call, &asked, Items { items: EVENT_TYPES.clone() }))
    })
}
