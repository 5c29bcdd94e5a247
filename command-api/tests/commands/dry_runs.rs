//! A dry run stores nothing, whichever route it is of, and a parameter that is misspelt never makes it a real one.

use axum::http::Method;
use platform::routes::{Access, Route};
use serde_json::{Value, json};

use crate::kit::{Answer, Api, PASSWORD};

const ID: &str = "0190a000-0000-7000-8000-000000000001";
const ANOTHER: &str = "a new password for this";

/// What there is in the log, but for refusals for want of a right, and how many secrets and keys are kept.
async fn kept(api: &Api) -> (i64, i64, i64) {
    sqlx::query_as(
        "select (select count(*) from log.events where event_type <> 'audit.security_log.access_denied'),
                (select count(*) from secrets.secrets), (select count(*) from secrets.subject_keys)",
    )
    .fetch_one(&api.owner)
    .await
    .unwrap()
}

/// One organisation with something to lose, and who may do what to it.
struct House {
    api: Api,
    owner: String,
    workers: String,
    tenant: String,
    user: String,
    export: String,
    api_key: String,
    invitation: String,
}

impl House {
    async fn start() -> Self {
        let api = Api::start().await;
        let owner = api.found("acme").await;
        let tenant =
            api.login("acme", "owner").await.body["tenant_id"].as_str().unwrap().to_owned();
        let login = json!({"service": "workers", "secret": api.settings.service_secret,
            "tenant_id": tenant});
        let token = api.post("/auth/service-token", "", login).await;
        let workers = token.body["access_token"].as_str().unwrap().to_owned();
        let (user, _) = api.newcomer("acme", &owner, "anna").await;
        let invited = api.post("/invitations", &owner, json!({"email": "ada@example.org"})).await;
        let invitation = made(&invited);
        let later = (platform::clock::now() + std::time::Duration::from_hours(1)).to_string();
        let key = json!({"name": "Import", "scope": ["identity.users:register"],
            "expires_at": later});
        let api_key = made(&api.post("/api-keys", &owner, key).await);
        let body = json!({"dataset": "rbac.roles"});
        let export = made(&api.post("/exports/csv", &owner, body).await);
        let begin = json!({"attempt": 1, "worker": "w"});
        let done = json!({"attempt": 1, "file_id": ID, "file_name": "roles.csv", "size_bytes": 1,
            "sha256": "0".repeat(64), "rows": 1, "position": 1, "expires_at": later});
        for (verb, body) in [("start", begin), ("complete", done)] {
            let path = format!("/exports/{export}/{verb}");
            let told = api.post(&path, &workers, body).await;
            assert_eq!(told.status, 200, "{}", told.body);
        }
        Self { api, owner, workers, tenant, user, export, api_key, invitation }
    }

    /// The route's path, with what there is.
    fn path(&self, route: &Route) -> String {
        let part = |part: &'static str| match part {
            "{organization_id}" => self.tenant.as_str(),
            "{user_id}" => self.user.as_str(),
            "{export_id}" => self.export.as_str(),
            "{api_key_id}" => self.api_key.as_str(),
            "{invitation_id}" => self.invitation.as_str(),
            part if part.starts_with('{') => ID,
            part => part,
        };
        route.path.split('/').map(part).collect::<Vec<&str>>().join("/")
    }

    /// What would have an effect, for the routes that do more than store events.
    fn body(route: &Route) -> Value {
        let later = (platform::clock::now() + std::time::Duration::from_hours(1)).to_string();
        match route.operation {
            "identity_user_change_own_password" => {
                json!({"current_password": PASSWORD, "new_password": ANOTHER})
            }
            "identity_user_request_email_change" => {
                json!({"current_password": PASSWORD, "email": "new@example.org"})
            }
            "identity_user_set_password" => json!({"password": ANOTHER}),
            "identity_invitation_issue" => json!({"email": "bert@example.org"}),
            "identity_api_key_create" => {
                json!({"name": "Other", "scope": ["identity.users:register"], "expires_at": later})
            }
            "identity_user_register" => json!({"handle": "bert", "email": "bert@example.org"}),
            "identity_organization_create" => json!({"name": "B", "slug": "b", "owner":
                {"handle": "o", "display_name": "O", "password": PASSWORD}}),
            "identity_session_start" => {
                json!({"organization": "acme", "login": "owner", "password": PASSWORD})
            }
            "identity_organization_suspend" => json!({"reason": "unpaid"}),
            "audit_security_log_record_read" => json!({"reader_kind": "user", "reader_id": ID,
                "dataset": "audit.events", "filters": [], "reads": 1, "rows": 1,
                "first_at": later, "last_at": later}),
            _ => json!({}),
        }
    }

    async fn ask(&self, route: &Route, query: &str) -> Answer {
        let tokens = match route.access {
            Access::Public => vec![""],
            Access::Bootstrap => vec![self.api.settings.bootstrap_token.as_str()],
            Access::SignedIn
            | Access::Needs(_)
            | Access::InUnit(_)
            | Access::Shared(_)
            | Access::InPerson(_) => {
                vec![self.owner.as_str(), self.workers.as_str()]
            }
        };
        let path = format!("{}?{query}", self.path(route));
        let mut last = None;
        for token in tokens {
            let body = Self::body(route);
            let answer = self.api.call(route.method.clone(), &path, token, body).await;
            let refused = answer.status == 403;
            last = Some(answer);
            if !refused {
                break;
            }
        }
        last.unwrap()
    }
}

fn made(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.body["aggregate"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn nothing_is_stored_by_a_dry_run_of_any_route() {
    let house = House::start().await;
    let before = kept(&house.api).await;
    let mut dry = Vec::new();
    for route in command_api::routes() {
        let answer = house.ask(&route, "validate_only=true").await;
        let status = answer.status.as_u16();
        assert!(status < 500, "{}: {}", route.operation, answer.body);
        assert_eq!(kept(&house.api).await, before, "{}: {}", route.operation, answer.body);
        if answer.status.is_success() && answer.body["items"].is_null() {
            assert_eq!(answer.body["committed"], false, "{}: {}", route.operation, answer.body);
            dry.push(route.operation);
        }
        let takes_it = route.queries().any(|name| name == "validate_only");
        assert!(takes_it || status == 400, "{}: {}", route.operation, answer.body);
    }
    for operation in [
        "exports_export_download",
        "identity_api_key_create",
        "identity_api_key_rotate",
        "identity_invitation_issue",
        "identity_invitation_resend",
        "identity_invitation_shred",
        "identity_organization_suspend",
        "identity_user_change_own_password",
        "identity_user_request_email_change",
        "identity_user_set_password",
    ] {
        assert!(dry.contains(&operation), "{operation} was refused, which shows nothing");
    }
    house.api.stop().await;
}

#[tokio::test]
async fn a_parameter_that_no_route_takes_is_refused_on_all_of_them() {
    let house = House::start().await;
    let before = kept(&house.api).await;
    for route in command_api::routes() {
        for (query, code) in [
            ("validate_onyl=true", "PARAMETER_UNKNOWN"),
            ("validate_only=True", "PARAMETER_INVALID"),
            ("validate_only=1", "PARAMETER_INVALID"),
        ] {
            let answer = house.ask(&route, query).await;
            let takes_it = route.queries().any(|name| name == "validate_only");
            let code = if takes_it { code } else { "PARAMETER_UNKNOWN" };
            // What is asked by HEAD is answered without a body.
            if route.method != Method::HEAD {
                assert_eq!(answer.body["code"], code, "{} {query}", route.operation);
            }
            assert_eq!(answer.status, 400, "{} {query}", route.operation);
        }
    }
    assert_eq!(kept(&house.api).await, before);
    house.api.stop().await;
}

#[tokio::test]
async fn a_repeated_fetch_is_answered_with_the_link_of_the_first_and_a_dry_one_with_none() {
    let house = House::start().await;
    let path = format!("/exports/{}/downloads", house.export);
    let once = [("idempotency-key", "once")];
    let fetch = |path: String| {
        let (api, owner) = (&house.api, &house.owner);
        async move { api.with(Method::POST, &path, owner, json!({}), &once).await }
    };
    let dry = house.api.post(&format!("{path}?validate_only=true"), &house.owner, json!({})).await;
    assert_eq!((&dry.body["committed"], &dry.body["url"]), (&json!(false), &Value::Null));
    assert_eq!(dry.body["events"][0]["type"], "exports.export.downloaded");
    let first = fetch(path.clone()).await;
    assert!(first.body["url"].is_string(), "{}", first.body);
    let again = fetch(path).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.body["url"], first.body["url"]);
    assert_eq!(again.body["expires_at"], first.body["expires_at"]);
    assert_eq!(house.api.count("exports.export.downloaded").await, 1);
    house.api.stop().await;
}
