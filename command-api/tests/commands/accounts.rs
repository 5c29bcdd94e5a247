//! Passwords, addresses and sessions: who may change them, what ends with them, and tokens that come by e-mail.

use axum::http::Method;
use events::{TenantId, UserId};
use platform::bearer::{EMAIL_CHANGE, Kind, PASSWORD_RESET};
use platform::secrets::MasterKey;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kit::{Answer, Api, PASSWORD, code};

const NEXT: &str = "another horse battery";

/// The token that the user's e-mail would have.
fn token(api: &Api, kind: Kind, login: &Value, request: i64) -> String {
    let id = |name: &str| login[name].as_str().unwrap().parse::<Uuid>().unwrap();
    let master = MasterKey::parse(&api.settings.master_key).unwrap();
    kind.make(&master, TenantId(id("tenant_id")), UserId(id("user_id")).0, request)
}

async fn set_password(api: &Api, caller: &str, user: &str) -> Answer {
    let path = format!("/users/{user}/password");
    api.call(Method::PUT, &path, caller, json!({ "password": NEXT })).await
}

/// Waits for what is done beside an answer.
async fn until(api: &Api, event_type: &str, count: usize) {
    api.until(async || api.count(event_type).await == count).await;
}

/// A user who manages users and holds nothing else.
async fn manager(api: &Api, owner: &str) -> String {
    let (manager, token) = api.newcomer("acme", owner, "manager").await;
    let role = json!({"name": "Managers", "level": 100, "permissions": ["identity.users:manage"]});
    give(api, owner, &manager, role).await;
    token
}

async fn give(api: &Api, owner: &str, user: &str, role: Value) {
    let made = api.post("/rbac/roles", owner, role).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let role_id = made.made();
    let assign = json!({"user_id": user, "role_id": role_id});
    assert_eq!(api.post("/rbac/assign", owner, assign).await.status, 200);
}

#[tokio::test]
async fn nobody_takes_over_an_account_with_roles_that_they_may_not_give() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let manager = manager(&api, &owner).await;
    let owner_id = api.login("acme", "owner").await.body["user_id"].as_str().unwrap().to_owned();
    let (clerk, _) = api.newcomer("acme", &owner, "clerk").await;
    assert_eq!(set_password(&api, &manager, &clerk).await.status, 200, "who has no role");
    let role = json!({"name": "Bookers", "level": 50, "permissions": ["exports.files:request"]});
    give(&api, &owner, &clerk, role).await;
    for user in [&owner_id, &clerk] {
        let refused = set_password(&api, &manager, user).await;
        assert_eq!(code(&refused), (403, "USER_OUT_OF_REACH"));
        let mine = json!({"email": "mine@example.org"});
        let refused = api.call(Method::PATCH, &format!("/users/{user}"), &manager, mine).await;
        assert_eq!(code(&refused), (403, "USER_OUT_OF_REACH"), "by way of its e-mail");
        let leave = json!({"reason": "mine now"});
        let refused = api.post(&format!("/users/{user}/deactivate"), &manager, leave).await;
        assert_eq!(code(&refused), (403, "USER_OUT_OF_REACH"), "nor by closing it");
    }
    assert_eq!(set_password(&api, &owner, &clerk).await.status, 200);
    api.stop().await;
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_not_the_one_it_was_chosen_in() {
    let api = Api::start().await;
    let here = api.found("acme").await;
    let there = api.login("acme", "owner").await.body;
    let change = json!({"current_password": PASSWORD, "new_password": NEXT});
    assert_eq!(api.post("/auth/password", &here, change).await.status, 200);
    let token = there["access_token"].as_str().unwrap();
    assert_eq!(api.post("/users", token, json!({"handle": "x"})).await.status, 401);
    let refresh = json!({"refresh_token": there["refresh_token"]});
    assert_eq!(api.post("/auth/refresh", "", refresh).await.status, 401);
    assert_eq!(api.post("/users", &here, json!({"handle": "x"})).await.status, 201);
    api.stop().await;
}

#[tokio::test]
async fn a_wrong_current_password_counts_towards_the_lock() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let change = json!({"current_password": "not the password", "new_password": NEXT});
    for _ in 0..10 {
        let refused = api.post("/auth/password", &owner, change.clone()).await;
        assert_eq!(code(&refused), (422, "PASSWORD_WRONG"));
    }
    let right = json!({"current_password": PASSWORD, "new_password": NEXT});
    assert_eq!(code(&api.post("/auth/password", &owner, right).await), (403, "USER_LOCKED"));
    assert_eq!(api.login("acme", "owner").await.status, 403);
    api.stop().await;
}

#[tokio::test]
async fn a_forgotten_password_is_set_once_by_the_token_and_ends_lock_and_sessions() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let login = api.login("acme", "owner").await.body;
    let forgot = json!({"organization": "acme", "login": "owner"});
    let asked = api.post("/auth/password/forgot", "", forgot.clone()).await;
    let nobody = json!({"organization": "acme", "login": "nobody"});
    let unknown = api.post("/auth/password/forgot", "", nobody).await;
    assert_eq!((asked.status.as_u16(), &asked.body), (202, &unknown.body));
    until(&api, "identity.user.password_reset_requested", 1).await;
    let token = token(&api, PASSWORD_RESET, &login, 1);
    let reset = |token: &str| json!({"token": token, "new_password": NEXT});
    for wrong in ["", "pr1.x", &token[..token.len() - 1]] {
        let refused = api.post("/auth/password/reset", "", reset(wrong)).await;
        assert_eq!(code(&refused), (404, "USER_TOKEN_UNKNOWN"));
    }
    for _ in 0..10 {
        let body = json!({"organization": "acme", "login": "owner", "password": "no password"});
        api.post("/auth/login", "", body).await;
    }
    assert_eq!(api.post("/auth/password/reset", "", reset(&token)).await.status, 200);
    assert_eq!(api.post("/auth/password/reset", "", reset(&token)).await.status, 404);
    assert_eq!(api.post("/users", &owner, json!({"handle": "x"})).await.status, 401);
    let body = json!({"organization": "acme", "login": "owner", "password": NEXT});
    assert_eq!(api.post("/auth/login", "", body).await.status, 200);
    api.stop().await;
}

#[tokio::test]
async fn an_address_that_somebody_else_took_meanwhile_is_not_confirmed() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let login = api.login("acme", "owner").await.body;
    let wanted = json!({"email": "new@example.org", "current_password": PASSWORD});
    assert_eq!(api.post("/auth/email", &owner, wanted).await.status, 200);
    let taken = json!({"handle": "quick", "email": "new@example.org"});
    assert_eq!(api.post("/users", &owner, taken).await.status, 201);
    let confirm = json!({"token": token(&api, EMAIL_CHANGE, &login, 1)});
    let refused = api.post("/auth/email/confirm", "", confirm).await;
    assert_eq!(code(&refused), (409, "USER_EMAIL_TAKEN"));
    api.stop().await;
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_at_once() {
    let api = Api::start().await;
    let here = api.found("acme").await;
    let there = api.login("acme", "owner").await.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(api.call(Method::DELETE, "/sessions", &here, json!({})).await.status, 200);
    for token in [&here, &there] {
        assert_eq!(api.post("/users", token, json!({"handle": "x"})).await.status, 401);
    }
    let again = api.login("acme", "owner").await.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(api.post("/users", &again, json!({"handle": "x"})).await.status, 201);
    api.stop().await;
}

#[tokio::test]
async fn a_session_of_ones_own_ends_by_its_id_and_somebody_elses_by_the_permission_alone() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (_, here) = api.newcomer("acme", &owner, "anna").await;
    let there = api.login("acme", "anna").await.body;
    let owners = api.login("acme", "owner").await.body;
    let end = async |login: &Value, token: &str| {
        let path = format!("/sessions/{}", login["session_id"].as_str().unwrap());
        api.call(Method::DELETE, &path, token, json!({})).await
    };
    let reasons = async || {
        let ended = api.events().await.into_iter();
        let ended = ended.filter(|(_, kind, _)| kind == "identity.session.revoked");
        ended.map(|(_, _, payload)| payload["reason"].clone()).collect::<Vec<_>>()
    };
    let refused = end(&owners, &here).await;
    assert_eq!(code(&refused), (403, "FORBIDDEN"));
    assert_eq!(refused.body["params"]["permission"], "identity.sessions:manage");
    assert_eq!(end(&there, &here).await.status, 200);
    assert_eq!(reasons().await, [json!("logout")]);
    let token = there["access_token"].as_str().unwrap();
    assert_eq!(api.post("/auth/logout", token, json!({})).await.status, 401, "that one is over");
    let again = api.login("acme", "anna").await.body;
    assert_eq!(end(&again, &owner).await.status, 200);
    assert_eq!(reasons().await, [json!("logout"), json!("admin")]);
    assert_eq!(api.post("/auth/logout", &here, json!({})).await.status, 200, "this one went on");
    api.stop().await;
}

#[tokio::test]
async fn a_deactivation_ends_sessions_for_good_and_spares_the_last_administrator() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (anna, _) = api.newcomer("acme", &owner, "anna").await;
    let session = api.login("acme", "anna").await.body;
    for action in ["deactivate", "reactivate"] {
        let body = if action == "deactivate" { json!({"reason": "left"}) } else { json!({}) };
        assert_eq!(api.post(&format!("/users/{anna}/{action}"), &owner, body).await.status, 200);
    }
    let token = session["access_token"].as_str().unwrap();
    assert_eq!(api.post("/auth/logout", token, json!({})).await.status, 401);
    let refresh = json!({"refresh_token": session["refresh_token"]});
    assert_eq!(api.post("/auth/refresh", "", refresh).await.status, 401);
    assert_eq!(api.login("acme", "anna").await.status, 200);

    let me = api.login("acme", "owner").await.body["user_id"].as_str().unwrap().to_owned();
    let leave = format!("/users/{me}/deactivate");
    let refused = api.post(&leave, &owner, json!({"reason": "left"})).await;
    assert_eq!(code(&refused), (409, "USER_LAST_ADMINISTRATOR"));
    let facts: String = sqlx::query_scalar(
        "select metadata->>'facts' from log.events where event_type = 'identity.user.deactivated'",
    )
    .fetch_one(&api.owner)
    .await
    .unwrap();
    assert!(facts.contains("rbac.policy/"), "the append names the policy: {facts}");
    api.stop().await;
}

#[tokio::test]
async fn who_joins_has_the_default_role_where_the_organisation_has_it_and_nothing_else_was_given() {
    let api = Api::start_with(|settings| settings.rbac_default_role = "member".into()).await;
    let owner = api.found("acme").await;
    let (early, _) = api.newcomer("acme", &owner, "early").await;
    assert_eq!(
        api.count("rbac.user_access.role_assigned").await,
        0,
        "there is no such role: {early}"
    );
    let role =
        json!({"name": "Member", "code": "member", "permissions": ["identity.users:register"]});
    assert_eq!(api.post("/rbac/roles", &owner, role).await.status, 201);
    let (_, member) = api.newcomer("acme", &owner, "anna").await;
    assert_eq!(api.post("/users", &member, json!({"handle": "x"})).await.status, 201);
    assert_eq!(
        api.count("rbac.user_access.role_assigned").await,
        2,
        "and so has the one they made"
    );

    let body = json!({"handle": "again"});
    let key = [("idempotency-key", "\"k1\"")];
    let first = api.with(Method::POST, "/users", &owner, body.clone(), &key).await;
    let again = api.with(Method::POST, "/users", &owner, body, &key).await;
    assert_eq!(first.body["events"], again.body["events"]);
    assert_eq!(first.body["aggregate"], again.body["aggregate"]);

    let other = json!({"name": "Other", "permissions": ["audit.trail:read"]});
    let other = api.post("/rbac/roles", &owner, other).await;
    let other = other.made().to_owned();
    for (number, roles) in [(1, json!([])), (2, json!([{"role_id": other}]))] {
        let before = api.count("rbac.user_access.role_assigned").await;
        let invite = json!({"email": format!("guest{number}@example.org"), "roles": roles});
        let token = api.post("/invitations", &owner, invite).await.body["token"].clone();
        let accept =
            json!({"token": token, "handle": format!("guest{number}"), "password": PASSWORD});
        assert_eq!(api.post("/invitations/accept", "", accept).await.status, 201);
        assert_eq!(api.count("rbac.user_access.role_assigned").await, before + 1, "one role each");
    }
    api.stop().await;
}

#[tokio::test]
async fn in_a_suspended_organisation_nobody_signs_in_or_does_anything_until_it_is_reactivated() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let other = api.found("other").await;
    let login = api.login("acme", "owner").await.body;
    let rule = |what: &str, tenant: &str| format!("/organizations/{tenant}/{what}");
    let acme = login["tenant_id"].as_str().unwrap();
    let (bootstrap, why) = (&api.settings.bootstrap_token, json!({"reason": "unpaid"}));
    let suspend = rule("suspend", acme);
    assert_eq!(api.post(&suspend, &owner, why.clone()).await.status, 401, "not by its owner");
    let nowhere = rule("suspend", &Uuid::nil().to_string());
    assert_eq!(api.post(&nowhere, bootstrap, why.clone()).await.status, 404);
    assert_eq!(api.post(&suspend, bootstrap, why).await.status, 200);

    let suspended = (403, "ORGANIZATION_SUSPENDED");
    let user = json!({"handle": "x"});
    assert_eq!(code(&api.post("/users", &owner, user.clone()).await), suspended);
    assert_eq!(code(&api.login("acme", "owner").await), suspended);
    let wrong = json!({"organization": "acme", "login": "owner", "password": "not the password"});
    assert_eq!(api.post("/auth/login", "", wrong).await.status, 401, "nobody else learns of it");
    let refresh = json!({"refresh_token": login["refresh_token"]});
    assert_eq!(code(&api.post("/auth/refresh", "", refresh.clone()).await), suspended);
    assert_eq!(api.post("/users", &other, user.clone()).await.status, 201, "the others go on");
    assert_eq!(api.count("audit.security_log.access_denied").await, 0);

    let reactivated = api.post(&rule("reactivate", acme), bootstrap, json!({})).await;
    assert_eq!(reactivated.status, 200, "{}", reactivated.body);
    assert_eq!(api.post("/users", &owner, user).await.status, 201);
    assert_eq!(api.post("/auth/refresh", "", refresh).await.status, 200);
    api.stop().await;
}
