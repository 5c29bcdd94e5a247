//! Routes of the addresses that hear of events: who hears of what, with which secret, and how our workers say what came of it.

mod facts;
mod reports;
mod secrets;

use std::sync::Arc;

use events::webhooks::endpoint::{Command, Endpoint, Redeliver, Revise};
use events::{DeliveryId, EndpointId, Module, Permission};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::db::begin_for;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::app::App;
use crate::patch::Patch;
use crate::pipeline::{Ask, Target};
use crate::registry::{Call, Nothing, Registry};

/// What is to change; what is absent stays.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Revision {
    /// Its https address.
    #[serde(default)]
    url: Option<String>,
    /// The events it hears of: names, or their beginnings and a star, such as `rbac.*`.
    #[serde(default)]
    events: Option<Vec<String>>,
    /// What it is for; null when there is to be no such text.
    #[serde(default)]
    description: Patch<String>,
}

/// An event to be told once more; what is known of it is looked up.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OnceMore {
    #[serde(skip)]
    found: Option<Redeliver>,
}

const ENDPOINT: &str = "/webhooks/{endpoint_id}";

pub(crate) fn routes(registry: &mut Registry) {
    secrets::routes(registry);
    reports::routes(registry);
    registry.command::<Revision, Endpoint>(
        Route::patch(ENDPOINT, Module::Webhooks, "webhooks_endpoint_revise")
            .summary("change where a program hears of events, of which, and what for")
            .needs(Permission::WebhooksEndpointsManage),
        |call| {
            let Revision { url, events, description } = call.body.clone();
            let description = description.asks(|text| text);
            hearing(call, Command::Revise(Revise { url, events, description }))
        },
    );
    let manage = |path, operation| {
        let route = Route::post(path, Module::Webhooks, operation);
        route.needs(Permission::WebhooksEndpointsManage)
    };
    registry.command::<Nothing, Endpoint>(
        manage("/webhooks/{endpoint_id}/disable", "webhooks_endpoint_disable")
            .summary("tell a program nothing until it is enabled"),
        |call| target(call, Command::Disable),
    );
    registry.command::<Nothing, Endpoint>(
        manage("/webhooks/{endpoint_id}/enable", "webhooks_endpoint_enable")
            .summary("tell a program again, from now on and in your name"),
        |call| hearing(call, Command::Enable),
    );
    registry.command::<Nothing, Endpoint>(
        manage("/webhooks/{endpoint_id}/test", "webhooks_endpoint_send_test")
            .summary("have a program told of this very command"),
        |call| target(call, Command::SendTest),
    );
    let path = "/webhooks/{endpoint_id}/deliveries/{delivery_id}/redeliver";
    registry.checked::<OnceMore, Endpoint>(
        manage(path, "webhooks_endpoint_redeliver")
            .summary("have a program told once more of an event; it knows the event by its id"),
        find,
        |call| {
            let found = call.body.found.clone().ok_or_else(|| Problem::absent("delivery"))?;
            hearing(call, Command::Redeliver(found))
        },
    );
}

fn target<B>(call: &Call<B>, command: Command) -> Result<Target<Endpoint>, Problem> {
    let id: EndpointId = call.id("endpoint_id")?;
    Ok(Target::new(id, command))
}

/// Whoever has somebody hear of events may see them.
fn hearing<B>(call: &Call<B>, command: Command) -> Result<Target<Endpoint>, Problem> {
    Ok(Target { needs: vec![Permission::AuditEventsRead], ..target(call, command)? })
}

/// Looks up which event it is about, among what the endpoint was told or was to be.
fn find<'a>(
    app: &'a Arc<App>,
    ask: &'a Ask,
    call: &'a mut Call<OnceMore>,
) -> BoxFuture<'a, Result<(), Problem>> {
    async move {
        let endpoint: EndpointId = call.id("endpoint_id")?;
        let delivery_id: DeliveryId = call.id("delivery_id")?;
        let tenant = ask.principal.tenant;
        let mut transaction = begin_for(&app.pool, tenant).await?;
        let found: Option<(Uuid, i64)> = sqlx::query_as(
            "select event_id, position from work.webhooks_deliveries
              where tenant_id = $1 and endpoint_id = $2 and delivery_id = $3",
        )
        .bind(tenant.0)
        .bind(endpoint.0)
        .bind(delivery_id.0)
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let redeliver = |(event_id, position)| Redeliver { delivery_id, event_id, position };
        call.body.found = found.map(redeliver);
        Ok(())
    }
    .boxed()
}
