//! Where in the log an answer stands: told by every answer, and asked for exactly.

use platform::routes::Access;
use reqwest::StatusCode;
use serde_json::Value;

use crate::rights::{answer, path};
use crate::support::{World, json};
use crate::waiting::waited;

#[tokio::test]
async fn every_answer_says_where_in_the_log_it_stands() {
    let world = World::start().await;
    let org = world.org("acme").await;
    let export = world.export(&org.owner).await.to_string();
    world.settled().await;
    let user = format!("/users/{}", org.owner.user);
    let mut told = 0;
    let mut asked = Vec::new();
    for route in query_api::routes() {
        if route.access == Access::Public {
            continue; // the socket, and files, which are as they were made
        }
        let path = path(&route, &org, &export);
        asked.push((path.clone(), answer(&world, &route, &path, Some(&org.owner)).await));
    }
    for path in [format!("{user}?at_version=1"), format!("{user}?as_of=3")] {
        asked.push((path.clone(), world.get(&path, &org.owner).send().await.unwrap()));
    }
    for accept in ["text/event-stream", "application/x-ndjson"] {
        let stream = world.get("/streams/all", &org.owner).header("accept", accept);
        asked.push((accept.to_owned(), stream.send().await.unwrap()));
    }
    for (path, response) in asked {
        if !response.status().is_success() {
            assert!(response.status().is_client_error(), "{path}: {}", response.status());
            continue;
        }
        told += 1;
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.unwrap_or_else(|| panic!("{path} lacks {name}")).to_str().unwrap().to_owned()
        };
        assert!(header("projection-position").parse::<i64>().unwrap() > 0, "{path}");
        let lag = header("projection-lag");
        assert!(lag.starts_with("events=") && lag.contains(", ms="), "{path}: {lag}");
        assert!(!header("consistency-token").is_empty(), "{path}");
    }
    assert!(told > 60, "only {told} answers were looked at");
    world.end().await;
}

#[tokio::test]
async fn who_asks_for_an_exact_position_is_answered_there_or_told_where_else() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.settled().await;
    let user = format!("/users/{}", org.owner.user);
    let here = world.body("/rbac/roles", &org.owner).await;
    let here = here["as_of"]["position"].as_i64().unwrap();
    for path in ["/rbac/roles", "/rbac/roles?limit=1&sort=code", &user, "/audit-logs"] {
        let with = |position: i64| {
            let sign = if path.contains('?') { '&' } else { '?' };
            format!("{path}{sign}exact={position}")
        };
        let body = world.body(&with(here), &org.owner).await;
        assert_eq!(body["as_of"]["position"], here, "{path}");
        for (elsewhere, retryable) in [(here - 1, false), (here + 1, true)] {
            let (status, problem) = world.problem(&with(elsewhere), &org.owner).await;
            assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{path}");
            assert_eq!(problem["code"], "POSITION_NOT_HELD");
            assert_eq!(problem["params"]["position"], here);
            assert_eq!(problem["retryable"], retryable);
        }
        let (status, _) = world.problem(&with(-1), &org.owner).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    let one = world.get(&format!("/audit-logs?limit=1&exact={here}"), &org.owner);
    let links = one.send().await.unwrap().headers()["link"].to_str().unwrap().to_owned();
    assert!(links.contains(&format!("exact={here}&")), "{links}");
    let both = world.problem(&format!("{user}?exact={here}&at_version=1"), &org.owner).await;
    assert_eq!(both.1["code"], "PARAMETER_INVALID");
    let (status, _) = world.problem(&format!("/me/settings?exact={here}"), &org.owner).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "it is read from the log");
    world.end().await;
}

#[tokio::test]
async fn a_wait_that_was_not_needed_was_followed_all_the_same() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.settled().await;
    let first = world.get("/rbac/roles", &org.owner).send().await.unwrap();
    let token = first.headers()["consistency-token"].to_str().unwrap().to_owned();
    let asked = || world.get("/rbac/roles", &org.owner).header("prefer", "wait=3");
    let reached = asked().header("consistency-token", &token).send().await.unwrap();
    assert_eq!(reached.headers()["preference-applied"], "wait=3");
    let without = asked().send().await.unwrap();
    assert!(!without.headers().contains_key("preference-applied"), "nothing was to wait for");
    world.end().await;
}

#[tokio::test]
async fn what_is_read_from_the_log_can_be_waited_for_as_well() {
    let world = World::start().await;
    let org = world.org("acme").await;
    world.settled().await;
    for path in ["/rbac/roles/hierarchy", "/notifications/unread-count", "/me", "/settings"] {
        let first = world.get(path, &org.owner).send().await.unwrap();
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        let again = world.get(path, &org.owner).header("if-none-match", &tag);
        let again = again.send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
    }
    let path = "/rbac/roles/hierarchy";
    let first = world.get(path, &org.owner).send().await.unwrap();
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let change = world.role(&org, "clerk", &[]);
    let body: Value = json(waited(&world, (path, &org.owner), &tag, change).await).await;
    assert_eq!(body["items"].as_array().map(Vec::len), Some(2));
    world.end().await;
}
