//! Read models are listed, proved, found wrong, and built anew; jobs that were given up get another chance.

use serde_json::Value;

use crate::house::{House, both, text};

async fn answer(house: &House, arguments: &[&str]) -> Value {
    let output = house.annals(arguments).await;
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", both(&output)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_row_is_named_by_prove_and_gone_after_a_rebuild() {
    let house = House::start().await;
    let matrix = house.file("matrix", "anna 1\nberta 2\n");
    house.json(&["import", "access", text(&matrix)]).await;
    house.json(&["import", "access", text(&matrix), "--verify"]).await; // waits for the read models
    let all = answer(&house, &["projections", "list", "--json"]).await;
    let all = all.as_array().unwrap();
    assert!(all.iter().any(|projection| projection["name"] == "rbac_roles"), "{all:?}");
    assert!(all.iter().all(|projection| projection["state"] == "live"), "{all:?}");
    let listed = house.annals(&["projections", "list"]).await;
    assert!(listed.status.success() && both(&listed).starts_with("name "), "{}", both(&listed));

    let proved = answer(&house, &["prove", "--json"]).await;
    assert_eq!(proved["equal"], true, "{proved}");
    sqlx::query("update read.identity_users set display_name = 'Mallory' where handle = 'anna'")
        .execute(&house.owner)
        .await
        .unwrap();
    let wrong = house.annals(&["prove"]).await;
    assert_eq!(wrong.status.code(), Some(1));
    for word in ["identity_users differs", "first wrong row", "Mallory", "annals rebuild"] {
        assert!(both(&wrong).contains(word), "{word}: {}", both(&wrong));
    }
    let rebuilt = answer(&house, &["rebuild", "identity_users", "--json"]).await;
    assert_eq!(rebuilt["rows"], 3, "{rebuilt}");
    assert_eq!(answer(&house, &["prove", "--json"]).await["equal"], true);

    let unknown = house.annals(&["rebuild", "nothing"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(both(&unknown).contains("identity_users"), "{}", both(&unknown));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_held_back_is_listed_and_tried_again() {
    let house = House::start().await;
    let none = house.annals(&["projections", "parked"]).await;
    assert!(both(&none).contains("nothing is held back"), "{}", both(&none));
    let unknown = house.annals(&["projections", "retry", "identity_users", "x"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(both(&unknown).contains("projections parked"), "{}", both(&unknown));
    let group: String = sqlx::query_scalar(
        "insert into read.parked (projection, tenant_id, group_key, position, event_type, error)
         select 'identity_users', tenant_id, aggregate_id, position, event_type, 'a wrong build'
           from log.events where event_type = 'identity.user.registered' returning group_key",
    )
    .fetch_one(&house.owner)
    .await
    .unwrap();
    let held = answer(&house, &["projections", "parked", "--json"]).await;
    assert_eq!((&held[0]["group_key"], &held[0]["attempts"]), (&group.as_str().into(), &1.into()));
    let listed = both(&house.annals(&["projections", "parked"]).await);
    assert!(listed.contains(&group) && listed.contains("a wrong build"), "{listed}");
    let retried = house.annals(&["projections", "retry", "identity_users", &group]).await;
    assert!(both(&retried).contains("is right again"), "{}", both(&retried));
    assert_eq!(answer(&house, &["projections", "parked", "--json"]).await, serde_json::json!([]));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_given_up_is_listed_and_queued_again() {
    let house = House::start().await;
    assert!(both(&house.annals(&["dlq", "list"]).await).contains("no job was given up"));
    let id: String = sqlx::query_scalar(
        "insert into work.jobs (job_id, tenant_id, kind, subject_id, state, attempt, max_attempts, error)
         values (gen_random_uuid(), gen_random_uuid(), 'exports.make', 'x', 'dead', 5, 5, 'the disk is full')
         returning job_id::text",
    )
    .fetch_one(&house.owner)
    .await
    .unwrap();
    let listed = both(&house.annals(&["dlq", "list"]).await);
    assert!(listed.contains(&id) && listed.contains("the disk is full"), "{listed}");
    let dead = answer(&house, &["dlq", "list", "--json"]).await;
    assert_eq!(dead[0]["attempt"], 5, "{dead}");
    let retried = house.annals(&["dlq", "retry", &id]).await;
    assert!(both(&retried).contains("1 job(s)"), "{}", both(&retried));
    assert_eq!(house.annals(&["dlq", "retry", &id]).await.status.code(), Some(1));
    assert!(house.annals(&["dlq", "retry", "--all"]).await.status.success());
    assert_eq!(house.annals(&["dlq", "retry"]).await.status.code(), Some(2));
    house.end().await;
}
