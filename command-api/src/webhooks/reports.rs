//! How our workers say what came of telling a program.

use events::webhooks::endpoint::{Command, DeadLetter, Endpoint, Report};
use events::{Module, Permission};
use jiff::Timestamp;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::target;
use crate::registry::Registry;

/// How an endpoint answers.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Answered {
    /// It says that it is gone.
    Gone,
    /// It has not answered well since then.
    Failing {
        /// Since when.
        since: Timestamp,
    },
    /// In whose name it is told may not see events any more.
    OwnerLost,
}

/// An event that could not be told.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Dead {
    /// The event.
    event_id: Uuid,
    /// How often it was tried.
    attempts: u32,
    /// The status of the last answer, if there was one.
    #[serde(default)]
    last_status: Option<u16>,
}

pub(super) fn routes(registry: &mut Registry) {
    let report = |path, operation| {
        let route = Route::post(path, Module::Webhooks, operation);
        route.needs(Permission::WebhooksEndpointsReport)
    };
    registry.command::<Answered, Endpoint>(
        report("/webhooks/{endpoint_id}/report", "webhooks_endpoint_report")
            .summary("record how a program answers; it is told of nothing any more after days"),
        |call| {
            let report = match call.body {
                Answered::Gone => Report::Gone,
                Answered::Failing { since } => Report::Failing { since },
                Answered::OwnerLost => Report::OwnerLost,
            };
            target(call, Command::Report(report))
        },
    );
    let path = "/webhooks/{endpoint_id}/deliveries/{delivery_id}/dead-letter";
    registry.command::<Dead, Endpoint>(
        report(path, "webhooks_endpoint_dead_letter")
            .summary("record that a program could not be told of an event"),
        |call| {
            let Dead { event_id, attempts, last_status } = call.body.clone();
            let delivery_id = call.id("delivery_id")?;
            let dead = DeadLetter { delivery_id, event_id, attempts, last_status };
            target(call, Command::DeadLetter(dead))
        },
    );
}
