//! Reading one's own writes: a query waits for what its token stands for, and says so when it cannot.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{World, column, json, problem};

#[tokio::test]
async fn a_query_with_a_token_shows_what_the_command_did() {
    let world = World::start().await;
    let org = world.org("acme").await;
    for number in 0..20 {
        world.role(&org, &format!("r{number}"), &[]).await;
        let position: i64 = sqlx::query_scalar("select position from log.head")
            .fetch_one(&world.log)
            .await
            .unwrap();
        let answer = world
            .get(&format!("/rbac/roles?code=r{number}"), &org.owner)
            .header("consistency-token", world.place(org.tenant, 1, position))
            .header("prefer", "wait=10")
            .send()
            .await
            .unwrap();
        let reached: i64 =
            answer.headers()["projection-position"].to_str().unwrap().parse().unwrap();
        assert!(reached >= position);
        assert!(answer.headers().contains_key("consistency-token"));
        assert!(answer.headers()["projection-lag"].to_str().unwrap().starts_with("events="));
        assert_eq!(column(&json(answer).await, "code").len(), 1);
    }
    world.end().await;
}

#[tokio::test]
async fn who_cannot_be_shown_it_is_told_how_far_the_projection_is() {
    let world = World::without_projections().await;
    let org = world.org("acme").await;
    let place = world.place(org.tenant, 1, 2);
    let ask = |prefer: &'static str| {
        let request = world.get("/rbac/roles", &org.owner).header("consistency-token", &place);
        request.header("prefer", prefer).send()
    };
    let (status, refused) = problem(ask("wait=1").await.unwrap()).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(refused["code"], "PROJECTION_BEHIND");
    assert_eq!(refused["params"]["projection"], "rbac_roles");
    assert_eq!(refused["params"]["state"], "absent");
    assert_eq!(refused["retryable"], true);

    let lenient = ask("wait=1, handling=lenient").await.unwrap();
    let stale = lenient.headers()["consistency-status"].to_str().unwrap().to_owned();
    assert!(stale.starts_with("stale; behind=2"), "{stale}");
    assert_eq!(json(lenient).await["items"], Value::Array(Vec::new()));

    world.feed();
    world
        .until("the projection is registered", || async {
            let registered: i64 =
                sqlx::query_scalar("select count(*) from read.checkpoints where projection = 'rbac_roles' and state = 'live'")
                    .fetch_one(&world.read)
                    .await
                    .unwrap();
            registered > 0
        })
        .await;
    json(ask("wait=20").await.unwrap()).await;
    world.end().await;
}

#[tokio::test]
async fn a_projection_that_stands_still_is_not_waited_for() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.settled().await;
    let admin = sqlx::PgPool::connect(&world.settings.database_url).await.unwrap();
    sqlx::raw_sql("update read.checkpoints set state = 'stopped', error = 'test' where projection = 'rbac_roles'")
        .execute(&admin)
        .await
        .unwrap();
    let started = std::time::Instant::now();
    let refused = world
        .get("/rbac/roles", &org.owner)
        .header("consistency-token", world.place(org.tenant, 1, 1_000_000))
        .header("prefer", "wait=15")
        .send()
        .await
        .unwrap();
    let (status, refused) = problem(refused).await;
    assert_eq!(
        (status, &refused["params"]["state"]),
        (StatusCode::GATEWAY_TIMEOUT, &"stopped".into())
    );
    assert!(started.elapsed().as_secs() < 10);
    admin.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_token_of_another_epoch_or_organisation_is_refused() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let other = world.org("other").await;
    world.settled().await;
    let ask = async |token: String| {
        let request = world.get("/rbac/roles", &org.owner).header("consistency-token", token);
        problem(request.send().await.unwrap()).await
    };
    let (status, refused) = ask(world.place(org.tenant, 2, 1)).await;
    assert_eq!((status, &refused["code"]), (StatusCode::GONE, &"EPOCH_CHANGED".into()));
    assert_eq!(refused["params"]["epoch"], 1);
    let (status, _) = ask(world.place(other.tenant, 1, 1)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _) = ask("\"ct1.AAAA\"".into()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    world.end().await;
}
