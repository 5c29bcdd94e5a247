//! An access matrix comes back exactly, whatever interrupts its import, and however often it is begun.

use std::fmt::Write as _;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::{House, both, program, text};

/// Users in groups that share a set, and some with one of their own; 5 pairs come twice.
fn matrix(users: u32, permissions: u32) -> String {
    let mut text = String::from("# user permission\n\n");
    for user in 0..users {
        let group = user % (users / 2).max(1);
        for step in 0..=group % 7 {
            let _ = writeln!(text, "user-{user}\t{}", (group * 3 + step * 5) % permissions);
        }
        if user < 5 {
            let _ = writeln!(text, "user-{user} {}", user * 3 % permissions);
        }
    }
    text + "user-0 shop.orders:read\nuser-1 Read*All\nuser-2 *:*\nuser-3 rbac.roles:read\n"
}

async fn verified(house: &House, file: &str) {
    let found = house.json(&["import", "access", file, "--verify"]).await;
    assert_eq!(found["exact"], true, "{found}");
}

/// The numbers of what was created and of what was there.
fn numbers(done: &Value) -> Vec<(u64, u64)> {
    ["users", "permissions", "roles", "assignments"]
        .iter()
        .map(|what| {
            let number = |how: &str| done[what][how].as_u64().unwrap();
            (number("created"), number("already_there"))
        })
        .collect()
}

/// Everything an import causes happened once for each thing it is about.
async fn without_duplicates(house: &House) {
    for (event, key) in [
        ("identity.user.registered", "handle"),
        ("rbac.policy.permission_created", "name"),
        ("rbac.policy.role_created", "code"),
    ] {
        let (all, distinct): (i64, i64) = sqlx::query_as(
            "select count(*), count(distinct payload ->> $2) from log.events where event_type = $1",
        )
        .bind(event)
        .bind(key)
        .fetch_one(&house.owner)
        .await
        .unwrap();
        assert_eq!(all, distinct, "{event}");
    }
    let twice: i64 = sqlx::query_scalar(
        "select count(*) from (select from log.events where event_type = 'rbac.user_access.role_assigned'
          group by aggregate_id, payload ->> 'role_id' having count(*) > 1) twice",
    )
    .fetch_one(&house.owner)
    .await
    .unwrap();
    assert_eq!(twice, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matrix_comes_back_exactly_and_a_second_run_changes_nothing() {
    let house = House::start().await;
    let file = house.file("matrix", matrix(40, 30));
    let file = text(&file);
    let done = house.json(&["import", "access", file]).await;
    let first = numbers(&done);
    assert!(first.iter().all(|(created, there)| *created > 0 && *there == 0), "{done}");
    assert_eq!((first[0].0, first[3].0, &done["skipped_lines"]), (40, 40, &json!(0)));
    verified(&house, file).await;
    without_duplicates(&house).await;

    let role_events = house.count("rbac.policy.role_created").await;
    let done = house.json(&["import", "access", file]).await;
    let again: Vec<(u64, u64)> = first.iter().map(|(created, _)| (0, *created)).collect();
    assert_eq!(numbers(&done), again);
    assert_eq!(house.count("rbac.policy.role_created").await, role_events);
    assert_eq!(
        house.count("audit.security_log.command_refused").await,
        0,
        "nothing was asked twice"
    );
    verified(&house, file).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_killed_in_the_middle_ends_in_the_same_state_when_run_again() {
    let house = House::start().await;
    let file = house.file("matrix", matrix(60, 40));
    let file = text(&file);
    for (event, number) in [
        ("rbac.policy.permission_created", 1),
        ("rbac.policy.role_created", 8), // one is the owner's
        ("identity.user.registered", 25),
        ("rbac.user_access.role_assigned", 20),
    ] {
        let mut import = house.as_owner(&["import", "access", file, "--concurrency", "4"]);
        let mut import = import.stderr(std::process::Stdio::null()).spawn().unwrap();
        house.until(event, || async { house.count(event).await >= number }).await;
        import.start_kill().unwrap(); // SIGKILL
        import.wait().await.unwrap();
    }
    house.json(&["import", "access", file]).await;
    verified(&house, file).await;
    without_duplicates(&house).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_imports_at_once_end_in_the_same_state() {
    let house = House::start().await;
    let file = house.file("matrix", matrix(40, 30));
    let import = ["import", "access", text(&file)];
    let (one, other) = tokio::join!(house.json(&import), house.json(&import));
    let users = numbers(&one)[0].0 + numbers(&other)[0].0;
    assert_eq!(users, 40, "each was created by one of them: {one} {other}");
    verified(&house, text(&file)).await;
    without_duplicates(&house).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_away_since_is_given_again() {
    let house = House::start().await;
    let file = house.file("matrix", "anna 1\nanna 2\nberta 2\n");
    let file = text(&file);
    house.json(&["import", "access", file]).await;
    let held: Vec<(String, String)> = sqlx::query_as(
        "select a.aggregate_id, a.payload ->> 'role_id' from log.events a
           join log.claims u on u.aggregate_id = a.aggregate_id and u.namespace = 'identity.user.handle'
          where a.event_type = 'rbac.user_access.role_assigned' order by u.key",
    )
    .fetch_all(&house.owner)
    .await
    .unwrap();
    let [(anna, of_anna), (berta, of_berta)] = held.try_into().unwrap();
    house.send(Method::DELETE, &format!("/rbac/users/{anna}/roles/{of_anna}"), json!({})).await;
    house.send(Method::DELETE, &format!("/rbac/users/{berta}/roles/{of_berta}"), json!({})).await;
    house.send(Method::DELETE, &format!("/rbac/roles/{of_berta}"), json!({})).await;
    let path = format!("/rbac/roles/{of_anna}/permissions");
    house.send(Method::PUT, &path, json!({ "permissions": ["access.2:use"] })).await;

    let broken = house.as_owner(&["import", "access", file, "--verify"]).output().await.unwrap();
    assert_eq!(broken.status.code(), Some(1));
    assert!(both(&broken).contains("missing: anna access.1:use"), "{}", both(&broken));
    let done = house.json(&["import", "access", file]).await;
    assert_eq!(done["roles"]["created"], 1, "the deleted one has a successor: {done}");
    assert_eq!(done["roles"]["restored"], 1, "{done}");
    assert_eq!(done["assignments"]["created"], 2, "{done}");
    verified(&house, file).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_who_are_there_already_keep_their_accounts() {
    let house = House::start().await;
    house.send(Method::POST, "/users", json!({ "handle": "Anna" })).await;
    let file = house.file("matrix", "anna 1\nberta 1\n");
    let done = house.json(&["import", "access", text(&file)]).await;
    assert_eq!(numbers(&done)[0], (1, 1));
    verified(&house, text(&file)).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_permissions_than_one_batch_are_created() {
    let house = House::start().await;
    let lines: String =
        (0..1_203).flat_map(|n| ["anna ".into(), n.to_string(), "\n".into()]).collect();
    let file = house.file("matrix", lines);
    let done = house.json(&["import", "access", text(&file)]).await;
    assert_eq!(numbers(&done), [(1, 0), (1_203, 0), (1, 0), (1, 0)]);
    verified(&house, text(&file)).await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_cannot_be_used_are_named_and_nothing_is_imported() {
    let house = House::start().await;
    let file = house.file("matrix", "anna 1\nberta\ncarla 1 2\nanna 2\n");
    let file = text(&file);
    let refused = house.as_owner(&["import", "access", file]).output().await.unwrap();
    assert_eq!(refused.status.code(), Some(1));
    for line in [2, 3] {
        assert!(both(&refused).contains(&format!("{file}:{line}: ")), "{}", both(&refused));
    }
    assert_eq!(house.count("identity.user.registered").await, 1, "the owner alone");
    let done = house.json(&["import", "access", file, "--skip-bad"]).await;
    assert_eq!((&done["skipped_lines"], &done["pairs"]), (&json!(2), &json!(2)));
    house.end().await;
}

#[tokio::test]
async fn what_is_not_an_import_is_refused_before_anything_is_asked() {
    let usage = program().args(["import", "access"]).output().await.unwrap();
    assert_eq!(usage.status.code(), Some(2));
    let missing = program().args(["import", "access", "no/such/file"]).output().await.unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(both(&missing).contains("no/such/file"), "{}", both(&missing));
}

/// The real matrices, where this machine has them.
#[expect(clippy::disallowed_methods, reason = "tests have no settings but these")]
fn shared(name: &str) -> Option<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var("ANNALS_SHARED_DATA").map_or(here, PathBuf::from);
    let file = folder.join("access").join(name);
    file.is_file().then_some(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_of_a_real_hospital_comes_back_exactly() {
    let Some(file) = shared("hc.txt") else {
        eprintln!("skipped: hc.txt is not here; ANNALS_SHARED_DATA says where it is");
        return;
    };
    let house = House::start().await;
    let done = house.json(&["import", "access", text(&file)]).await;
    assert_eq!((numbers(&done)[0].0, numbers(&done)[1].0, &done["pairs"]), (46, 46, &json!(1_486)));
    verified(&house, text(&file)).await;
    house.end().await;
}
