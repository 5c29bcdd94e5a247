//! Every route of both committed OpenAPI documents, visited by those who may not and with what it does not take: each refusal
//! is a problem of the catalogue, nothing fails on our side, nothing of another organisation comes out, and browsers keep nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use journeys::client::{Client, Reply};
use journeys::house::House;
use platform::{codes, problem};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
/// Stands in everything that the first organisation keeps, and in nothing else.
const SECRET: &str = "zebrafish";
const OVERSIZE_BYTES: usize = (1 << 20) + 1;
/// These end the sessions of whoever calls, and with them the visit.
const SIGNS_OUT: &[&str] = &["identity_session_end", "identity_user_end_sessions"];

/// Commands that need no permission, so that nobody can be refused them for want of one: what they do leaves its own events,
/// and all but those behind a dash do something that is one. A command that is not here must leave its refusal in the trail.
const UNGUARDED: &[&str] = &[
    "audit_commands_batch", // - has others carried out
    "backups_backup_request_everything",
    "exports_job_cancel",
    "exports_job_retry",
    "identity_api_key_rename",
    "identity_api_key_revoke",
    "identity_api_key_rotate",
    "identity_invitation_accept",
    "identity_organization_create",
    "identity_organization_reactivate",
    "identity_organization_suspend",
    "identity_service_token", // - gives a token out
    "identity_session_end",
    "identity_session_exchange",
    "identity_session_refresh",
    "identity_session_revoke",
    "identity_session_start",
    "identity_user_change_own_password",
    "identity_user_change_own_profile",
    "identity_user_confirm_email_change",
    "identity_user_end_sessions",
    "identity_user_link_own_identity",
    "identity_user_request_email_change",
    "identity_user_request_password_reset",
    "identity_user_reset_password",
    "identity_user_unlink_own_identity",
    "maintenance_asset_change",
    "maintenance_asset_move",
    "maintenance_asset_record_usage",
    "maintenance_asset_reset_counter",
    "maintenance_asset_retire",
    "maintenance_asset_set_sharing",
    "maintenance_task_add_subtask",
    "maintenance_task_attach_photo",
    "maintenance_task_block",
    "maintenance_task_cancel",
    "maintenance_task_change",
    "maintenance_task_change_subtask",
    "maintenance_task_complete",
    "maintenance_task_complete_subtask",
    "maintenance_task_confirm",
    "maintenance_task_define_requirements",
    "maintenance_task_detach_photo",
    "maintenance_task_record_criterion",
    "maintenance_task_remove_subtask",
    "maintenance_task_reopen",
    "maintenance_task_reopen_subtask",
    "maintenance_task_reschedule",
    "maintenance_task_set_assignees",
    "maintenance_task_set_prerequisites",
    "maintenance_task_start",
    "maintenance_task_tick",
    "notifications_notification_delete",
    "notifications_notification_mark_read",
    "settings_configuration_set_own_setting",
    "settings_configuration_unsubscribe",
    "settings_configuration_unset_own_setting",
];

/// One route as it is documented.
#[expect(clippy::struct_excessive_bools, reason = "the document says so many things of a route")]
struct Route {
    operation: String,
    method: Method,
    path: String,
    /// Whether it is for anybody, for the bootstrap token, or for who signed in.
    security: Security,
    permission: bool,
    has_body: bool,
    /// Whether it is refused without the version that the caller decided on.
    needs_version: bool,
    of_commands: bool,
    is_alias: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Security {
    Anybody,
    Bootstrap,
    SignedIn,
}

fn documented() -> Vec<Route> {
    let mut routes = Vec::new();
    for (file, of_commands) in [("openapi-command.json", true), ("openapi-query.json", false)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(file);
        let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let security = match operation["security"].as_array().map(Vec::as_slice) {
                    None => Security::SignedIn,
                    Some([]) => Security::Anybody,
                    Some([way]) if way["bearer"].is_array() => Security::SignedIn,
                    Some(_) => Security::Bootstrap,
                };
                routes.push(Route {
                    operation: operation["operationId"].as_str().unwrap().to_owned(),
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    security,
                    permission: operation["x-permission"].is_string(),
                    has_body: operation["requestBody"]["content"]["application/json"].is_object(),
                    needs_version: needs_version(operation),
                    of_commands,
                    is_alias: operation["x-alias-of"].is_string(),
                });
            }
        }
    }
    routes
}

fn needs_version(operation: &Value) -> bool {
    let mut parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.any(|parameter| parameter["name"] == "If-Match" && parameter["required"] == true)
}

/// What the visits ask about, by the name of the parameter.
type Known = BTreeMap<&'static str, String>;

impl Route {
    /// The path with ids of the first organisation.
    fn filled(&self, known: &Known) -> String {
        let part = |part: &str| {
            let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
                return part.to_owned();
            };
            let collection = self.path.trim_start_matches("/api/v1/").split('/').next();
            let name = if name == "id" { collection.unwrap_or_default() } else { name };
            known.get(name).unwrap_or(&known["any"]).clone()
        };
        self.path.split('/').map(part).collect::<Vec<_>>().join("/")
    }
}

/// Somebody on a visit, and everything found wrong.
struct Visits<'a> {
    house: &'a House,
    known: Known,
    codes: BTreeMap<&'static str, u16>,
    /// Whether the visits say what version they know.
    versioned: bool,
    wrong: Vec<String>,
}

impl Visits<'_> {
    async fn visit(&mut self, route: &Route, client: &Client, body: Option<&str>) -> Reply {
        let base = if route.of_commands { &self.house.command_url } else { &self.house.query_url };
        let url = format!("{base}{}", route.filled(&self.known));
        let headers: &[_] = if self.versioned { &[("if-match", "\"0\"")] } else { &[] };
        let reply = client.raw(route.method.clone(), &url, body, headers).await;
        let reply = reply.unwrap_or_else(|error| panic!("{}: {error:#}", route.operation));
        self.judge(route, &reply);
        reply
    }

    /// What holds for every answer whatever was sent.
    fn judge(&mut self, route: &Route, reply: &Reply) {
        let mut wrong = |what: String| {
            self.wrong
                .push(format!("{}: {what}: {} {}", route.operation, reply.status, reply.body));
        };
        if reply.status >= 500 {
            wrong("failed".into());
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ] {
            if reply.header(name) != value {
                wrong(format!("has no {name}: {value}"));
            }
        }
        let kept = reply.header("cache-control");
        if !kept.contains("no-store") && (!kept.contains("private") || reply.status >= 400) {
            wrong(format!("may be kept: {kept}"));
        }
        // An answer to HEAD has no body to look into.
        if reply.status >= 400 && route.method != Method::HEAD {
            if reply.header("content-type") != "application/problem+json" {
                wrong("is no problem".into());
            }
            let code = reply.body["code"].as_str().unwrap_or_default();
            match self.codes.get(code) {
                None => wrong(format!("{code} is not in the catalogue")),
                Some(status) if *status != reply.status => wrong(format!("{code} means {status}")),
                Some(_) => {}
            }
            let kind = reply.body["type"].as_str().unwrap_or_default();
            if !kind.ends_with(&problem::slug(code)) {
                wrong(format!("{kind} is not the page of its code"));
            }
            if !reply.body["trace_id"].is_string() || !reply.body["instance"].is_string() {
                wrong("cannot be traced".into());
            }
        }
    }

    fn expect(&mut self, route: &Route, reply: &Reply, case: &str, statuses: &[u16]) {
        if !statuses.contains(&reply.status) {
            let Reply { status, body, .. } = reply;
            self.wrong.push(format!("{} {case}: {status} {body}", route.operation));
        }
    }
}

/// An asset and a task on it, by their ids.
async fn upkeep(owner: &Client) -> anyhow::Result<(String, String)> {
    let asset = json!({"tag": SECRET, "name": SECRET});
    let asset = owner.post("/assets", &asset).await?.ok()?.made().to_owned();
    let task = json!({"title": SECRET, "asset_id": asset});
    let task = owner.post("/tasks", &task).await?.ok()?.made().to_owned();
    Ok((asset, task))
}

/// An organisation whose every record carries the secret.
async fn furnish(owner: &Client) -> anyhow::Result<Known> {
    let mut known = Known::from([
        ("any", uuid::Uuid::from_u128(7).to_string()),
        ("user_id", owner.user_id.clone()),
        ("users", owner.user_id.clone()),
        ("user", owner.user_id.clone()),
        ("organizations", owner.tenant_id.clone()),
        ("organization_id", owner.tenant_id.clone()),
        ("permission", "audit.trail:read".to_owned()),
        ("key", "exports.kept_hours".to_owned()),
        ("flag", "command_batches".to_owned()),
        ("*stream", "all".to_owned()),
        ("stream", "all".to_owned()),
        ("size", "1".to_owned()),
        ("index", "1".to_owned()),
        ("aggregate_type", "identity.user".to_owned()),
        ("aggregate_id", owner.user_id.clone()),
    ]);
    let role =
        json!({"name": SECRET, "code": SECRET, "level": 5, "permissions": ["audit.trail:read"]});
    let role = owner.post("/rbac/roles", &role).await?.ok()?;
    let role_id = role.header("location").rsplit('/').next().unwrap_or_default().to_owned();
    let user = owner.post("/users", &json!({"handle": SECRET})).await?.ok()?.made().to_owned();
    let invited = json!({"email": format!("{SECRET}@example.org")});
    let invited = owner.post("/invitations", &invited).await?.ok()?.made().to_owned();
    let issuer = json!({"name": SECRET, "issuer": format!("https://{SECRET}.example.org"),
        "audiences": [SECRET], "algorithms": ["ES256"], "mapping": "subject"});
    let issuer = owner.post("/issuers", &issuer).await?.ok()?.made().to_owned();
    let export = json!({"dataset": "rbac.roles", "title": SECRET});
    let export = owner.post("/exports/csv", &export).await?.ok()?.made().to_owned();
    let template = json!({"name": SECRET, "dataset": "rbac.roles", "columns": ["name"]});
    let template = owner.post("/exports/templates", &template).await?.ok()?.made().to_owned();
    let calendar = json!({"name": SECRET});
    let calendar = owner.post("/blackout-calendars", &calendar).await?.ok()?.made().to_owned();
    let trigger = json!({"name": SECRET, "spec": {"kind": "daily", "time": "09:00:00"},
        "modifiers": {"time_zone": "UTC"},
        "target": {"command": "backups_backup_request", "args": {"name": "nightly"}}});
    let trigger = owner.post("/triggers", &trigger).await?.ok()?.made().to_owned();
    let file = json!({"name": SECRET, "size_bytes": 10});
    let file = owner.post("/files/uploads", &file).await?.ok()?.made().to_owned();
    let (asset, task) = upkeep(owner).await?;
    let subject = json!({"type": "rbac.role", "id": role_id});
    let comment = json!({"subject": subject, "body": SECRET});
    let comment = owner.post("/comments", &comment).await?.ok()?.made().to_owned();
    let hook = json!({"url": "https://hooks.acme.example/", "events": ["exports.batch.failed"],
        "description": SECRET});
    let hook = owner.post("/webhooks", &hook).await?.ok()?.made().to_owned();
    for (names, id) in [
        (&["file_id", "files"][..], file),
        (&["asset_id", "assets"], asset),
        (&["task_id", "tasks", "task-enhancements"], task),
        (&["comment_id", "comments"], comment),
        (&["endpoint_id", "webhooks"], hook),
        (&["role_id", "roles", "junior_id"], role_id),
        (&["user_id", "users"], user),
        (&["invitation_id", "invitations"], invited),
        (&["issuer_id", "issuers"], issuer),
        (&["export_id", "exports", "jobs"], export),
        (&["template_id", "templates"], template),
        (&["blackout_calendar_id", "blackout-calendars"], calendar),
        (&["trigger_id", "triggers"], trigger),
    ] {
        for name in names {
            known.insert(name, id.clone());
        }
    }
    Ok(known)
}

#[tokio::test]
async fn every_documented_route_refuses_as_documented() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("first").await?;
    let known = furnish(&owner).await?;
    let stranger = house.found("second").await?;
    let lower = owner.newcomer("first", "lower").await?;
    let nobody = owner.with_token("");
    let founder = owner.with_token(&house.bootstrap_token);
    let codes = codes::all().into_iter().map(|code| (code.code, code.status)).collect();
    let mut visits = Visits { house: &house, known, codes, versioned: false, wrong: Vec::new() };
    let oversize = format!("\"{}\"", "x".repeat(OVERSIZE_BYTES));
    let mut visited = 0;
    for route in documented() {
        visited += 1;
        let reply = visits.visit(&route, &nobody, route.has_body.then_some("{}")).await;
        if route.security != Security::Anybody {
            visits.expect(&route, &reply, "without a token", &[401]);
        }
        if SIGNS_OUT.contains(&route.operation.as_str()) {
            continue;
        }
        let reply = visits.visit(&route, &stranger, route.has_body.then_some("{}")).await;
        if reply.text.contains(SECRET) {
            visits.wrong.push(format!("{} shows another organisation", route.operation));
        }
        let reply = visits.visit(&route, &lower, route.has_body.then_some("{}")).await;
        if route.permission {
            visits.expect(&route, &reply, "by a lower role", &[403]);
        }
        if !route.has_body {
            continue;
        }
        let client = if route.security == Security::Bootstrap { &founder } else { &owner };
        if route.needs_version {
            let reply = visits.visit(&route, client, Some("{}")).await;
            visits.expect(&route, &reply, "without a version", &[428]);
        }
        visits.versioned = route.needs_version;
        let reply = visits.visit(&route, client, Some("{")).await;
        visits.expect(&route, &reply, "with half a body", &[400]);
        let reply = visits.visit(&route, client, Some(r#"{"zebrafish":1}"#)).await;
        visits.expect(&route, &reply, "with an unknown member", &[422]);
        let reply = visits.visit(&route, client, Some(&oversize)).await;
        visits.expect(&route, &reply, "with too large a body", &[413]);
        visits.versioned = false;
    }
    assert!(visited > 100, "only {visited} routes are documented");
    every_command_left_a_trace(&owner, &lower).await?;
    let count = visits.wrong.len();
    assert_eq!(count, 0, "of {visited} routes: {:#?}\n{}", visits.wrong, house.last_words());
    house.stop().await;
    Ok(())
}

/// The lower role was refused every command that needs a permission: each must stand in the trail, under its name.
async fn every_command_left_a_trace(owner: &Client, lower: &Client) -> anyhow::Result<()> {
    let commands = documented().into_iter().filter(|route| route.of_commands && !route.is_alias);
    let (guarded, unguarded): (Vec<Route>, Vec<Route>) =
        commands.partition(|route| route.permission);
    let unguarded: BTreeSet<String> = unguarded.into_iter().map(|route| route.operation).collect();
    let known: BTreeSet<String> = UNGUARDED.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(
        unguarded, known,
        "a command without a permission must be known to leave its events"
    );
    let path = format!(
        "/audit-logs?limit=500&fields=tenant_seq,command&filter=status=denied AND actor_id=\"{}\"",
        lower.user_id
    );
    let missing = |body: &Value| -> Vec<String> {
        let entries = body["items"].as_array().into_iter().flatten();
        let seen: BTreeSet<&str> = entries.filter_map(|entry| entry["command"].as_str()).collect();
        let names = guarded.iter().map(|route| route.operation.clone());
        names.filter(|name| !seen.contains(name.as_str())).collect()
    };
    let trail = owner.until(&path, SOON, |body| missing(body).is_empty()).await;
    let trail = trail.with_context(|| "not every command left its refusal in the trail")?;
    assert_eq!(missing(&trail.body), Vec::<String>::new());
    Ok(())
}
