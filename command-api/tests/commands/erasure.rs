//! What is personal leaves no open trace in the log, and somebody who was erased is nobody any more.

use axum::http::Method;
use events::envelope::encode;
use events::identity::user;
use events::{TenantId, UserId};
use platform::clock;
use platform::personal::Personal;
use platform::secrets::MasterKey;
use serde_json::{Value, json};

use crate::kit::{Answer, Api, PASSWORD, request, send};

async fn stored(api: &Api) -> String {
    let everything = "select string_agg(payload::text || metadata::text, ' ') from log.events";
    sqlx::query_scalar(everything).fetch_one(&api.owner).await.unwrap()
}

async fn keys(api: &Api) -> i64 {
    let count = "select count(*) from secrets.subject_keys";
    sqlx::query_scalar(count).fetch_one(&api.owner).await.unwrap()
}

async fn register(api: &Api, owner: &str) -> (String, String) {
    let user = json!({"handle": "kanarie", "display_name": "Karl \"Kanarie\"", "email": "kanarie@nest.test"});
    let made = api.post("/users", owner, user).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["aggregate"]["id"].as_str().unwrap().to_owned();
    (format!("/users/{id}"), id)
}

async fn erase(api: &Api, owner: &str, path: &str) -> Answer {
    let gone = api.post(&format!("{path}/deactivate"), owner, json!({"reason": "left"})).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    api.post(&format!("{path}/erase"), owner, json!({"handle": "kanarie"})).await
}

async fn workers(api: &Api, tenant: &Value) -> String {
    let login =
        json!({"service": "workers", "secret": api.settings.service_secret, "tenant_id": tenant});
    let token = api.post("/auth/service-token", "", login).await;
    token.body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_personal_is_sealed_in_the_log_and_decided_on_open() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (path, _) = register(&api, &owner).await;
    let headers = [("user-agent", "Kanarie/7")];
    let body = json!({"display_name": "Karla Kanarie"});
    let renamed = send(&api.router, request(Method::PATCH, &path, &owner, &body, &headers)).await;
    assert_eq!(renamed.status, 200, "{}", renamed.body);
    let second = api.beside().await;
    let same = send(&second, request(Method::PATCH, &path, &owner, &body, &headers)).await;
    assert_eq!(same.body["events"], json!([]), "another process reads the name it has");
    let taken = api.post("/users", &owner, json!({"handle": "Kanarie"})).await;
    assert_eq!(taken.status, 409, "{}", taken.body);
    let stored = stored(&api).await.to_lowercase();
    assert!(stored.contains("sealed.v1.") && !stored.contains("kanarie"), "{stored}");
    assert!(!stored.contains(PASSWORD));
    api.stop().await;
}

#[tokio::test]
async fn a_refused_registration_leaves_no_key() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    register(&api, &owner).await;
    let before = keys(&api).await;
    let taken = api.post("/users", &owner, json!({"handle": "kanarie"})).await;
    assert_eq!(taken.status, 409, "{}", taken.body);
    assert_eq!(keys(&api).await, before);
    api.stop().await;
}

#[tokio::test]
async fn somebody_who_has_a_key_already_is_registered_under_it() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let tenant = api.login("acme", "owner").await.body["tenant_id"].clone();
    let tenant: TenantId = serde_json::from_value(tenant).unwrap();
    let id = clock::new_id::<UserId>().to_string();
    let mut said = encode(&user::Event::Renamed { display_name: "Karl".into() }).unwrap();
    let personal = Personal::new(MasterKey::parse(&api.settings.master_key).unwrap());
    personal.seal_event(&api.owner, (tenant, &id), &mut said).await.unwrap();
    let before = keys(&api).await;
    let user = json!({"id": id, "handle": "kanarie", "display_name": "Karl"});
    let made = api.post("/users", &owner, user).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(keys(&api).await, before);
    let second = api.beside().await;
    let path = format!("/users/{id}");
    let body = json!({"display_name": "Karl"});
    let same = send(&second, request(Method::PATCH, &path, &owner, &body, &[])).await;
    assert_eq!(same.body["events"], json!([]), "another process opens the name: {}", same.body);
    api.stop().await;
}

#[tokio::test]
async fn an_erased_user_s_key_and_passwords_are_deleted_once_the_workers_say_so() {
    let api = Api::start().await;
    let owner = api.found("acme").await;
    let (path, _) = register(&api, &owner).await;
    let password = json!({ "password": PASSWORD });
    let set = api.call(Method::PUT, &format!("{path}/password"), &owner, password).await;
    assert_eq!(set.status, 200, "{}", set.body);
    let login = api.login("acme", "kanarie").await;
    let tenant = login.body["tenant_id"].clone();
    let before = keys(&api).await;
    let erased = erase(&api, &owner, &path).await;
    assert_eq!(erased.status, 200, "{}", erased.body);
    let shred = format!("{path}/shred");
    let tenants = format!("/organizations/{}/shred", tenant.as_str().unwrap());
    for (path, instead) in [(&shred, "route that ends with erase"), (&tenants, "end with purge")] {
        let refused = api.post(path, &owner, json!({})).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
        assert!(refused.body["detail"].as_str().unwrap().contains(instead), "{}", refused.body);
    }
    let workers = workers(&api, &tenant).await;
    for _ in 0..2 {
        let done = api.post(&shred, &workers, json!({})).await;
        assert_eq!(done.status, 200, "{}", done.body);
    }
    assert_eq!(keys(&api).await, before - 1);
    let secrets: i64 = sqlx::query_scalar("select count(*) from secrets.secrets")
        .fetch_one(&api.owner)
        .await
        .unwrap();
    assert_eq!(secrets, 1, "the owner's password is left");
    assert_eq!(api.login("acme", "kanarie").await.status, 401);
    let third = api.beside().await;
    let body = json!({"display_name": "x"});
    let renamed = send(&third, request(Method::PATCH, &path, &owner, &body, &[])).await;
    assert_eq!(renamed.body["code"], "USER_ERASED", "{}", renamed.body);
    let (again, _) = register(&api, &owner).await;
    assert_ne!(again, path, "the handle and the address are free again");
    api.stop().await;
}
