//! A router over a database of its own, a founded organisation, and short ways to call it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use platform::config::Settings;
use platform::lifecycle::{Shutdown, Tasks};
use platform::testkit::TestDatabase;
use serde_json::{Value, json};
use sqlx::PgPool;
use tower::ServiceExt;

pub(crate) struct Api {
    pub(crate) router: Router,
    pub(crate) settings: Arc<Settings>,
    /// As the owner of the database, past every guard.
    pub(crate) owner: PgPool,
    database: TestDatabase,
    tasks: Tasks,
    _files: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The id of what was made, as the address of it ends.
    pub(crate) fn made(&self) -> &str {
        assert_eq!(self.status, StatusCode::CREATED, "{}", self.body);
        let location = self.headers["location"].to_str().expect("a location");
        location.rsplit('/').next().expect("an id")
    }
}

pub(crate) const PASSWORD: &str = "correct horse battery";

impl Api {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With other settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let database = TestDatabase::create(&migrations::MIGRATOR).await.expect("a database");
        let files = tempfile::tempdir().expect("a folder");
        let mut settings = Settings::clone(&*database.settings(files.path()).expect("settings"));
        change(&mut settings);
        let settings = Arc::new(settings);
        let tasks = Tasks::new(Shutdown::new());
        let router = command_api::router(Arc::clone(&settings), &tasks).await.expect("a router");
        let owner = PgPool::connect(&database.url).await.expect("the owner's connection");
        Self { router, settings, owner, database, tasks, _files: files }
    }

    /// A second process over the same database.
    pub(crate) async fn beside(&self) -> Router {
        self.over(Arc::clone(&self.settings)).await
    }

    /// Another process with other settings.
    pub(crate) async fn over(&self, settings: Arc<Settings>) -> Router {
        command_api::router(settings, &self.tasks).await.expect("another router")
    }

    /// As an operator would; what is kept in memory is written.
    pub(crate) fn begin_shutdown(&self) {
        self.tasks.shutdown().begin();
    }

    /// Waits for something that comes about by itself.
    pub(crate) async fn until(&self, holds: impl AsyncFn() -> bool) {
        let wait = async {
            while !holds().await {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        let soon = std::time::Duration::from_secs(20);
        assert!(tokio::time::timeout(soon, wait).await.is_ok(), "it does not come about");
    }

    pub(crate) async fn stop(self) {
        self.tasks.shutdown().begin();
        self.owner.close().await;
        drop(self.router);
        self.database.drop_now().await.expect("the database is dropped");
    }

    /// Sets an organisation up and signs its owner in; the answer is the access token.
    pub(crate) async fn found(&self, slug: &str) -> String {
        let body = json!({"name": slug, "slug": slug, "owner":
            {"handle": "owner", "display_name": "Owner", "email": "owner@example.org", "password": PASSWORD}});
        let founded =
            self.call(Method::POST, "/organizations", &self.settings.bootstrap_token, body).await;
        assert_eq!(founded.status, 201, "{}", founded.body);
        self.login(slug, "owner").await.body["access_token"].as_str().expect("a token").to_owned()
    }

    pub(crate) async fn login(&self, slug: &str, login: &str) -> Answer {
        let body = json!({"organization": slug, "login": login, "password": PASSWORD});
        self.call(Method::POST, "/auth/login", "", body).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, token, body).await
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Value,
    ) -> Answer {
        self.with(method, path, token, body, &[]).await
    }

    #[expect(clippy::too_many_arguments, reason = "a request has these parts")]
    pub(crate) async fn with(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        send(&self.router, request(method, path, token, &body, headers)).await
    }

    /// A user of the organisation, signed in, without any role.
    pub(crate) async fn newcomer(&self, slug: &str, owner: &str, handle: &str) -> (String, String) {
        let registered = self.post("/users", owner, json!({ "handle": handle })).await;
        assert_eq!(registered.status, 201, "{}", registered.body);
        let id = registered.body["aggregate"]["id"].as_str().expect("an id").to_owned();
        let path = format!("/users/{id}/password");
        let set = self.call(Method::PUT, &path, owner, json!({ "password": PASSWORD })).await;
        assert_eq!(set.status, 200, "{}", set.body);
        let login = self.login(slug, handle).await;
        (id, login.body["access_token"].as_str().expect("a token").to_owned())
    }

    pub(crate) async fn events(&self) -> Vec<(i64, String, Value)> {
        sqlx::query_as("select position, event_type, payload from log.events order by position")
            .fetch_all(&self.owner)
            .await
            .expect("the log")
    }

    pub(crate) async fn count(&self, event_type: &str) -> usize {
        self.events().await.iter().filter(|(_, kind, _)| kind == event_type).count()
    }
}

pub(crate) fn request(
    method: Method,
    path: &str,
    token: &str,
    body: &Value,
    headers: &[(&str, &str)],
) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("content-type", "application/json");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_string())).expect("a request")
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: parts.status, headers: parts.headers, body }
}

/// The id of what an answer says was made.
pub(crate) fn made(answer: &Answer) -> String {
    answer.made().to_owned()
}

/// The status of an answer, and the code of its problem.
pub(crate) fn code(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default())
}

/// Somebody whose one role has these permissions: id and token.
pub(crate) async fn entitled(
    api: &Api,
    owner: &str,
    handle: &str,
    may: &[&str],
) -> (String, String) {
    let (user, token) = api.newcomer("acme", owner, handle).await;
    let role = json!({"name": handle, "level": 50, "permissions": may});
    let role = made(&api.post("/rbac/roles", owner, role).await);
    let held = json!({"user_id": user, "role_id": role});
    assert_eq!(api.post("/rbac/assign", owner, held).await.status, 200);
    (user, token)
}
