//! A policy goes out in Casbin's format and comes back in another organisation exactly.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{House, both, client, text};

async fn policy(house: &House, slug: &str) -> Vec<String> {
    let url = format!("{}/api/v1/rbac/policy.csv", house.settings.query_url);
    let asked = client().get(url).bearer_auth(house.token_of(slug).await).send().await.unwrap();
    assert_eq!(asked.status(), 200);
    let mut lines: Vec<String> = asked.text().await.unwrap().lines().map(str::to_owned).collect();
    lines.sort_unstable(); // users come in the order of their ids, which differ
    lines
}

async fn send(house: &House, slug: &str, method: Method, path: &str, body: Value) -> Value {
    let url = format!("{}/api/v1{path}", house.settings.command_url);
    let request = client().request(method, url).bearer_auth(house.token_of(slug).await);
    let answer = request.json(&body).send().await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert!(status.is_success(), "{path}: {body}");
    body
}

async fn organization(house: &House, slug: &str) -> String {
    let url = format!("{}/api/v1/me", house.settings.query_url);
    let me = client().get(url).bearer_auth(house.token_of(slug).await).send().await.unwrap();
    let me: Value = me.json().await.unwrap();
    me["organization"]["organization_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_goes_out_and_comes_back_exactly_and_a_second_run_changes_nothing() {
    let house = House::start().await;
    house.found("beta").await;
    let unit: Uuid = platform::clock::new_id();
    for slug in ["acme", "beta"] {
        let path = format!("/organizations/{}/units", organization(&house, slug).await);
        let north = json!({"id": unit, "kind": "site", "code": "north", "name": "North"});
        send(&house, slug, Method::POST, &path, north).await;
    }
    let make = async |path: &str, body: Value| {
        let id: Uuid = platform::clock::new_id();
        let mut body = body;
        body["id"] = json!(id);
        send(&house, "acme", Method::POST, path, body).await;
        id
    };
    make("/rbac/permissions", json!({"name": "shop.till:see"})).await;
    let open = json!({"name": "shop.till:open", "implies": ["shop.till:see", "audit.trail:read"]});
    make("/rbac/permissions", open).await;
    let clerk = json!({"name": "Clerk, at day", "level": 10, "permissions": ["shop.till:open"]});
    let clerk = make("/rbac/roles", clerk).await;
    let chief = json!({"name": "Chief", "level": 20, "unit_id": unit, "description": "one, two",
        "permissions": ["shop.*:*"]});
    let chief = make("/rbac/roles", chief).await;
    let guard = json!({"name": "Guard", "level": 5, "protected": true, "permissions": []});
    let guard = make("/rbac/roles", guard).await;
    let parent = format!("/rbac/roles/{chief}/parents/{clerk}");
    send(&house, "acme", Method::POST, &parent, json!({})).await;
    let anna = make("/users", json!({"handle": "anna,ä"})).await;
    let give = |role: Uuid, kind: &str| format!("/rbac/users/{anna}/{kind}/{role}");
    let lasting = json!({"unit_id": unit, "expires_at": "2999-01-01T00:00:00Z"});
    send(&house, "acme", Method::POST, &give(clerk, "roles"), lasting).await;
    send(&house, "acme", Method::POST, &give(chief, "roles"), json!({})).await;
    send(&house, "acme", Method::POST, &give(guard, "protected-roles"), json!({})).await;

    make("/rbac/roles", json!({"name": "Unit writer", "code": "unit-write", "level": 8})).await;
    let auditor = make("/rbac/roles", json!({"name": "Auditor", "level": 8})).await;
    let roles = [auditor, clerk, guard];
    let apart = json!({"name": "Books, guards", "roles": roles, "cardinality": 3});
    make("/rbac/exclusive-sets", apart).await;
    let plant = format!("/rbac/users/{anna}/plants/{unit}");
    let until = json!({"level": "write", "expires_at": "2999-01-01T00:00:00Z"});
    send(&house, "acme", Method::PUT, &plant, until).await;

    let out = policy(&house, "acme").await;
    let ends = |end: &str| out.iter().any(|line| line.ends_with(end));
    assert!(ends("/*, access, 2999-01-01T00:00:00Z"), "{out:?}");
    assert!(ends("3, role:auditor, role:clerk-at-day, role:guard"), "{out:?}");
    assert!(out.iter().any(|line| line.starts_with("g, anna%2C%C3%A4, role:clerk-at-day, /")));
    let file = house.file("policy.csv", out.join("\n"));
    let import = async || {
        let password = house.path("password");
        let mut command = house.command(&["import", "access", text(&file), "--json"]);
        command.args(["--organization", "beta", "--login", "owner", "--password-file"]);
        let output = command.arg(password).output().await.unwrap();
        assert!(output.status.success(), "{}", both(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let done = import().await;
    assert_eq!(
        done,
        json!({"permissions": 2, "roles": 5, "grants": 0, "inheritances": 1, "sets": 1, "users": 1,
            "assignments": 3, "units": 1})
    );
    assert_eq!(policy(&house, "beta").await, out);
    let again = import().await;
    assert!(again.as_object().unwrap().values().all(|count| *count == 0), "{again}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_others_is_understood_and_a_bad_line_is_told() {
    let house = House::start().await;
    let lines = "p, admin, data, write\np, reader, data, read\ng, admin, reader\ng, alice, admin\n";
    let file = house.file("others.csv", lines);
    let done = house.json(&["import", "access", text(&file)]).await;
    assert_eq!((&done["roles"], &done["inheritances"]), (&json!(2), &json!(1)));
    let written = policy(&house, "acme").await;
    for line in [
        "p, role:admin, data, write, *",
        "g, role:admin, role:reader, *",
        "g, alice, role:admin, *",
    ] {
        assert!(written.iter().any(|written| written == line), "{line}");
    }
    let bad = house.file("bad.csv", "p, admin, Data One, write\n");
    let output = house.as_owner(&["import", "access", text(&bad)]).output().await.unwrap();
    assert!(!output.status.success());
    assert!(
        both(&output).contains("bad.csv:1: Data One:write is no permission"),
        "{}",
        both(&output)
    );
    house.end().await;
}
