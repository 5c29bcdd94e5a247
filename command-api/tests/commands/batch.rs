//! Many commands in one request: each answered as if sent alone, or those for one record whole or not at all.

use axum::http::Method;
use events::settings::{Flag, bucket};
use serde_json::{Value, json};

use crate::kit::{Answer, Api, request, send};

async fn batch(api: &Api, token: &str, body: Value, headers: &[(&str, &str)]) -> Answer {
    api.with(Method::POST, "/commands/batch", token, body, headers).await
}

fn statuses(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let items = answer.body["items"].as_array().unwrap();
    items.iter().map(|item| item["status"].as_u64().unwrap()).collect()
}

fn post(path: &str, body: &Value) -> Value {
    json!({"method": "POST", "path": path, "body": body})
}

fn register(handle: &str) -> Value {
    post("/users", &json!({ "handle": handle }))
}

#[tokio::test]
async fn each_command_is_answered_as_if_sent_alone() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let commands = json!([
        register("anna"),
        register("ANNA"),
        {"method": "POST", "path": "/users", "body": {"handle": "berta", "zebra": 1}},
        {"method": "POST", "path": "/nowhere"},
        {"method": "GET", "path": "/users"},
        {"method": "POST", "path": "/auth/login"},
        {"method": "POST", "path": "users"},
        register("berta"),
    ]);
    let answer = batch(&api, &owner, json!({ "commands": commands }), &[]).await;
    assert_eq!(statuses(&answer), [201, 409, 422, 404, 404, 404, 422, 201]);
    let items = &answer.body["items"];
    assert_eq!(items[1]["body"]["code"], "USER_HANDLE_TAKEN");
    assert_eq!(items[6]["body"]["errors"][0]["pointer"], "/commands/6/path");
    assert!(items[7]["location"].as_str().unwrap().starts_with("/api/v1/users/"));
    assert!(answer.headers.contains_key("consistency-token"));
    assert_eq!(api.count("identity.user.registered").await, 3, "the owner and two");
    api.stop().await;
}

#[tokio::test]
async fn everybody_may_only_what_they_may_alone() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (_, anna) = api.newcomer("acme", &owner, "anna").await;
    let commands = json!({"commands": [register("eve")]});
    let answer = batch(&api, &anna, commands.clone(), &[]).await;
    assert_eq!(statuses(&answer), [403]);
    assert_eq!(api.count("audit.security_log.access_denied").await, 1, "and it is kept");
    assert_eq!(batch(&api, "", commands, &[]).await.status, 401);
    api.stop().await;
}

#[tokio::test]
async fn commands_for_one_record_happen_whole_or_not_at_all() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let role = |name: &str, grant: &str| {
        post("/rbac/roles", &json!({"name": name, "permissions": [grant]}))
    };
    let read = "audit.trail:read";
    let commands = [role("Clerk", read), register("anna"), role("Broken", "nothing:known")];
    let whole = json!({"atomic": "per_aggregate", "commands": commands});
    let answer = batch(&api, &owner, whole, &[]).await;
    assert_eq!(statuses(&answer), [422, 201, 422]);
    assert_eq!(answer.body["items"][0]["body"]["params"]["commands"], json!([0, 2]));
    let created = api.count("rbac.policy.role_created").await;
    let each = json!({"commands": commands});
    let answer = batch(&api, &owner, each, &[]).await;
    assert_eq!(statuses(&answer), [201, 409, 422], "the user is there already");
    assert_eq!(api.count("rbac.policy.role_created").await, created + 1);
    let two =
        json!({"atomic": "per_aggregate", "commands": [role("One", read), role("Two", read)]});
    let answer = batch(&api, &owner, two, &[]).await;
    assert_eq!(statuses(&answer), [201, 201]);
    assert_eq!(answer.body["items"][0], answer.body["items"][1], "one change, one answer");
    assert_eq!(answer.body["items"][0]["body"]["events"].as_array().unwrap().len(), 4);
    api.stop().await;
}

#[tokio::test]
async fn a_repeated_batch_has_one_effect_and_a_dry_one_has_none() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    for atomic in [json!(false), json!("per_aggregate")] {
        let name = |number: u8| format!("Role {number} {atomic}");
        let role = |number: u8| {
            post("/rbac/roles", &json!({"name": name(number), "permissions": ["audit.trail:read"]}))
        };
        let key = format!("key-{}", name(0).len());
        let body = json!({"atomic": atomic, "commands": [role(1), role(2)]});
        let before = api.events().await.len();
        let path = "/commands/batch?validate_only=true";
        let dry = api.with(Method::POST, path, &owner, body.clone(), &[]).await;
        assert_eq!(dry.body["items"][1]["body"]["committed"], false, "{}", dry.body);
        assert_eq!(api.events().await.len(), before);
        let headers = [("idempotency-key", key.as_str())];
        let first = batch(&api, &owner, body.clone(), &headers).await;
        let stored = api.events().await.len();
        assert!(stored > before);
        let again = batch(&api, &owner, body, &headers).await;
        assert_eq!(api.events().await.len(), stored);
        let kept = |answer: &Answer| answer.body["items"][1]["body"]["events"].clone();
        assert_eq!(kept(&again), kept(&first));
        let other = json!({"atomic": atomic, "commands": [role(1), role(3)]});
        let other = batch(&api, &owner, other, &headers).await;
        assert_eq!(other.body["items"][1]["body"]["code"], "IDEMPOTENCY_KEY_REUSED");
    }
    api.stop().await;
}

#[tokio::test]
async fn a_batch_that_cannot_be_meant_is_refused_as_a_whole() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let many: Vec<Value> = (0..101).map(|number| register(&format!("user-{number}"))).collect();
    for (body, pointer) in [
        (json!({"commands": []}), "/commands"),
        (json!({ "commands": many }), "/commands"),
        (json!({"commands": [register("anna")], "atomic": true}), "/atomic"),
        (json!({"commands": [register("anna")], "atomic": "always"}), "/atomic"),
    ] {
        let answer = batch(&api, &owner, body, &[]).await;
        let at = &answer.body["errors"][0]["pointer"];
        assert_eq!((answer.status.as_u16(), at), (422, &json!(pointer)), "{}", answer.body);
    }
    assert_eq!(api.count("identity.user.registered").await, 1, "the owner");
    api.stop().await;
}

/// Whether batches are on for a caller; a refusal names the flag.
async fn are_on(api: &Api, token: &str) -> bool {
    let body = json!({"commands": [register("anna")]});
    let path = "/commands/batch?validate_only=true";
    let answer = api.post(path, token, body).await;
    if answer.status == 200 {
        return true;
    }
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (403, &json!("FEATURE_OFF")));
    assert_eq!(answer.body["params"]["flag"], "command_batches", "{}", answer.body);
    false
}

#[tokio::test]
async fn batches_are_on_for_whom_the_organisation_has_switched_them() {
    const UNIT: &str = "0190a000-0000-7000-8000-000000000007";
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let switch = async |to: Value| {
        let path = "/feature-flags/command_batches";
        let done = api.call(Method::PUT, path, &owner, to).await;
        assert_eq!(done.status, 200, "{}", done.body);
    };
    let mut people = Vec::new();
    for number in 0..6 {
        let (id, token) = api.newcomer("acme", &owner, &format!("user-{number}")).await;
        people.push((bucket(Flag::CommandBatches, &id), id, token));
    }
    people.sort();
    let on = async || {
        let mut on = Vec::new();
        for (_, _, token) in &people {
            on.push(are_on(&api, token).await);
        }
        on
    };
    assert_eq!(on().await, [true; 6], "nobody has switched it");
    switch(json!({"enabled": false})).await;
    assert_eq!(on().await, [false; 6]);
    switch(json!({"enabled": true})).await;
    assert_eq!(on().await, [true; 6]);

    let share = people[2].0 + 1;
    switch(json!({"enabled": true, "rollout_pct": share})).await;
    let expected: Vec<bool> = people.iter().map(|(bucket, ..)| *bucket < share).collect();
    for _ in 0..3 {
        assert_eq!(on().await, expected, "whoever has it keeps it");
    }
    let tenant = api.login("acme", "owner").await.body["tenant_id"].clone();
    let units = format!("/organizations/{}/units", tenant.as_str().unwrap());
    let unit = json!({"id": UNIT, "kind": "branch", "code": "N", "name": "North"});
    assert_eq!(api.post(&units, &owner, unit).await.status, 201);
    switch(json!({"enabled": true, "rollout_pct": 0, "units": [UNIT]})).await;
    assert_eq!(on().await, [false; 6]);
    let role = json!({"name": "Clerk", "permissions": []});
    let role = api.post("/rbac/roles", &owner, role).await;
    let role = role.made().to_owned();
    let given = json!({"user_id": people[5].1, "role_id": role, "unit_id": UNIT});
    assert!(api.post("/rbac/assign", &owner, given).await.status.is_success());
    api.until(async || are_on(&api, &people[5].2).await).await;
    assert_eq!(on().await, [false, false, false, false, false, true]);

    let mut settings = platform::config::Settings::clone(&api.settings);
    settings.feature_flags.insert(Flag::CommandBatches, true);
    let other = api.over(settings.into()).await;
    let body = json!({"commands": [register("anna")]});
    let path = "/commands/batch?validate_only=true";
    let answer = send(&other, request(Method::POST, path, &people[0].2, &body, &[])).await;
    assert_eq!(answer.status, 200, "the installation has the last word: {}", answer.body);
    api.stop().await;
}
