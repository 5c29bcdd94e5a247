//! Background work is listed, shown and cancelled; a dead letter is shown, tried without effect, and left with a reason.

use serde_json::{Value, json};

use crate::house::{House, both};

/// What an operator is told of dead letters.
async fn dlq(house: &House, arguments: &[&str]) -> Value {
    let output = house.annals(&[&["dlq"], arguments, &["--json"]].concat()).await;
    assert!(output.status.success(), "{arguments:?}: {}", both(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_listed_shown_and_cancelled() {
    let house = House::start().await;
    let made = house.json(&["export", "create", "identity.users"]).await;
    let id = made["aggregate"]["id"].as_str().unwrap();
    let waiting = house.json(&["jobs", "list", "--filter", "state = queued"]).await;
    assert_eq!((&waiting[0]["job_id"], &waiting[0]["kind"]), (&json!(id), &json!("export")));
    let shown = house.json(&["jobs", "show", id]).await;
    assert_eq!(
        (&shown["state"], &shown["progress"]["phase"]),
        (&json!("queued"), &json!("waiting"))
    );
    let cancelled = house.as_owner(&["jobs", "cancel", id]).output().await.unwrap();
    assert!(cancelled.status.success(), "{}", both(&cancelled));
    let over = house.as_owner(&["jobs", "wait", id]).output().await.unwrap();
    assert_eq!(over.status.code(), Some(1));
    assert!(both(&over).contains("the export is cancelled"), "{}", both(&over));
    let again = house.as_owner(&["jobs", "retry", id]).output().await.unwrap();
    assert!(both(&again).contains("EXPORT_NOT_FAILED"), "{}", both(&again));

    let dead = "00000000-0000-7000-8000-00000000dead";
    sqlx::query(
        "insert into work.jobs (job_id, tenant_id, kind, subject_id, body, state, attempt, max_attempts, error)
         select $1::uuid, tenant_id, 'exports.render', aggregate_id, '{\"secret\": 1}', 'dead', 5, 5, 'the disk was full'
           from log.events where aggregate_id = $2 and sequence = 1",
    )
    .bind(dead)
    .bind(id)
    .execute(&house.owner)
    .await
    .unwrap();
    let shown = dlq(&house, &["show", dead]).await;
    assert_eq!((&shown["error"], &shown["state"]), (&json!("the disk was full"), &json!("dead")));
    assert!(!shown.to_string().contains("secret"), "{shown}");
    assert_eq!(dlq(&house, &["show", dead, "--reveal"]).await["body"]["secret"], 1);
    let tried = dlq(&house, &["test", dead]).await;
    assert_eq!((&tried[0]["verdict"], &tried[0]["job_id"]), (&json!("passes"), &json!(dead)));
    let skipped = house.annals(&["dlq", "skip", dead, "--reason", "not wanted"]).await;
    assert!(skipped.status.success(), "{}", both(&skipped));
    assert_eq!(dlq(&house, &["list"]).await, json!([]));
    house.end().await;
}
