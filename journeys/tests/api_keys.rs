//! A program acts by an API key: within its scope, as itself in the trail, until it is rotated, revoked or over; nobody else finds it.

use std::time::{Duration, Instant};

use journeys::traces::places;
use journeys::{Client, House, Reply, Socket};
use platform::clock;
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const SCOPE: [&str; 4] =
    ["audit.events:read", "exports.files:request", "identity.users:*", "rbac.assignments:assign"];

/// An order for a key, and the program that then has it.
async fn make(owner: &Client, also: &Value) -> anyhow::Result<(Reply, Client)> {
    let mut body = json!({"name": "Stock import", "scope": SCOPE,
        "expires_at": clock::now() + Duration::from_hours(1)});
    for (name, value) in also.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let made = owner.post("/api-keys", &body).await?.ok()?;
    let program = owner.with_token(made.body["token"].as_str().unwrap_or_default());
    Ok((made, program))
}

/// What the program may do: what is in its scope, and no more, although its owner may do everything.
async fn stays_within(owner: &Client, program: &Client) -> anyhow::Result<()> {
    let users = program.get("/users").await?.ok()?;
    assert!(users.text.contains("owner"));
    let done = program.post("/users", &json!({"handle": "robot"})).await?.ok()?;
    let mine = program.get_after("/me/permissions", &done).await?.ok()?;
    assert_eq!(mine.body["everything"], false, "{}", mine.body);
    assert_eq!(mine.body["patterns"], json!(["identity.users:*"]));
    for (reply, permission) in [
        (program.get("/rbac/roles").await?, "rbac.roles:read"),
        (program.get("/audit-logs").await?, "audit.trail:read"),
        (program.post("/rbac/roles", &json!({"name": "Mine"})).await?, "rbac.roles:manage"),
    ] {
        assert_eq!((reply.status, &reply.body["params"]["permission"]), (403, &json!(permission)));
        assert!(reply.text.contains("API key"), "{}", reply.text);
        let challenge = reply.header("www-authenticate");
        assert!(challenge.starts_with(r#"Bearer error="insufficient_scope""#), "{challenge}");
    }
    let check = json!({"permission": "rbac.roles:manage"});
    let reply = program.ask("/rbac/check", &check).await?.ok()?;
    assert_eq!(reply.body["reason"]["missing"][0]["lack"], "beyond_key", "{}", reply.body);
    assert_eq!(owner.ask("/rbac/check", &check).await?.body["allowed"], true);

    // A role that gives more than the scope is not the program's to give.
    let wide = json!({"name": "Wide", "permissions": ["audit.trail:read"]});
    let wide = owner.post("/rbac/roles", &wide).await?.ok()?.made().to_owned();
    let narrow = json!({"name": "Narrow", "permissions": ["identity.users:read"]});
    let narrow = owner.post("/rbac/roles", &narrow).await?.ok()?.made().to_owned();
    let give = |role: &str| json!({"user_id": done.made(), "role_id": role});
    assert_eq!(program.post("/rbac/assign", &give(&wide)).await?.status, 403);
    program.post("/rbac/assign", &give(&narrow)).await?.ok()?;
    // What a file holds is what the key may see: of exports everybody's are beyond it.
    let beyond = program.post("/exports/csv", &json!({"dataset": "audit.trail"})).await?;
    assert_eq!(beyond.status, 403, "{}", beyond.body);
    let asked = program.post("/exports/csv", &json!({"dataset": "identity.users"})).await?.ok()?;
    let job = format!("/exports/jobs/{}", asked.made());
    program.until(&job, SOON, |body| body["status"] == "succeeded").await?;
    program.post(&format!("/exports/{}/downloads", asked.made()), &json!({})).await?.ok()?;
    Ok(())
}

/// What people do themselves.
async fn is_no_person(owner: &Client, program: &Client, key: &str) -> anyhow::Result<()> {
    let body = json!({"name": "x", "scope": SCOPE, "expires_at": clock::now()});
    let password = json!({"password": "correct horse battery staple"});
    let own = json!({"current_password": "x", "new_password": "correct horse battery"});
    let user = format!("/users/{}", owner.user_id);
    for (method, path, body) in [
        (Method::POST, "/api-keys", &body),
        (Method::POST, &format!("{key}/rotate"), &json!({})),
        (Method::PATCH, key, &json!({"name": "x"})),
        (Method::DELETE, key, &json!({})),
        (Method::PUT, &format!("{user}/password"), &password),
        (Method::POST, "/auth/password", &own),
        (Method::POST, "/auth/logout", &json!({})),
        (Method::DELETE, "/sessions", &json!({})),
        (Method::DELETE, &format!("/sessions/{}", owner.user_id), &json!({})),
        (Method::PATCH, "/me", &json!({"display_name": "x"})),
    ] {
        let reply = program.command(method, path, body, &[]).await?;
        assert_eq!((reply.status, &reply.body["code"]), (403, &json!("IN_PERSON_ONLY")), "{path}");
    }
    let email = json!({"email": "mine@example.org"});
    let reply = program.command(Method::PATCH, &user, &email, &[]).await?;
    assert_eq!((reply.status, &reply.body["code"]), (403, &json!("USER_BY_KEY")));
    for path in ["/sessions", "/api-keys", "/notifications"] {
        assert_eq!(program.get(path).await?.status, 403, "{path}");
    }
    assert_eq!(program.ask("/stream-tickets", &json!({})).await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn a_program_acts_within_its_key_and_its_secret_is_nowhere() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let body = json!({"id": clock::new_id::<uuid::Uuid>(), "name": "Stock import", "scope": SCOPE,
        "expires_at": clock::now() + Duration::from_hours(1)});
    let once = [("idempotency-key", "once")];
    let made = owner.command(Method::POST, "/api-keys", &body, &once).await?.ok()?;
    let again = owner.command(Method::POST, "/api-keys", &body, &once).await?.ok()?;
    assert_eq!((made.status, again.header("idempotent-replayed")), (201, "true"));
    let key = made.body["token"].as_str().unwrap_or_default().to_owned();
    assert!(key.starts_with("annals-key.") && again.body["token"].is_null(), "{}", again.body);
    let program = owner.with_token(&key);
    let path = format!("/api-keys/{}", made.made());

    let mut socket = Socket::open(&program).await?;
    socket.subscribe("all").await?;
    program.post("/users", &json!({"handle": "heard"})).await?.ok()?;
    socket.until("ev").await?;
    stays_within(&owner, &program).await?;
    is_no_person(&owner, &program, &path).await?;

    let trail = format!("/audit-logs?api_key_id={}", made.made());
    let seen = |body: &Value| {
        let items = body["items"].as_array().cloned().unwrap_or_default();
        let by_key = |action: &str, status: &str| {
            items.iter().any(|entry| {
                entry["action"] == action
                    && entry["status"] == status
                    && entry["actor_id"] == json!(owner.user_id)
                    && entry["session_id"].is_null()
            })
        };
        by_key("identity.user.registered", "success")
            && by_key("audit.security_log.access_denied", "denied")
    };
    owner.until(&trail, SOON, seen).await?;
    let used = |body: &Value| body["last_used_at"].is_string();
    let shown = owner.until(&path, SOON, used).await?;
    assert_eq!(
        (&shown.body["name"], &shown.body["scope"]),
        (&json!("Stock import"), &json!(SCOPE))
    );
    let secret = key.split('.').nth(3).unwrap_or_default().to_lowercase();
    assert_eq!(places(&house, &secret)?, Vec::<String>::new());
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_key_ends_by_rotation_by_the_clock_and_with_its_owner() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let (made, first) = make(&owner, &json!({})).await?;
    let path = format!("/api-keys/{}/rotate", made.made());
    let mut socket = Socket::open(&first).await?;
    let rotated = owner.post(&path, &json!({"overlap_minutes": 10})).await?.ok()?;
    let second = owner.with_token(rotated.body["token"].as_str().unwrap_or_default());
    for program in [&first, &second] {
        program.get_after("/me", &rotated).await?.ok()?;
    }
    let rotated = owner.post(&path, &json!({})).await?.ok()?;
    let third = owner.with_token(rotated.body["token"].as_str().unwrap_or_default());
    assert_eq!(socket.end().await?, Some(4401));
    third.get_after("/me", &rotated).await?.ok()?;
    third.post("/users", &json!({"handle": "robot"})).await?.ok()?;
    for program in [&first, &second] {
        program.until_status("/me", 401, Instant::now(), SOON).await?;
        assert_eq!(program.post("/users", &json!({"handle": "x"})).await?.status, 401);
    }

    let soon = clock::now() + Duration::from_secs(3);
    let (_, brief) = make(&owner, &json!({"expires_at": soon})).await?;
    brief.get("/me").await?.ok()?;
    let mut socket = Socket::open(&brief).await?;
    assert!(matches!(socket.end().await?, Some(4401 | 4510)));
    assert_eq!((brief.get("/me").await?.status, clock::now() >= soon), (401, true));
    assert_eq!(brief.post("/users", &json!({"handle": "x"})).await?.status, 401);

    // A service account: its key ends with it, and does no more than the account may.
    let service = owner.newcomer("acme", "importer").await?;
    let (_, program) = make(&owner, &json!({"user_id": service.user_id})).await?;
    let me = program.get("/me").await?.ok()?;
    assert!(me.text.contains(&service.user_id));
    assert_eq!(program.get("/users").await?.status, 403, "the account has no role");
    let leave = format!("/users/{}/deactivate", service.user_id);
    let left = owner.post(&leave, &json!({"reason": "replaced"})).await?.ok()?;
    assert_eq!(left.status, 200);
    program.until_status("/me", 401, Instant::now(), SOON).await?;
    assert_eq!(program.post("/users", &json!({"handle": "x"})).await?.status, 401);

    // Whoever may make keys for themselves makes none for others, and none beyond what they may do.
    let maker = json!({"name": "Maker", "permissions": ["identity.api_keys:make"]});
    let maker = owner.post("/rbac/roles", &maker).await?.ok()?.made().to_owned();
    let ben = owner.newcomer("acme", "ben").await?;
    let assign = json!({"user_id": ben.user_id, "role_id": maker});
    owner.post("/rbac/assign", &assign).await?.ok()?;
    let expires_at = clock::now() + Duration::from_hours(1);
    let order = |scope: &str, user: &str| {
        json!({"name": "x", "scope": [scope], "user_id": user,
        "expires_at": expires_at})
    };
    for (scope, user, status, code) in [
        ("identity.api_keys:make", &ben.user_id, 201, Value::Null),
        ("identity.users:read", &ben.user_id, 403, json!("API_KEY_SCOPE_EXCEEDS")),
        ("identity.api_keys:make", &owner.user_id, 403, json!("FORBIDDEN")),
    ] {
        let reply = ben.post("/api-keys", &order(scope, user)).await?;
        assert_eq!((reply.status, &reply.body["code"]), (status, &code), "{}", reply.body);
    }
    house.stop().await;
    Ok(())
}
