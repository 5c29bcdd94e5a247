//! Invitations: a token is good once, for a while, for one address, and never more than its sender may give.

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::Executor as _;

use crate::kit::{Answer, Api, PASSWORD, request, send};

/// A role of the organisation with these permissions.
async fn role(api: &Api, owner: &str, name: &str, permissions: Value) -> String {
    let body = json!({"name": name, "permissions": permissions});
    let made = api.post("/rbac/roles", owner, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.made().to_owned()
}

/// Invites an address; the id of the invitation and its token.
async fn invite(api: &Api, sender: &str, email: &str, roles: Value) -> (String, String) {
    let body = json!({"email": email, "roles": roles});
    let issued = api.post("/invitations", sender, body).await;
    assert_eq!(issued.status, 201, "{}", issued.body);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&issued.body["aggregate"]["id"]), text(&issued.body["token"]))
}

fn acceptance(token: &str, handle: &str) -> Value {
    json!({"token": token, "handle": handle, "password": PASSWORD})
}

async fn accept(api: &Api, token: &str, handle: &str) -> Answer {
    api.post("/invitations/accept", "", acceptance(token, handle)).await
}

fn outcome(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn an_invitation_makes_a_user_with_its_roles_in_one_append_and_leaves_no_token_behind() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let registrar = role(&api, &owner, "Registrar", json!(["identity.users:register"])).await;
    let (id, token) =
        invite(&api, &owner, "ada@example.org", json!([{"role_id": registrar}])).await;
    let joined = accept(&api, &token, "ada").await;
    assert_eq!(joined.status, 201, "{}", joined.body);
    let made: Vec<(i64, String, String)> = sqlx::query_as(
        "select position, event_type, metadata::text from log.events
          where metadata::jsonb ->> 'command' = 'identity_invitation_accept' order by position",
    )
    .fetch_all(&api.owner)
    .await
    .unwrap();
    let kinds: Vec<&str> = made.iter().map(|(_, kind, _)| kind.as_str()).collect();
    let expected = [
        "identity.invitation.accepted",
        "identity.user.registered",
        "identity.user.password_replaced",
        "rbac.user_access.role_assigned",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(made[3].0 - made[0].0, 3, "one after the other");
    assert_eq!(joined.body["position"], made[3].0);
    let everything: String = sqlx::query_scalar(
        "select string_agg(payload::text || metadata::text, ' ') from log.events",
    )
    .fetch_one(&api.owner)
    .await
    .unwrap();
    let secret = token.rsplit('.').next().unwrap();
    assert!(!everything.contains(secret) && !everything.contains(PASSWORD));

    let login = api.login("acme", "ada@example.org").await;
    assert_eq!(login.body["user_id"], joined.body["user_id"]);
    let ada = login.body["access_token"].as_str().unwrap();
    assert_eq!(api.post("/users", ada, json!({"handle": "x"})).await.status, 201);
    assert_eq!(outcome(&accept(&api, &token, "ada2").await), (409, "INVITATION_ACCEPTED"));
    let path = format!("/invitations/{id}");
    let late = api.call(Method::DELETE, &path, &owner, json!({})).await;
    assert_eq!(outcome(&late), (409, "INVITATION_ACCEPTED"));
    api.stop().await;
}

#[tokio::test]
async fn of_two_who_accept_at_once_one_becomes_a_user() {
    let api = Api::start().await;
    let second = api.beside().await;
    let owner = api.found("acme").await;
    let (_, token) = invite(&api, &owner, "ada@example.org", json!([])).await;
    let there =
        |handle| request(Method::POST, "/invitations/accept", "", &acceptance(&token, handle), &[]);
    let (one, other) = tokio::join!(send(&api.router, there("one")), send(&second, there("other")));
    let mut outcomes = [outcome(&one), outcome(&other)];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [(201, ""), (409, "INVITATION_ACCEPTED")]);
    assert_eq!(api.count("identity.invitation.accepted").await, 1);
    assert_eq!(api.count("identity.user.registered").await, 2, "the owner and one more");
    api.stop().await;
}

#[tokio::test]
async fn what_is_no_token_is_answered_alike_and_leaves_no_trace() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (_, token) = invite(&api, &owner, "ada@example.org", json!([])).await;
    let parts: Vec<&str> = token.split('.').collect();
    let nobody = "0190a0000000700080000000000000ff";
    let before = api.events().await.len();
    let mut bodies = Vec::new();
    for guess in [
        String::new(),
        "in1".into(),
        token.replace("in1.", "rt1."),
        format!("in1.{}.{}.{}", parts[1], parts[2], "A".repeat(43)),
        format!("in1.{}.{nobody}.{}", parts[1], parts[3]),
        format!("in1.{nobody}.{}.{}", parts[2], parts[3]),
    ] {
        let answer = accept(&api, &guess, "ada").await;
        assert_eq!(outcome(&answer), (404, "INVITATION_TOKEN_UNKNOWN"), "{guess}");
        bodies.push(answer.body["detail"].clone());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert_eq!(api.events().await.len(), before, "guesses are not kept");
    api.stop().await;
}

#[tokio::test]
async fn an_invitation_sent_again_has_a_new_token_and_the_old_one_is_dead() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (id, first) = invite(&api, &owner, "ada@example.org", json!([])).await;
    let again = api.post(&format!("/invitations/{id}/resend"), &owner, json!({})).await;
    assert_eq!(again.status, 200, "{}", again.body);
    let second = again.body["token"].as_str().unwrap();
    assert_ne!(first, second);
    assert_eq!(outcome(&accept(&api, &first, "ada").await), (404, "INVITATION_TOKEN_UNKNOWN"));
    assert_eq!(accept(&api, second, "ada").await.status, 201);
    api.stop().await;
}

#[tokio::test]
async fn a_revoked_invitation_is_not_accepted_and_makes_room_for_another() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (id, token) = invite(&api, &owner, "ada@example.org", json!([])).await;
    let open = json!({"email": "ADA@example.org"});
    let another = api.post("/invitations", &owner, open.clone()).await;
    assert_eq!(outcome(&another), (409, "INVITATION_OPEN"));
    let path = format!("/invitations/{id}");
    assert_eq!(api.call(Method::DELETE, &path, &owner, json!({})).await.status, 200);
    assert_eq!(outcome(&accept(&api, &token, "ada").await), (409, "INVITATION_REVOKED"));
    let resent = api.post(&format!("{path}/resend"), &owner, json!({})).await;
    assert_eq!(outcome(&resent), (409, "INVITATION_REVOKED"));
    assert_eq!(api.post("/invitations", &owner, open).await.status, 201);
    api.stop().await;
}

#[tokio::test]
async fn an_expired_invitation_is_not_accepted_until_it_is_sent_again() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (id, token) = invite(&api, &owner, "ada@example.org", json!([])).await;
    // A week passes: as the owner of the database, and for processes that have not read the event.
    let mut connection = api.owner.acquire().await.unwrap();
    connection.execute("set session_replication_role = replica").await.unwrap();
    let aged = sqlx::query(
        "update log.events set payload = regexp_replace(payload::text,
            '\"expires_at\":\"[^\"]*\"', '\"expires_at\":\"2026-01-01T00:00:00Z\"')::json
          where event_type = 'identity.invitation.issued'",
    );
    assert_eq!(aged.execute(&mut *connection).await.unwrap().rows_affected(), 1);
    connection.execute("set session_replication_role = default").await.unwrap();
    drop(connection);
    let later = api.beside().await;
    let there = |path: &str, token: &str, body: &Value| {
        send(&later, request(Method::POST, path, token, body, &[]))
    };
    let late = there("/invitations/accept", "", &acceptance(&token, "ada")).await;
    assert_eq!(outcome(&late), (409, "INVITATION_EXPIRED"));
    let again = there(&format!("/invitations/{id}/resend"), &owner, &json!({})).await;
    assert_eq!(again.status, 200, "{}", again.body);
    let token = again.body["token"].as_str().unwrap();
    let joined = there("/invitations/accept", "", &acceptance(token, "ada")).await;
    assert_eq!(joined.status, 201, "{}", joined.body);
    api.stop().await;
}

#[tokio::test]
async fn another_organisation_has_no_hold_on_an_invitation() {
    let api = Api::start().await;
    let acme = api.found("acme").await;
    let other = api.found("other").await;
    let (id, token) = invite(&api, &acme, "ada@example.org", json!([])).await;
    let resent = api.post(&format!("/invitations/{id}/resend"), &other, json!({})).await;
    assert_eq!(outcome(&resent), (404, "INVITATION_UNKNOWN"));
    let path = format!("/invitations/{id}");
    let revoked = api.call(Method::DELETE, &path, &other, json!({})).await;
    assert_eq!(outcome(&revoked), (404, "INVITATION_UNKNOWN"));
    invite(&api, &other, "ada@example.org", json!([])).await;
    assert_eq!(accept(&api, &token, "ada").await.status, 201);
    assert_eq!(api.login("other", "ada").await.status, 401);
    api.stop().await;
}

#[tokio::test]
async fn nobody_invites_to_more_than_they_may_give() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let hosts = json!(["identity.invitations:manage", "rbac.assignments:assign"]);
    let host = role(&api, &owner, "Host", hosts).await;
    let greeter = role(&api, &owner, "Greeter", json!(["identity.invitations:manage"])).await;
    let auditor = role(&api, &owner, "Auditor", json!(["audit.trail:read"])).await;
    let promise = json!({"email": "ada@example.org", "roles": [{"role_id": auditor}]});
    let (user, anna) = api.newcomer("acme", &owner, "anna").await;
    assert_eq!(
        outcome(&api.post("/invitations", &anna, promise.clone()).await),
        (403, "FORBIDDEN")
    );

    let assign = json!({"user_id": user, "role_id": greeter});
    assert_eq!(api.post("/rbac/assign", &owner, assign).await.status, 200);
    let lacking = api.post("/invitations", &anna, promise.clone()).await;
    assert_eq!(lacking.body["params"]["permission"], "rbac.assignments:assign");
    let (own, _) = invite(&api, &anna, "eve@example.org", json!([])).await;
    assert_eq!(api.post(&format!("/invitations/{own}/resend"), &anna, json!({})).await.status, 200);

    let assign = json!({"user_id": user, "role_id": host});
    assert_eq!(api.post("/rbac/assign", &owner, assign).await.status, 200);
    let lacking = api.post("/invitations", &anna, promise.clone()).await;
    assert_eq!(lacking.status, 403, "{}", lacking.body);
    let (id, _) = invite(&api, &owner, "ada@example.org", json!([{"role_id": auditor}])).await;
    let resent = api.post(&format!("/invitations/{id}/resend"), &anna, json!({})).await;
    assert_eq!(resent.status, 403, "whoever sends it again must be allowed too: {}", resent.body);
    api.stop().await;
}

#[tokio::test]
async fn who_loses_their_rights_loses_what_they_promised() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let host = role(&api, &owner, "Host", json!(["identity.invitations:manage"])).await;
    let (user, anna) = api.newcomer("acme", &owner, "anna").await;
    let assign = json!({"user_id": user, "role_id": host});
    assert_eq!(api.post("/rbac/assign", &owner, assign).await.status, 200);
    let (id, token) = invite(&api, &anna, "ada@example.org", json!([])).await;
    let gone = json!({"reason": "left"});
    assert_eq!(api.post(&format!("/users/{user}/deactivate"), &owner, gone).await.status, 200);
    assert_eq!(outcome(&accept(&api, &token, "ada").await), (409, "INVITATION_UNBACKED"));
    let again = api.post(&format!("/invitations/{id}/resend"), &owner, json!({})).await;
    let token = again.body["token"].as_str().unwrap();
    assert_eq!(accept(&api, token, "ada").await.status, 201, "the owner answers for it now");
    api.stop().await;
}

#[tokio::test]
async fn a_refused_acceptance_leaves_the_invitation_open() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (_, token) = invite(&api, &owner, "ada@example.org", json!([])).await;
    assert_eq!(outcome(&accept(&api, &token, "owner").await), (409, "USER_HANDLE_TAKEN"));
    let short = json!({"token": token, "handle": "ada", "password": "short"});
    let short = api.post("/invitations/accept", "", short).await;
    assert_eq!(outcome(&short), (422, "PASSWORD_LENGTH"));
    let invisible = accept(&api, &token, "a da").await;
    assert_eq!(outcome(&invisible), (422, "USER_HANDLE_NOT_PRINTABLE"));
    assert_eq!(accept(&api, &token, "ada").await.status, 201);
    api.stop().await;
}

#[tokio::test]
async fn a_repeated_request_shows_the_same_token_again_though_it_is_kept_nowhere() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let once = async |path: &str, body: Value, key: &str| {
        api.with(Method::POST, path, &owner, body, &[("idempotency-key", key)]).await
    };
    let body = json!({"email": "ada@example.org"});
    let dry = api.post("/invitations?validate_only=true", &owner, body.clone()).await;
    assert_eq!((&dry.body["committed"], &dry.body["token"]), (&json!(false), &Value::Null));
    let first = once("/invitations", body.clone(), "one").await;
    let replayed = once("/invitations", body, "one").await;
    assert_eq!(replayed.headers["idempotent-replayed"], "true");
    assert_eq!(first.body["token"], replayed.body["token"]);
    let path = format!("/invitations/{}/resend", first.body["aggregate"]["id"].as_str().unwrap());
    let second = once(&path, json!({}), "two").await;
    let third = once(&path, json!({}), "three").await;
    let replayed = once(&path, json!({}), "two").await;
    assert_eq!(second.body["token"], replayed.body["token"], "of its own sending, not the last");
    assert_ne!(second.body["token"], third.body["token"]);
    assert_eq!(api.count("identity.invitation.resent").await, 2);
    api.stop().await;
}
