//! Reading what is sensitive leaves a record, a report is a file like any other, what followed from a request can be told, and
//! old months are archived before they are dropped.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use journeys::client::Client;
use journeys::{House, Resident, Socket};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn who_read_what_is_sensitive_stands_in_the_trail() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    for _ in 0..3 {
        owner.get("/users?filter=login_failures>=0").await?.ok()?;
    }
    owner.get("/rbac/roles").await?.ok()?;
    owner.get("/audit-logs?limit=2").await?.ok()?;
    owner.get("/events?filter=type=rbac.*").await?.ok()?;
    let replay = format!("{}/api/v1/events/replay?filter=module=rbac", house.query_url);
    owner.bytes(&replay).await?;
    house.end(Resident::QueryApi).await?;

    let pool = house.database().await?;
    let read: Vec<String> = sqlx::query_scalar(
        "select payload::text from log.events where event_type = 'audit.security_log.data_read'
          order by payload ->> 'dataset'",
    )
    .fetch_all(&pool)
    .await?;
    let read: Vec<Value> =
        read.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>()?;
    let names: Vec<_> = read.iter().map(|record| record["dataset"].as_str()).collect();
    assert_eq!(names, [Some("audit.events"), Some("audit.trail"), Some("identity.users")]);
    let users = &read[2];
    assert_eq!(users["reader_id"], owner.user_id.as_str());
    assert_eq!((&users["reads"], &users["rows"]), (&json!(3), &json!(3)));
    assert!(users["filters"][0].as_str().is_some_and(|filter| filter.contains("login_failures")));
    assert!(read[0]["rows"].as_u64().is_some_and(|rows| rows > 3), "{}", read[0]);
    assert_eq!((&read[0]["reads"], &read[0]["filters"][0]), (&json!(2), &json!("(type=rbac.*)")));
    let replayed = read[0]["filters"][1].as_str().unwrap_or_default();
    assert!(replayed.ends_with(" AND (module=rbac)"), "{replayed}");

    house.move_in(Resident::QueryApi)?;
    house.ready().await?;
    let path =
        format!("/audit-logs/user/{}?filter=action=audit.security_log.data_read", owner.user_id);
    let shown =
        owner.until(&path, SOON, |body| body["items"].as_array().map_or(0, Vec::len) == 3).await?;
    let users = |item: &&Value| item["resource_type"] == "identity.users";
    let entry = shown.body["items"].as_array().and_then(|items| items.iter().find(users));
    let entry = entry.context("no entry")?;
    assert_eq!((&entry["module"], &entry["status"]), (&json!("identity"), &json!("success")));
    let access = format!("/rbac/access-logs?count=exact&user_id={}", owner.user_id);
    let logged = owner.get(&access).await?.ok()?.body;
    assert_eq!(logged["page"]["total"]["value"], 3, "{logged}");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn who_was_refused_a_question_stands_in_the_trail_once_and_then_as_a_number()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let anna = owner.newcomer("acme", "anna").await?;
    for _ in 0..5 {
        assert_eq!(anna.get("/rbac/roles").await?.status, 403);
    }
    assert_eq!(anna.get(&format!("/rbac/users/{}/roles", owner.user_id)).await?.status, 403);
    assert_eq!(anna.get("/streams/all").await?.status, 403);
    let mut socket = Socket::open(&anna).await?;
    let all = json!({"type": "sub", "id": "all", "stream": "all", "from": "end"});
    socket.say(&all).await?;
    socket.until("err").await?;
    anna.get("/me").await?.ok()?;

    // The first of each is there soon, their number when the minute is over or the process ends.
    let path =
        format!("/audit-logs?limit=100&filter=status=denied AND actor_id=\"{}\"", anna.user_id);
    let items = |body: &Value| body["items"].as_array().cloned().unwrap_or_default();
    owner.until(&path, SOON, |body| items(body).len() == 4).await?;
    house.end(Resident::QueryApi).await?;
    house.move_in(Resident::QueryApi)?;
    house.ready().await?;
    let shown = owner.until(&path, SOON, |body| items(body).len() == 5).await?;
    let mut seen: Vec<(String, String)> = Vec::new();
    for item in items(&shown.body) {
        assert_eq!(item["action"], "audit.security_log.access_denied", "{item}");
        assert_eq!((&item["actor_kind"], item["ip"].is_null()), (&json!("user"), true), "{item}");
        assert!(item["session_id"].is_string(), "{item}");
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        seen.push((text("command"), text("resource_type")));
    }
    seen.sort();
    let seen: Vec<(&str, &str)> = seen.iter().map(|(a, b)| (&**a, &**b)).collect();
    let expected = [
        ("audit_stream", "audit.events:read"),
        ("audit_streams", "audit.events:read"),
        ("rbac_roles", "rbac.roles:read"),
        ("rbac_roles", "rbac.roles:read"),
        ("rbac_user_roles", "rbac.assignments:read"),
    ];
    assert_eq!(seen, expected);
    assert!(shown.text.contains("; 4 more such requests within a minute"), "{}", shown.text);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_was_read_and_what_was_refused_belongs_to_the_story_of_its_request()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let anna = owner.newcomer("acme", "anna").await?;
    let asks = async |client: &Client, path: &str, story: &str| {
        let url = format!("{}/api/v1{path}", client.query_url);
        client.send(Method::GET, &url, None, &[("correlation-id", story)]).await
    };
    for story in ["refused-1", "refused-2"] {
        assert_eq!(asks(&anna, "/rbac/roles", story).await?.status, 403);
    }
    for story in ["reading-1", "reading-2"] {
        asks(&owner, "/users?filter=login_failures>=0", story).await?.ok()?;
    }
    house.end(Resident::QueryApi).await?;
    house.move_in(Resident::QueryApi)?;
    house.ready().await?;
    for (story, action, entries) in [
        ("refused-1", "audit.security_log.access_denied", 2), // the first, and how many came after it
        ("reading-1", "audit.security_log.data_read", 1),
    ] {
        let path = format!("/audit-logs/correlation/{story}");
        let all = |body: &Value| {
            body["items"].as_array().is_some_and(|items| {
                items.len() == entries && items.iter().all(|item| item["action"] == action)
            })
        };
        owner.until(&path, SOON, all).await?;
    }
    assert_eq!(owner.get("/audit-logs/correlation/refused-2").await?.status, 404);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_report_is_made_fetched_and_followed_back_to_who_asked() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let report =
        json!({"format": "csv", "filter": "module = identity", "to": "2999-01-01T00:00:00Z"});
    let asked = owner.post("/audit-logs/report", &report).await?.ok()?;
    let path = format!("/exports/jobs/{}", asked.made());
    owner.until(&path, SOON, |body| body["status"] == "succeeded").await?;
    let link =
        owner.post(&format!("/exports/{}/downloads", asked.made()), &json!({})).await?.ok()?;
    let file = owner.bytes(link.body["url"].as_str().unwrap_or_default()).await?;
    let file = String::from_utf8(file)?;
    assert!(file.contains("identity.user.registered") && !file.contains("rbac.policy"), "{file}");

    let wrong =
        json!({"format": "csv", "from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"});
    assert_eq!(owner.post("/audit-logs/report", &wrong).await?.status, 422);
    let anna = owner.newcomer("acme", "anna").await?;
    assert_eq!(anna.post("/audit-logs/report", &report).await?.status, 403);

    let filter =
        format!("/audit-logs?action=exports.export.requested&aggregate_id={}", asked.made());
    let found = owner.until(&filter, SOON, |body| !body["items"][0].is_null()).await?;
    let correlation =
        found.body["items"][0]["correlation_id"].as_str().context("no correlation")?;
    let began = Instant::now();
    let tree = loop {
        let tree = owner.get(&format!("/audit-logs/correlation/{correlation}")).await?.ok()?;
        let told = |item: &Value| item["action"] == "notifications.notification.created";
        if tree.body["items"].as_array().is_some_and(|items| items.iter().any(told)) {
            break tree.body;
        }
        anyhow::ensure!(began.elapsed() < SOON, "{}", tree.body);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let shown: Vec<(&str, i64)> = tree["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            (item["action"].as_str().unwrap_or_default(), item["depth"].as_i64().unwrap_or(-1))
        })
        .collect();
    assert_eq!(shown[0], ("exports.export.requested", 0));
    assert!(shown.contains(&("exports.export.started", 1)), "{shown:?}");
    assert!(shown.contains(&("exports.export.completed", 1)), "{shown:?}");
    assert!(shown.contains(&("notifications.notification.created", 2)), "{shown:?}");
    assert_eq!(owner.get("/audit-logs/correlation/nothing").await?.status, 404);

    let verified = owner.get("/audit-logs/verify").await?.ok()?.body;
    assert_eq!((&verified["intact"], &verified["fault"]), (&json!(true), &Value::Null));
    assert_eq!(verified["events"], verified["last_seq"]);
    house.stop().await;
    Ok(())
}

/// A house with an organisation to whose log somebody did this before anybody but its APIs had seen it; its database and owner.
async fn founded_and_then(done: &str) -> anyhow::Result<(House, PgPool, Client)> {
    let mut house = House::empty().await?;
    house.move_in(Resident::CommandApi)?;
    house.move_in(Resident::QueryApi)?;
    house.ready().await?;
    house.found("acme").await?;
    let pool = house.database().await?;
    sqlx::raw_sql(done).execute(&pool).await?;
    for resident in [Resident::Relay, Resident::Projectors, Resident::Workers] {
        house.move_in(resident)?;
    }
    let anybody = Client::new(&house.command_url, &house.query_url, "")?;
    let owner = anybody.login("acme", "owner").await?;
    Ok((house, pool, owner))
}

/// Somebody changed an event.
const TAMPERED: &str = "set session_replication_role = replica;
    update log.events set metadata = (metadata::text || ' ')::json where tenant_seq = 2;
    set session_replication_role = default";

#[tokio::test]
async fn administrators_are_told_once_that_the_log_was_tampered_with() -> anyhow::Result<()> {
    let (house, pool, owner) = founded_and_then(TAMPERED).await?;
    let told = |body: &Value| body["items"].as_array().is_some_and(|items| !items.is_empty());
    let path = "/notifications?priority=critical";
    let shown = owner.until(path, Duration::from_mins(1), told).await?;
    let items = shown.body["items"].as_array().context("no items")?;
    assert_eq!((items.len(), &items[0]["kind"]), (1, &json!("security")), "{}", shown.text);
    assert!(shown.text.contains("from event 2 on"), "{}", shown.text);
    let refusals: i64 = sqlx::query_scalar(
        "select count(*) from log.events where event_type = 'audit.ledger.signing_refused'",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!(refusals, 1);
    house.stop().await;
    Ok(())
}

/// Everything so far happened two months ago, and the chain says so.
const LONG_AGO: &str = "
    set session_replication_role = replica;
    update log.events set recorded_at = recorded_at - interval '70 days';
    do $$ declare e record; head bytea := '\\x'; begin
      for e in select * from log.events order by position loop
        head := log.link(head, '\\x',
          int8send(e.tenant_seq) || int8send(e.sequence) || int8send((extract(epoch from e.recorded_at) * 1000000)::bigint),
          log.digest(e.tenant_id, e.aggregate_type, e.aggregate_id, e.event_id, e.event_type, e.event_version,
            e.metadata::text, e.payload::text));
        update log.events set chain = head where position = e.position;
      end loop;
      update log.tenants set chain = head;
    end $$;
    set session_replication_role = default";

#[tokio::test]
async fn an_old_month_is_archived_when_it_is_sealed_and_dropped_when_it_is_archived()
-> anyhow::Result<()> {
    let (house, pool, owner) = founded_and_then(LONG_AGO).await?;
    let old: i64 = sqlx::query_scalar(
        "select count(*) from log.events where recorded_at < now() - interval '40 days'",
    )
    .fetch_one(&pool)
    .await?;
    assert!(old > 0);
    let month: String = sqlx::query_scalar(
        "select to_char(min(recorded_at) at time zone 'UTC', 'YYYY-MM-\"01\"') from log.events",
    )
    .fetch_one(&pool)
    .await?;
    let drop = format!("/audit-logs/archives/{month}/drop");
    let refused = owner.post(&drop, &json!({})).await?;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("AUDIT_NOT_ARCHIVED")));

    let this_month =
        platform::clock::now().to_zoned(jiff::tz::TimeZone::UTC).date().first_of_month();
    owner.post("/audit-logs/archive", &json!({"older_than": this_month})).await?.ok()?;
    let limit = Duration::from_mins(1);
    let archived = |body: &Value| !body["items"][0].is_null();
    let listed = owner.until("/audit-logs/archives", limit, archived).await?.body;
    let archive = &listed["items"][0];
    assert_eq!((&archive["month"], &archive["rows"]), (&json!(month), &json!(old)));
    assert_eq!(owner.get("/audit-logs/verify").await?.ok()?.body["intact"], true);

    owner.post(&drop, &json!({})).await?.ok()?;
    owner
        .until("/audit-logs/archives", SOON, |body| !body["items"][0]["dropped_at"].is_null())
        .await?;
    let left = format!("/audit-logs?count=exact&filter=at<{}", "now-40d");
    owner.until(&left, SOON, |body| body["page"]["total"]["value"] == 0).await?;
    let proved = house.annals(&["prove"])?;
    assert!(proved.status.success(), "{}", String::from_utf8_lossy(&proved.stdout));
    restored(&house, &owner, (&month, archive["file_id"].as_str().unwrap_or_default())).await?;
    house.stop().await;
    Ok(())
}

/// An archived month comes back, as often as it is asked for and only as it was archived, and goes again.
async fn restored(
    house: &House,
    owner: &Client,
    (month, file): (&str, &str),
) -> anyhow::Result<()> {
    let tenant = owner.tenant_id.as_str();
    let ask = ["audit", "restore", month, "--tenant", tenant];
    let count = async || -> anyhow::Result<Value> {
        let listed = owner.get("/audit-logs/restored?count=exact").await?.ok()?;
        Ok(listed.body["page"]["total"]["value"].clone())
    };
    assert_eq!(count().await?, 0);
    for _ in 0..2 {
        let done = house.annals(&ask)?;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let archives = owner.get("/audit-logs/archives").await?.ok()?;
    assert_eq!(count().await?, archives.body["items"][0]["rows"]);
    let first = owner.get("/audit-logs/restored?sort=tenant_seq&limit=1").await?.ok()?;
    assert_eq!(first.body["items"][0]["tenant_seq"], 1, "{}", first.text);

    let stored = find(&house.files(), file).context("the archive is no file")?;
    let whole = std::fs::read(&stored)?;
    std::fs::write(&stored, &whole[..whole.len() - 1])?;
    let refused = house.annals(&ask)?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("not what was archived"), "{said}");
    assert_eq!(count().await?, archives.body["items"][0]["rows"], "what was there stays");
    std::fs::write(&stored, whole)?;
    let removed = house.annals(&[&ask[..], &["--remove"]].concat())?;
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    assert_eq!(count().await?, 0);
    Ok(())
}

/// The file of that name, somewhere below a folder.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries.map(|entry| entry.path()).find_map(|path| {
        if path.is_dir() {
            return find(&path, name);
        }
        let found = path.file_name().is_some_and(|it| it.to_string_lossy().contains(name));
        found.then_some(path)
    })
}
