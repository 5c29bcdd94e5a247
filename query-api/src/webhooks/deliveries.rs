//! What a program was told lately, and what it answered: operational facts that are kept for a month, and no read model.

use events::webhooks::endpoint::Endpoint as Program;
use events::{DeliveryId, EndpointId, Module, Permission};
use jiff::Timestamp;
use platform::dataset::{Bind, Statement};
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::answer::{Items, Stamped, stamped};
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::shape::query;

/// So many are told unless fewer or more are asked for.
const DEFAULT_LIMIT: i64 = 50;
/// So many at most.
const MAX_LIMIT: i64 = 500;

const STATES: [&str; 5] = ["retrying", "delivered", "gone", "dead", "cancelled"];
const PARAMETERS: &[Parameter] = &[
    query("state", "only those: `retrying`, `delivered`, `gone`, `dead` or `cancelled`"),
    query("before", "those that began before the delivery of this id: the last of a page before"),
    query("limit", "so many: 50 unless told, at most 500"),
];

/// One event that a program was told of, or is to be.
#[derive(Debug, Serialize, JsonSchema)]
struct Delivery {
    #[serde(rename = "delivery_id")]
    id: DeliveryId,
    /// The `webhook-id`, and the `id` of the `CloudEvents`.
    event_id: Uuid,
    event_type: String,
    /// Where the event stands in the log.
    position: i64,
    /// `retrying`, `delivered`, `gone`, `dead` or `cancelled`.
    state: String,
    /// How often it was tried.
    attempts: i32,
    /// The status of the last answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<i32>,
    /// What went wrong where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// The last attempts, the newest last.
    history: Vec<Attempt>,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    next_at: Option<Timestamp>,
    #[schemars(with = "String")]
    first_at: Timestamp,
    #[schemars(with = "String")]
    changed_at: Timestamp,
}

/// One attempt.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Attempt {
    /// When.
    #[schemars(with = "String")]
    at: Timestamp,
    /// The status of the answer, if there was one.
    status: Option<u16>,
    /// What went wrong where there was none.
    error: Option<String>,
    /// How long it took.
    took_ms: u64,
}

impl Delivery {
    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        let time =
            |name| row.try_get::<jiff_sqlx::Timestamp, _>(name).map(jiff_sqlx::Timestamp::to_jiff);
        let history: sqlx::types::Json<Vec<Attempt>> = row.try_get("history")?;
        let next_at: Option<jiff_sqlx::Timestamp> = row.try_get("next_at")?;
        Ok(Self {
            id: DeliveryId(row.try_get("delivery_id")?),
            event_id: row.try_get("event_id")?,
            event_type: row.try_get("event_type")?,
            position: row.try_get("event_position")?,
            state: row.try_get("state")?,
            attempts: row.try_get("attempts")?,
            last_status: row.try_get("last_status")?,
            last_error: row.try_get("last_error")?,
            history: history.0,
            next_at: next_at.map(jiff_sqlx::Timestamp::to_jiff),
            first_at: time("first_at")?,
            changed_at: time("changed_at")?,
        })
    }
}

pub(super) fn of_endpoint() -> Endpoint {
    let route = Route::get(
        "/webhooks/{id}/deliveries",
        Module::Webhooks,
        "webhooks_endpoint_deliveries",
    )
    .summary(
        "What a program was told, what it answered, and when it is told again; the last month's",
    )
    .needs(Permission::WebhooksEndpointsRead)
    .parameters(PARAMETERS)
    .answers::<Stamped<Items<Delivery>>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&["state", "before", "limit"])?;
        let id = call.segment("id");
        let program: EndpointId = id.parse().map_err(|_| Problem::absent("endpoint"))?;
        if !call.aggregate::<Program>(id).await?.state.is_there() {
            return Err(Problem::absent("endpoint"));
        }
        let statement = statement(&call, program)?;
        let asked = call.ask(&[], &statement).await?;
        let deliveries: Result<Vec<_>, _> = asked.rows.iter().map(Delivery::of).collect();
        Ok(stamped(&call, &asked, Items { items: deliveries? }))
    })
}

fn statement(call: &Call, program: EndpointId) -> Result<Statement, Problem> {
    let mut statement = Statement { sql: String::new(), binds: Vec::new() };
    let endpoint = statement.bind(Bind::Id(program.0));
    let mut conditions = format!("d.endpoint_id = ${endpoint}");
    if let Some(state) = call.parameter("state") {
        if !STATES.contains(&state) {
            let detail = format!("state must be one of {}", STATES.join(", "));
            return Err(Problem::parameter("state", detail));
        }
        let state = statement.bind(Bind::Text(Some(state.to_owned())));
        conditions = format!("{conditions} and d.state = ${state}");
    }
    if let Some(before) = call.parameter("before") {
        let before: DeliveryId = before
            .parse()
            .map_err(|_| Problem::parameter("before", "before must be the id of a delivery"))?;
        let before = statement.bind(Bind::Id(before.0));
        conditions = format!(
            "{conditions} and (d.first_at, d.delivery_id) < (select b.first_at, b.delivery_id \
             from work.webhooks_deliveries b where b.endpoint_id = ${endpoint} and b.delivery_id = ${before})"
        );
    }
    let limit = call.number("limit")?.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let limit = statement.bind(Bind::Integer(limit));
    statement.sql = format!(
        "select d.delivery_id, d.event_id, d.event_type, d.position as event_position, d.state, d.attempts, \
         d.last_status, d.last_error, d.history, d.next_at, d.first_at, d.changed_at \
         from work.webhooks_deliveries d where {conditions} \
         order by d.first_at desc, d.delivery_id desc limit ${limit}"
    );
    Ok(statement)
}
