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

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_tried_however_many_came_after_it_and_nothing_else_is() {
    let house = House::closed().await;
    let of = |number: u32| format!("00000000-0000-7000-8000-{number:012}");
    sqlx::query(
        "insert into work.jobs (job_id, tenant_id, kind, subject_id, state, attempt, max_attempts, changed_at)
         select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, gen_random_uuid(), 'gone.kind', 'x',
                case n when 102 then 'failed' else 'dead' end, 5, 5, now() + n * interval '1 second'
           from generate_series(1, 102) n",
    )
    .execute(&house.owner)
    .await
    .unwrap();
    let listed = dlq(&house, &["list"]).await;
    let listed = listed.as_array().unwrap();
    assert!(listed.len() == 100 && listed.iter().all(|job| job["job_id"] != of(1).as_str()));
    let tried = dlq(&house, &["test", &of(1), &of(101)]).await;
    let ids = [&tried[0]["job_id"], &tried[1]["job_id"]];
    assert_eq!(
        (ids, &tried[0]["verdict"]),
        ([&json!(of(1)), &json!(of(101))], &json!("untestable"))
    );
    for never_given_up in [of(102), of(103)] {
        let refused = house.annals(&["dlq", "test", &of(1), &never_given_up]).await;
        let expected = format!("no job {never_given_up} was given up");
        assert!(both(&refused).contains(&expected), "{}", both(&refused));
        assert_eq!(refused.status.code(), Some(1));
    }
    let latest = dlq(&house, &["test", "--all", "--limit", "1"]).await;
    assert_eq!(latest.as_array().map(Vec::len), Some(1));
    assert_eq!(latest[0]["job_id"], of(101).as_str());
    house.end().await;
}
