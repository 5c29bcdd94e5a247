//! What triggers lead to: given for their owners, with the rights that these have then, once, and never with those of a service.

use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use platform::clock;
use serde_json::{Value, json};

use crate::kit::{Answer, Api, code, made};
use crate::scheduling::{scheduler, whole};

const REQUESTED: &str = "exports.export.requested";
const REFUSED: &str = "scheduling.trigger.command_refused";

fn export() -> Value {
    json!({"command": "exports_export_request_csv",
        "args": {"dataset": "identity.users", "title": "As of {occurrence}"}})
}

fn trigger(due: Timestamp, target: &Value) -> Value {
    json!({"name": "Report", "spec": {"kind": "once", "at": due},
        "modifiers": {"time_zone": "UTC"}, "target": target})
}

fn soon() -> Timestamp {
    whole(clock::now() + SignedDuration::from_secs(2))
}

/// A trigger of somebody's that happened; its path and when it was due.
async fn happened(api: &Api, token: &str, target: &Value) -> (String, Timestamp) {
    let due = soon();
    let path =
        format!("/triggers/{}", made(&api.post("/triggers", token, trigger(due, target)).await));
    api.until(async || clock::now() > due).await;
    let workers = scheduler(api).await;
    let fired = api.post(&format!("{path}/fire"), &workers, json!({ "occurrence": due })).await;
    assert_eq!(fired.status, 200, "{}", fired.body);
    (path, due)
}

async fn carry_out(api: &Api, path: &str, due: Timestamp, cause: &str) -> Answer {
    let workers = scheduler(api).await;
    let headers = [("causation-id", cause), ("correlation-id", "story-7")];
    let path = format!("{path}/carry-out");
    api.with(Method::POST, &path, &workers, json!({ "occurrence": due }), &headers).await
}

/// The last event of a type, and what stands around it.
async fn last(api: &Api, event_type: &str) -> (Value, Value) {
    sqlx::query_as(
        "select payload::jsonb, metadata::jsonb from log.events where event_type = $1 order by position desc limit 1",
    )
    .bind(event_type)
    .fetch_one(&api.owner)
    .await
    .unwrap()
}

/// Somebody with these permissions: id, token, and the role that has them.
async fn with_role(api: &Api, owner: &str, permissions: &[&str]) -> (String, String, String) {
    let (id, token) = api.newcomer("acme", owner, "anna").await;
    let role = json!({"name": "Planner", "permissions": permissions});
    let role = made(&api.post("/rbac/roles", owner, role).await);
    let held = json!({"user_id": id, "role_id": role});
    assert_eq!(api.post("/rbac/assign", owner, held).await.status, 200);
    (id, token, role)
}

#[tokio::test]
async fn what_happens_leads_to_one_command_in_the_name_of_the_owner() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (path, due) = happened(&api, &owner, &export()).await;
    let cause = "0190a000-0000-7000-8000-000000000077";
    // Two workers that know nothing of each other, and one that comes again.
    let (one, two) =
        tokio::join!(carry_out(&api, &path, due, cause), carry_out(&api, &path, due, cause));
    for answer in [one, two] {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(carry_out(&api, &path, due, cause).await.status, 200);
    assert_eq!(api.count(REQUESTED).await, 1);
    assert_eq!(api.count("scheduling.trigger.command_succeeded").await, 1);
    let (payload, around) = last(&api, REQUESTED).await;
    assert_eq!(payload["title"], format!("As of {due}"));
    assert_eq!(around["actor_kind"], "user");
    assert_eq!(around["actor_id"], payload["requested_by"]);
    assert_eq!(around["through"], path.replace("/triggers", "scheduling.trigger"));
    assert_eq!(
        (&around["causation_id"], &around["correlation_id"]),
        (&json!(cause), &json!("story-7"))
    );
    assert_eq!(around["session_id"], Value::Null);
    let (told, _) = last(&api, "scheduling.trigger.command_succeeded").await;
    assert_eq!(told["command"], "exports_export_request_csv");
    // What never happened leads to nothing.
    let later = due + SignedDuration::from_secs(60);
    assert_eq!(carry_out(&api, &path, later, cause).await.status, 200);
    let nowhere = "/triggers/0190a000-0000-7000-8000-000000000007";
    assert_eq!(carry_out(&api, nowhere, due, cause).await.status, 404);
    assert_eq!(api.count(REQUESTED).await, 1);
    api.stop().await;
}

/// The workers may send messages whatever the owner of a trigger may: none of that is lent.
#[tokio::test]
async fn what_the_service_may_and_the_owner_may_not_is_refused() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let permissions = ["scheduling.triggers:manage", "notifications.messages:send"];
    let (anna, token, role) = with_role(&api, &owner, &permissions).await;
    let message = json!({"command": "notifications_notification_send",
        "args": {"user_id": anna, "kind": "message", "title": "Hello"}});
    let due = soon();
    let path =
        format!("/triggers/{}", made(&api.post("/triggers", &token, trigger(due, &message)).await));
    let lost = format!("/rbac/roles/{role}/permissions/notifications.messages:send");
    assert_eq!(api.call(Method::DELETE, &lost, &owner, json!({})).await.status, 200);
    api.until(async || clock::now() > due).await;
    let workers = scheduler(&api).await;
    let body = json!({ "occurrence": due });
    assert_eq!(api.post(&format!("{path}/fire"), &workers, body).await.status, 200);
    let told = carry_out(&api, &path, due, "x").await;
    assert_eq!(told.status, 200, "{}", told.body);
    let (refused, _) = last(&api, REFUSED).await;
    assert_eq!(refused["code"], "FORBIDDEN", "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("notifications.messages:send"));
    assert_eq!(api.count("notifications.notification.created").await, 0);
    let (denied, around) = last(&api, "audit.security_log.access_denied").await;
    assert_eq!(
        (&denied["permission"], &around["actor_id"]),
        (&json!("notifications.messages:send"), &json!(anna))
    );
    // The right comes back, but the occurrence is settled.
    assert_eq!(api.post(&lost, &owner, json!({})).await.status, 200);
    carry_out(&api, &path, due, "y").await;
    assert_eq!(api.count("notifications.notification.created").await, 0);
    api.stop().await;
}

#[tokio::test]
async fn nobody_stands_in_for_an_owner_who_is_gone() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let permissions =
        ["scheduling.triggers:manage", "exports.files:request", "identity.users:read"];
    let (anna, token, _) = with_role(&api, &owner, &permissions).await;
    let (path, due) = happened(&api, &token, &export()).await;
    let gone = format!("/users/{anna}/deactivate");
    assert_eq!(api.post(&gone, &owner, json!({"reason": "left"})).await.status, 200);
    assert_eq!(carry_out(&api, &path, due, "x").await.status, 200);
    let (refused, _) = last(&api, REFUSED).await;
    assert_eq!(refused["code"], "OWNER_INACTIVE", "{refused}");
    assert_eq!(api.count(REQUESTED).await, 0);
    api.stop().await;
}

#[tokio::test]
async fn nobody_stands_in_for_an_owner_who_was_erased() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let permissions =
        ["scheduling.triggers:manage", "exports.files:request", "identity.users:read"];
    let (anna, token, _) = with_role(&api, &owner, &permissions).await;
    let (path, due) = happened(&api, &token, &export()).await;
    for (what, body) in
        [("deactivate", json!({"reason": "left"})), ("erase", json!({"handle": "anna"}))]
    {
        let done = api.post(&format!("/users/{anna}/{what}"), &owner, body).await;
        assert_eq!(done.status, 200, "{}", done.body);
    }
    // Before and after the key is gone that opened what was personal of theirs.
    for shredded in [false, true] {
        if shredded {
            let workers = scheduler(&api).await;
            let shred = api.post(&format!("/users/{anna}/shred"), &workers, json!({})).await;
            assert_eq!(shred.status, 200, "{}", shred.body);
        }
        let told = carry_out(&api, &path, due, "x").await;
        assert_eq!(told.status, 200, "{}", told.body);
        let (refused, around) = last(&api, REFUSED).await;
        assert_eq!(refused["code"], "OWNER_INACTIVE", "{refused}");
        assert_eq!(around["actor_kind"], "service", "nobody is said to have done it: {around}");
        assert_eq!((api.count(REFUSED).await, api.count(REQUESTED).await), (1, 0));
    }
    api.stop().await;
}

/// Time goes on in an organisation that is suspended: what falls due happens, and leads to nothing.
#[tokio::test]
async fn in_a_suspended_organisation_nothing_is_done_for_anybody_and_that_is_recorded() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let tenant = api.login("acme", "owner").await.body["tenant_id"].clone();
    let rule = |what: &str| format!("/organizations/{}/{what}", tenant.as_str().unwrap());
    let due = soon();
    let made = made(&api.post("/triggers", &owner, trigger(due, &export())).await);
    let path = format!("/triggers/{made}");
    let bootstrap = &api.settings.bootstrap_token;
    let why = json!({"reason": "unpaid"});
    assert_eq!(api.post(&rule("suspend"), bootstrap, why).await.status, 200);
    api.until(async || clock::now() > due).await;
    let workers = scheduler(&api).await;
    let fired = api.post(&format!("{path}/fire"), &workers, json!({ "occurrence": due })).await;
    assert_eq!(fired.status, 200, "{}", fired.body);
    let told = carry_out(&api, &path, due, "x").await;
    assert_eq!(told.status, 200, "{}", told.body);
    let (refused, _) = last(&api, REFUSED).await;
    assert_eq!(refused["code"], "ORGANIZATION_SUSPENDED", "{refused}");
    assert_eq!(refused["occurrence"], due.to_string(), "{refused}");
    assert_eq!(api.count(REQUESTED).await, 0);
    // It goes on, and the occurrence is settled.
    assert_eq!(api.post(&rule("reactivate"), bootstrap, json!({})).await.status, 200);
    assert_eq!(carry_out(&api, &path, due, "y").await.status, 200);
    assert_eq!((api.count(REFUSED).await, api.count(REQUESTED).await), (1, 0));
    api.stop().await;
}

#[tokio::test]
async fn what_was_tried_often_enough_is_told_as_refused() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (path, due) = happened(&api, &owner, &export()).await;
    let workers = scheduler(&api).await;
    let body = json!({"occurrence": due, "given_up": true});
    assert_eq!(api.post(&format!("{path}/carry-out"), &workers, body).await.status, 200);
    assert_eq!(last(&api, REFUSED).await.0["code"], "UNAVAILABLE");
    carry_out(&api, &path, due, "x").await;
    assert_eq!(api.count(REQUESTED).await, 0);
    api.stop().await;
}

#[tokio::test]
async fn a_target_that_its_owner_could_not_have_done_is_refused_where_it_is_wrong() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna_id, anna, _) = with_role(&api, &owner, &["scheduling.triggers:manage"]).await;
    let due = soon() + SignedDuration::from_hours(1);
    let with =
        |command: &str, args: Value| trigger(due, &json!({"command": command, "args": args}));
    let csv = "exports_export_request_csv";
    for (token, body, expected, pointer) in [
        (&owner, with("no_such_command", json!({})), (422, "COMMAND_UNKNOWN"), "/target/command"),
        (
            &owner,
            with("identity_session_start", json!({})),
            (422, "COMMAND_UNKNOWN"),
            "/target/command",
        ),
        (
            &owner,
            with("scheduling_trigger_create", json!({})),
            (422, "COMMAND_UNKNOWN"),
            "/target/command",
        ),
        (
            &owner,
            with("exports_export_complete", json!({})),
            (422, "COMMAND_UNKNOWN"),
            "/target/command",
        ),
        (
            &owner,
            with(csv, json!({"dataset": "no.such"})),
            (422, "DATASET_UNKNOWN"),
            "/target/args/dataset",
        ),
        (&owner, with(csv, json!({"dataset": 7})), (422, "BODY_INVALID"), "/target/args/dataset"),
        (
            &owner,
            with("exports_export_cancel", json!({})),
            (422, "BODY_INVALID"),
            "/target/args/export_id",
        ),
        (
            &anna,
            with(csv, json!({"dataset": "identity.users"})),
            (403, "FORBIDDEN"),
            "/target/command",
        ),
        (&owner, with(csv, json!([])), (422, "TRIGGER_TARGET_INVALID"), "/target"),
    ] {
        let refused = api.post("/triggers", token, body.clone()).await;
        assert_eq!(code(&refused), expected, "{body}: {}", refused.body);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}: {}", refused.body);
    }
    let path = format!(
        "/triggers/{}",
        made(&api.post("/triggers", &owner, trigger(due, &export())).await)
    );
    let change = json!({"target": {"command": csv, "args": {"dataset": "no.such"}}});
    let refused = api.call(Method::PATCH, &path, &owner, change).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/target/args/dataset", "{}", refused.body);
    // Whoever manages triggers does not get to act as the owner of one.
    let role =
        json!({"name": "All", "permissions": ["exports.files:request", "identity.users:read"]});
    let role = made(&api.post("/rbac/roles", &owner, role).await);
    let held = json!({"user_id": anna_id, "role_id": role});
    assert_eq!(api.post("/rbac/assign", &owner, held).await.status, 200);
    let change =
        json!({"target": {"command": csv, "args": {"dataset": "identity.users", "title": "Mine"}}});
    let refused = api.call(Method::PATCH, &path, &anna, change).await;
    assert_eq!(code(&refused), (403, "TRIGGER_NOT_OWNER"), "{}", refused.body);
    api.stop().await;
}

/// A program cannot have done later what is beyond its key now.
#[tokio::test]
async fn a_program_makes_triggers_within_its_scope() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let expires_at = (clock::now() + std::time::Duration::from_hours(1)).to_string();
    let key =
        json!({"name": "Robot", "scope": ["scheduling.triggers:manage"], "expires_at": expires_at});
    let key = api.post("/api-keys", &owner, key).await;
    let key = key.body["token"].as_str().unwrap().to_owned();
    let due = soon() + SignedDuration::from_hours(1);
    let refused = api.post("/triggers", &key, trigger(due, &export())).await;
    assert_eq!(code(&refused), (403, "FORBIDDEN"), "{}", refused.body);
    api.stop().await;
}

#[tokio::test]
async fn an_end_and_a_most_can_be_taken_away() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let mut body = trigger(soon(), &export());
    body["spec"] = json!({"kind": "daily", "time": "03:00:00"});
    (body["ends_at"], body["max_fires"]) = (json!("2099-01-01T00:00:00Z"), json!(9));
    let path = format!("/triggers/{}", made(&api.post("/triggers", &owner, body).await));
    let open = json!({"ends_at": null});
    assert_eq!(api.call(Method::PATCH, &path, &owner, open).await.status, 200);
    let (revised, _) = last(&api, "scheduling.trigger.revised").await;
    assert_eq!(
        (&revised["terms"]["ends_at"], &revised["terms"]["max_fires"]),
        (&Value::Null, &json!(9))
    );
    let open = json!({"max_fires": null});
    assert_eq!(api.call(Method::PATCH, &path, &owner, open).await.status, 200);
    let (revised, _) = last(&api, "scheduling.trigger.revised").await;
    assert_eq!(revised["terms"]["max_fires"], Value::Null);
    api.stop().await;
}
