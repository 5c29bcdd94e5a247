//! The library baseline: the same command and the same rules behind a handler of the same kind, stored by cqrs-es and postgres-es.
//!
//! It does less than command-api: no token, no permission, no idempotency key, no chain, no global order.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use events::aggregate::{Root, Services};
use events::notifications::notification::{Command, Kind, Notification, Priority, Send};
use events::{Actor, ActorKind, Context, UserId};
use platform::clock;
use platform::lifecycle::Shutdown;
use postgres_es::{PostgresCqrs, postgres_cqrs};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

/// The table that the library's documentation asks for.
pub(crate) const TABLE: &str = "create table public.events (
  aggregate_type text not null, aggregate_id text not null, sequence bigint check (sequence >= 0) not null,
  event_type text not null, event_version text not null, payload json not null, metadata json not null,
  primary key (aggregate_type, aggregate_id, sequence))";
/// More than its own default of 10: as many as let it do its best here.
const POOL_SIZE: u32 = 32;

/// Where to listen and what to store into.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    url: String,
}

/// The body that command-api takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    id: Uuid,
    user_id: UserId,
    kind: Kind,
    title: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    priority: Priority,
}

#[derive(Serialize)]
struct Done {
    id: Uuid,
}

type Framework = Arc<PostgresCqrs<Root<Notification>>>;

/// Serves until it is ended.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(POOL_SIZE)
        .min_connections(POOL_SIZE)
        .connect(&arguments.url)
        .await?;
    let router = router(pool);
    platform::http::serve(arguments.address, router, Shutdown::new()).await
}

fn router(pool: PgPool) -> Router {
    let actor = Actor {
        kind: ActorKind::System,
        id: "bench".into(),
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    let context = Context { tenant: clock::new_id(), actor, now: clock::now(), scope: None };
    let services = Services::<Notification> { context, facts: () };
    let framework: Framework = Arc::new(postgres_cqrs(pool, Vec::new(), services));
    Router::new()
        .route("/readyz", get(|| async { "ready" }))
        .route("/api/v1/notifications/send", post(send))
        .with_state(framework)
}

async fn send(
    State(framework): State<Framework>,
    Json(body): Json<Body>,
) -> Result<(StatusCode, Json<Done>), (StatusCode, String)> {
    let command = Command::Send(Send {
        user_id: body.user_id,
        kind: body.kind,
        title: body.title,
        message: body.message,
        link: None,
        priority: body.priority,
        dedupe_key: None,
    });
    // Metadata of the size that ours has.
    let metadata = HashMap::from(
        [
            ("actor_kind", "user"),
            ("actor_id", "0199c200-1d2a-7e10-8f1e-000000000001"),
            ("session_id", "0199c200-1d2a-7e10-8f1e-000000000002"),
            ("command", "notifications_notification_send"),
            ("request_id", "0199c200-1d2a-7e10-8f1e-000000000003"),
            ("correlation_id", "0199c200-1d2a-7e10-8f1e-000000000003"),
            ("ip", "127.0.0.1"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    framework
        .execute_with_metadata(&body.id.to_string(), command, metadata)
        .await
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok((StatusCode::CREATED, Json(Done { id: body.id })))
}
