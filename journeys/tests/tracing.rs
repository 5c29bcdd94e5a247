//! One trace from a request through the log and the bus to what a worker did because of it.

use std::time::Duration;

use journeys::house::House;
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(1);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// An event's type, trace, correlation and cause.
type Row = (String, Option<String>, Option<String>, Option<String>);

#[tokio::test]
async fn one_trace_leads_from_the_request_to_the_workers_events() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let body = json!({"dataset": "rbac.roles"});
    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [("traceparent", traceparent.as_str()), ("correlation-id", "story-1")];
    let asked = owner.command(Method::POST, "/exports/csv", &body, &headers).await?.ok()?;
    let id = asked.made().to_owned();
    let done = |body: &Value| body["state"] == "succeeded";
    owner.until(&format!("/jobs/{id}"), SOON, done).await?;

    let database = house.database().await?;
    let rows: Vec<Row> = sqlx::query_as(
        "select event_type, metadata ->> 'traceparent', metadata ->> 'correlation_id', metadata ->> 'causation_id'
           from log.events where aggregate_type = 'exports.export' and aggregate_id = $1 order by sequence",
    )
    .bind(&id)
    .fetch_all(&database)
    .await?;
    let types: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    assert!(types.contains(&"exports.export.completed"), "{types:?}");
    let requested: String = sqlx::query_scalar(
        "select event_id::text from log.events where aggregate_id = $1 and sequence = 1",
    )
    .bind(&id)
    .fetch_one(&database)
    .await?;
    for (event_type, traceparent, correlation, causation) in &rows {
        let trace = traceparent.as_deref().and_then(|text| text.split('-').nth(1));
        assert_eq!(trace, Some(TRACE), "{event_type}");
        assert_eq!(correlation.as_deref(), Some("story-1"), "{event_type}");
        if event_type != "exports.export.requested" {
            assert_eq!(causation.as_deref(), Some(requested.as_str()), "{event_type}");
        }
    }
    // The message that follows is another job, caused by the completion.
    let told = "select metadata ->> 'traceparent' from log.events
                 where event_type = 'notifications.notification.created'
                   and metadata ->> 'correlation_id' = 'story-1'";
    let began = std::time::Instant::now();
    let told: Option<String> = loop {
        if let Some(row) = sqlx::query_scalar(told).fetch_optional(&database).await? {
            break row;
        }
        assert!(began.elapsed() < SOON, "nobody was told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(told.is_some_and(|text| text.contains(TRACE)));
    database.close().await;
    house.stop().await;
    Ok(())
}
