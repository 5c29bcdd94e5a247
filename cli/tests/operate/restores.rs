//! What comes back from a backup: the house of that moment in a new epoch, its read models the same to the byte.

use std::path::PathBuf;
use std::time::Duration;

use platform::db::{self, Role, locks};
use projectors::{TableDigest, admin};
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::{House, both, client, text};

/// An asset of a unit, used and shared, and a task on it.
async fn kept_up(house: &House, unit: &str) {
    let asset: String = new_id();
    let pump = json!({ "id": asset, "tag": "P-7", "name": "Pump", "unit_id": unit });
    house.send(Method::POST, "/assets", pump).await;
    let read = json!({ "counter": "hours", "value": "12.5" });
    house.send(Method::POST, &format!("/assets/{asset}/usage"), read).await;
    let people = json!({ "with": { "kind": "unit", "id": unit }, "level": "work" });
    let sharing = json!({ "visibility": "unit", "shares": [people] });
    house.send(Method::PUT, &format!("/assets/{asset}/sharing"), sharing).await;
    let user = new_id();
    house.send(Method::POST, "/users", json!({ "id": user, "handle": "mechanic" })).await;
    let task = json!({ "title": "Change the oil", "asset_id": asset, "assignees": [user] });
    house.send(Method::POST, "/tasks", task).await;
    let oil = new_id();
    let once = platform::clock::now() + Duration::from_hours(48);
    let once = once.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let soon = json!({ "id": oil, "asset_id": asset, "title": "Oil", "task": { "title": "Oil" },
        "spec": { "kind": "once", "at": once }, "lead_secs": 3 * 24 * 3_600,
        "modifiers": { "time_zone": "UTC" } });
    house.send(Method::POST, "/advanced-schedules", soon.clone()).await;
    let mut after = soon;
    after["id"] = json!(new_id());
    after["depends_on"] = json!([oil]);
    house.send(Method::POST, "/advanced-schedules", after).await;
}

/// Something of every kind: users, permissions, roles, units, an invitation, settings, a message, a file, comments, an asset, a refusal.
async fn lived_in(house: &House) {
    let matrix = house.file("matrix", "anna 1\nanna 2\nberta 2\ncarla shop.orders:read\n");
    house.json(&["import", "access", text(&matrix)]).await;
    let organization: String = sqlx::query_scalar(
        "select aggregate_id from log.events where event_type = 'identity.organization.created'
           and payload ->> 'slug' = 'acme'",
    )
    .fetch_one(&house.owner)
    .await
    .unwrap();
    let unit = json!({ "id": new_id(), "kind": "department", "code": "W7", "name": "Ward 7" });
    let path = format!("/organizations/{organization}/units");
    let unit_id = unit["id"].as_str().unwrap().to_owned();
    house.send(Method::POST, &path, unit).await;
    access(house, &unit_id).await;
    let guest = json!({ "email": "dora@example.org", "roles": [] });
    house.send(Method::POST, "/invitations", guest).await;
    let gone = new_id();
    house.send(Method::POST, "/users", json!({ "id": gone, "handle": "gone" })).await;
    let left = json!({ "reason": "left" });
    house.send(Method::POST, &format!("/users/{gone}/deactivate"), left).await;
    let in_a_year = platform::clock::now() + Duration::from_hours(365 * 24);
    let program = json!({ "name": "Import", "scope": ["identity.users:read"],
        "expires_at": in_a_year });
    house.send(Method::POST, "/api-keys", program).await;
    let issuer = json!({ "name": "Directory", "issuer": "https://login.example.org",
        "audiences": ["annals"], "algorithms": ["ES256"], "mapping": "subject", "id": gone });
    house.send(Method::POST, "/issuers", issuer).await;
    let breached = json!({ "reason": "breached" });
    house.send(Method::POST, &format!("/issuers/{gone}/suspend"), breached).await;
    let calendar = json!({ "id": new_id(), "name": "Holidays" });
    house.send(Method::POST, "/blackout-calendars", calendar).await;
    let trigger = json!({ "name": "Nightly", "spec": { "kind": "daily", "time": "03:00:00" },
        "modifiers": { "time_zone": "Europe/Berlin" },
        "target": { "command": "backups_backup_request", "args": { "name": "nightly" } } });
    house.send(Method::POST, "/triggers", trigger).await;
    leaves_the_house(house).await;
    kept_up(house, &unit_id).await;
    let upload = json!({ "name": "rows.csv", "size_bytes": 9 });
    house.send(Method::POST, "/files/uploads", upload).await;
    let proof = house.file("proof.txt", "What was agreed on.\n");
    let about = format!("identity.organization:{organization}");
    house.json(&["files", "upload", text(&proof), "--subject", &about]).await;
    let of_all = json!({ "type": "identity.organization", "id": organization });
    let comment = json!({ "id": new_id(), "subject": of_all, "body": "Is it all there?" });
    house.send(Method::POST, "/comments", comment.clone()).await;
    let answer = json!({ "subject": of_all, "body": "It is.", "parent_id": comment["id"] });
    house.send(Method::POST, "/comments", answer).await;
    for (path, body) in [
        ("/settings/exports.kept_hours", json!({ "value": 48 })),
        ("/feature-flags/command_batches", json!({ "enabled": true, "rollout_pct": 25 })),
    ] {
        house.send(Method::PUT, path, body).await;
    }
    let owner = house.token().await;
    let export = json!({ "dataset": "rbac.effective_permissions" });
    let asked = post(house, &owner, "/exports/csv", &export).await;
    let twice = json!({ "handle": "anna" });
    let refused = client()
        .post(format!("{}/api/v1/users", house.settings.command_url))
        .bearer_auth(&owner)
        .json(&twice)
        .send();
    assert_eq!(refused.await.unwrap().status(), 409, "after {asked}");
    house.until("everybody was told", || told_everybody(house)).await;
}

/// What goes out: to a program elsewhere, and as files.
async fn leaves_the_house(house: &House) {
    let hook = json!({ "url": "https://hooks.acme.example/", "events": ["exports.batch.failed"] });
    house.send(Method::POST, "/webhooks", hook).await;
    let template = json!({ "name": "Roles", "dataset": "rbac.roles", "columns": ["name"] });
    house.send(Method::POST, "/exports/templates", template).await;
    let item = json!({ "format": "csv", "export": { "dataset": "rbac.roles" } });
    let batch = json!({ "run_at": "2126-01-01T00:00:00Z", "items": [item] });
    house.send(Method::POST, "/exports/batch", batch).await;
}

/// Two roles that exclude each other, and access to a unit.
async fn access(house: &House, unit_id: &str) {
    let roles = [new_id(), new_id()];
    for (role, name) in roles.iter().zip(["Asks", "Approves"]) {
        let body = json!({ "id": role, "name": name, "permissions": [] });
        house.send(Method::POST, "/rbac/roles", body).await;
    }
    let set = json!({ "name": "Four eyes", "roles": roles, "cardinality": 2 });
    house.send(Method::POST, "/rbac/exclusive-sets", set).await;
    let reader = json!({ "id": new_id(), "name": "Reads units", "code": "unit-read" });
    house.send(Method::POST, "/rbac/roles", reader).await;
    let user = new_id();
    house.send(Method::POST, "/users", json!({ "id": user, "handle": "dieter" })).await;
    let reached = json!({ "handle": "dieter.b", "phone": "+41446681800" });
    house.send(Method::PATCH, &format!("/users/{user}"), reached).await;
    let path = format!("/rbac/users/{user}/plants/{unit_id}");
    house.send(Method::PUT, &path, json!({ "level": "read" })).await;
}

fn new_id() -> String {
    platform::clock::new_id::<uuid::Uuid>().to_string()
}

/// Whether every file and every task of a schedule is made, and every message about files and roles is written.
async fn told_everybody(house: &House) -> bool {
    let waits = "select exists (
        select from log.events e where e.event_type = any ($1) and not exists (
          select from log.events told where told.event_type = $2
             and told.metadata->>'causation_id' = e.event_id::text))";
    let has = async |causes: &[&str], effect: &str| -> bool {
        !sqlx::query_scalar::<_, bool>(waits)
            .bind(causes)
            .bind(effect)
            .fetch_one(&house.owner)
            .await
            .unwrap()
    };
    let told_of = [
        "exports.export.completed",
        "rbac.user_access.role_assigned",
        "rbac.policy.protected_role_granted",
        "maintenance.task.assigned",
    ];
    let planned = "select count(*) from log.events where event_type
        in ('maintenance.plan.occurrence_generated', 'maintenance.plan.occurrence_held_back')";
    let planned: i64 = sqlx::query_scalar(planned).fetch_one(&house.owner).await.unwrap();
    planned == 2
        && has(&["maintenance.plan.occurrence_generated"], "maintenance.task.created").await
        && has(&["scheduling.trigger.completed"], "maintenance.plan.schedule_completed").await
        && has(&["exports.export.requested"], "exports.export.completed").await
        && has(&told_of, "notifications.notification.created").await
}

async fn post(house: &House, token: &str, path: &str, body: &Value) -> Value {
    let url = format!("{}/api/v1{path}", house.settings.command_url);
    let answer = client().post(url).bearer_auth(token).json(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

/// A row of a read model: the model's name, the organisation, the row itself.
type Row = (&'static str, String, String);

/// A backup, and what the read models were at the position that it covers.
struct Kept {
    file: PathBuf,
    position: i64,
    digests: Vec<TableDigest>,
    rows: Vec<Row>,
}

/// Asks for a backup and holds everything still while it is made: the passwords, so that it cannot end, and once a worker is
/// at it the log, so that the read models can be looked at where the backup ends.
async fn kept(house: &House, token: &str, path: &str) -> Kept {
    let mut passwords = house.owner.begin().await.unwrap();
    let lock = "lock table secrets.secrets in access exclusive mode";
    sqlx::query(lock).execute(&mut *passwords).await.unwrap();
    let before = house.count("backups.backup.completed").await;
    post(house, token, path, &json!({ "name": "before the flood" })).await;
    house
        .until("a worker is at it", || async {
            house.count("backups.backup.started").await > before
        })
        .await;
    let mut log = house.owner.begin().await.unwrap();
    let lock = "select pg_advisory_xact_lock($1)";
    sqlx::query(lock).bind(locks::LOG).execute(&mut *log).await.unwrap();
    let position = head(house).await.1;
    let (digests, rows) = (digests(house, position).await, rows(house).await);
    passwords.rollback().await.unwrap();
    log.rollback().await.unwrap();
    house
        .until("the backup is complete", || async {
            house.count("backups.backup.completed").await > before
        })
        .await;
    let (covered, location): (i64, String) = sqlx::query_as(
        "select (payload ->> 'to_position')::bigint, payload ->> 'location' from log.events
          where event_type = 'backups.backup.completed' order by position desc limit 1",
    )
    .fetch_one(&house.owner)
    .await
    .unwrap();
    assert_eq!(
        covered, position,
        "nobody wrote between the worker's start and its look at the log"
    );
    let file = house.settings.data_dir.join(location);
    Kept { file, position, digests, rows }
}

/// The epoch and the position of the log.
async fn head(house: &House) -> (i32, i64) {
    let query = "select epoch, position from log.head";
    sqlx::query_as(query).fetch_one(&house.owner).await.unwrap()
}

/// What every read model is once it stands at `position`, which is the last one.
async fn digests(house: &House, position: i64) -> Vec<TableDigest> {
    let url = &house.settings.database_url;
    let pool = db::connect(url, Role::Projectors, 2).await.unwrap();
    let all = projectors::all();
    house
        .until("every read model is there", || async {
            let stands = admin::list(&pool, &all).await.unwrap();
            stands.iter().all(|model| model.state == "live" && model.position == position)
        })
        .await;
    let digests = admin::digests(&pool, &all).await.unwrap();
    assert_eq!(admin::parked(&pool).await.unwrap(), []);
    pool.close().await;
    assert!(digests.iter().all(|digest| digest.position == position), "{digests:#?}");
    digests
}

/// Every row of every read model.
async fn rows(house: &House) -> Vec<Row> {
    let mut all = Vec::new();
    for projection in projectors::all() {
        let table = projection.table();
        let query = format!(
            "select tenant_id::text, to_jsonb(r)::text from {} r order by 1, 2",
            table.qualified()
        );
        let rows: Vec<(String, String)> =
            sqlx::query_as(&query).fetch_all(&house.owner).await.unwrap();
        all.extend(rows.into_iter().map(|(tenant, row)| (table.name, tenant, row)));
    }
    all
}

/// An empty database, the backup restored into it by the operator's own commands, and the processes started on it.
async fn restored(house: &House, kept: &Kept) -> House {
    let successor = house.successor().await;
    let into = successor.settings.database_url.clone();
    let restore = ["backup", "restore", text(&kept.file), "--into", &into];
    for command in [&["migrate", "up"][..], &restore] {
        let done = successor.annals(command).await;
        assert!(done.status.success(), "{}", both(&done));
    }
    successor.open().await;
    successor
}

/// The answers of both houses differ in nothing that people see: they sign in as before, and what was made is there.
async fn goes_on(house: &House, successor: &House) {
    let old = client()
        .get(format!("{}/api/v1/users", successor.settings.query_url))
        .bearer_auth(successor.token().await)
        .header("consistency-token", consistency_token(house).await)
        .send();
    let old = old.await.unwrap();
    assert_eq!(old.status(), 410, "a token of the old epoch: {}", old.text().await.unwrap());
    let matrix = house.path("matrix");
    let same = successor.json(&["import", "access", text(&matrix), "--verify"]).await;
    assert_eq!(same["exact"], true, "{same}");
    let owner = successor.token().await;
    let export: String = sqlx::query_scalar(
        "select aggregate_id from log.events where event_type = 'exports.export.completed'",
    )
    .fetch_one(&successor.owner)
    .await
    .unwrap();
    let path = format!("/exports/{export}/downloads");
    let link = post(successor, &owner, &path, &json!({})).await;
    let file = client().get(link["url"].as_str().unwrap()).bearer_auth(&owner).send();
    let file = file.await.unwrap().text().await.unwrap();
    assert!(file.contains("anna"), "{file}");
}

/// A consistency token as the house gives it today.
async fn consistency_token(house: &House) -> String {
    let url = format!("{}/api/v1/users", house.settings.query_url);
    let answer = client().get(url).bearer_auth(house.token().await).send().await.unwrap();
    answer.headers()["consistency-token"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_comes_back_in_a_new_epoch_with_the_same_read_models() {
    let house = House::start().await;
    house.with_workers();
    lived_in(&house).await;
    let owner = house.token().await;
    let kept = kept(&house, &owner, "/backups").await;
    // No month of a house this young is old enough to be archived.
    let filled = |digest: &TableDigest| digest.rows > 0 || digest.name == "audit_archives";
    assert!(kept.digests.iter().all(filled), "{:#?}", kept.digests);

    let successor = restored(&house, &kept).await;
    let (epoch, position) = head(&successor).await;
    assert_eq!(position, kept.position);
    assert!(epoch > head(&house).await.0);
    assert_eq!(digests(&successor, position).await, kept.digests);
    let proved = successor.annals(&["prove"]).await;
    assert!(proved.status.success(), "{}", both(&proved));
    goes_on(&house, &successor).await;
    successor.end().await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_comes_back_and_its_workers_tell_nobody_twice() {
    let house = House::start().await;
    house.with_workers();
    lived_in(&house).await;
    house.found("globex").await;
    let globex = house.token_of("globex").await;
    post(&house, &globex, "/users", &json!({ "handle": "anna" })).await;
    house.until("everybody was told", || told_everybody(&house)).await;
    let bootstrap = house.settings.bootstrap_token.clone();
    let kept = kept(&house, &bootstrap, "/installation/backups").await;

    let successor = restored(&house, &kept).await;
    assert_eq!(head(&successor).await, (2, kept.position));
    assert_eq!(digests(&successor, kept.position).await, kept.digests);
    goes_on(&house, &successor).await;
    successor.token_of("globex").await;

    let before = successor.count("notifications.notification.created").await;
    let made = successor.count("exports.export.completed").await;
    successor.with_workers(); // they read the log from its first event, and find the backup unfinished
    successor
        .until("the backup is made again", || async {
            successor.count("backups.backup.completed").await == 1
        })
        .await;
    let idle = "select not exists (select from work.jobs where state in ('queued', 'running'))";
    successor
        .until("the workers are idle", || async {
            sqlx::query_scalar(idle).fetch_one(&successor.owner).await.unwrap()
        })
        .await;
    assert_eq!(successor.count("notifications.notification.created").await, before);
    assert_eq!(successor.count("exports.export.completed").await, made);
    successor.end().await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_leaves_its_neighbours_behind_and_keeps_its_rows() {
    let house = House::start().await;
    house.with_workers();
    house.found("globex").await; // comes between, so that positions change
    lived_in(&house).await;
    let owner = house.token().await;
    let kept = kept(&house, &owner, "/backups").await;
    let successor = restored(&house, &kept).await;
    let (epoch, position) = head(&successor).await;
    assert!(epoch == 2 && position < kept.position);
    digests(&successor, position).await;
    let here = rows(&successor).await;
    let acme = &here[0].1;
    let there: Vec<Row> = kept.rows.into_iter().filter(|(_, tenant, _)| tenant == acme).collect();
    assert_eq!(here, there);
    goes_on(&house, &successor).await;
    successor.end().await;
    house.end().await;
}
