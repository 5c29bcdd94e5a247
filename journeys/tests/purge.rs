//! An organisation is purged by two people after a delay: nothing of it is found any more, its history still proves itself, others
//! are as they were, and no restore brings it back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use journeys::house::Resident;
use journeys::traces::{places, restored};
use journeys::{Client, House};
use platform::chain;
use platform::log::{COLUMNS, recorded};
use reqwest::Method;
use serde_json::{Value, json};

/// Jobs of workers that were killed are waited for, and what waits is tried again at growing intervals.
const SOON: Duration = Duration::from_mins(3);
const DELAY_SECONDS: &str = "3";
/// Part of everything that is known of somebody in the organisation that ends, and of nothing else.
const CANARY: &str = "kanarienvogel";
/// The same in the one that goes on.
const OTHER: &str = "zebrafink";

/// Somebody joins, an export holds them, and the organisation is backed up by itself.
async fn lives(owner: &Client, slug: &str, name: &str) -> anyhow::Result<Client> {
    let somebody = json!({"handle": name, "display_name": format!("Karl {name}"),
        "email": format!("{name}@nest.test")});
    owner.post("/users", &somebody).await?.ok()?;
    let second = owner.newcomer(slug, &format!("second-{name}")).await?;
    // What files are called is free text, which the log keeps; what is in them is not in it.
    let file = "letter.txt";
    owner.upload(&[], (file, "text/plain"), name.as_bytes()).await?.ok()?;
    let part = owner.post("/files/uploads", &json!({"name": file, "size_bytes": 9})).await?.ok()?;
    let to = format!("{}/api/v1/files/uploads/{}", owner.command_url, part.made());
    let headers = [("content-type", "application/offset+octet-stream"), ("upload-offset", "0")];
    owner.stream(Method::PATCH, &to, "half".into(), &headers).await?.ok()?;
    for (path, done) in [("/exports/csv", "/exports/jobs/"), ("/backups", "/backups/")] {
        let body = if done == "/backups/" {
            json!({"name": "own"})
        } else {
            json!({"dataset": "identity.users"})
        };
        let asked = owner.post(path, &body).await?.ok()?;
        let item = format!("{done}{}", asked.made());
        owner.until(&item, SOON, |body| body["status"] == "succeeded").await?;
    }
    Ok(second)
}

/// The second person gets the owner's role, and with it the right to confirm.
async fn made_owner(owner: &Client, second: &Client) -> anyhow::Result<()> {
    let owners = owner.get("/rbac/roles?filter=is_protected=true").await?.ok()?;
    let role = owners.body["items"][0]["role_id"].as_str().context("an owner's role")?;
    let path = format!("/rbac/users/{}/protected-roles/{role}", second.user_id);
    owner.post(&path, &json!({})).await?.ok()?;
    Ok(())
}

/// A backup of the whole installation, as a file.
async fn backed_up(house: &House) -> anyhow::Result<PathBuf> {
    let operator = Client::new(&house.command_url, &house.query_url, &house.bootstrap_token)?;
    operator.post("/installation/backups", &json!({"name": "before"})).await?.ok()?;
    let pool = house.database().await?;
    let stored = "select payload::jsonb ->> 'location' from log.events
        where event_type = 'backups.backup.completed' and tenant_id = '00000000-0000-0000-0000-000000000000'";
    let began = Instant::now();
    loop {
        if let Some(location) =
            sqlx::query_scalar::<_, String>(stored).fetch_optional(&pool).await?
        {
            return Ok(Path::new(house.setting("ANNALS_DATA_DIR")).join(location));
        }
        anyhow::ensure!(began.elapsed() < SOON, "no backup: {}", house.last_words());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One asks, another confirms, a third time is right: what was confirmed is cancelled once on the way.
async fn decided(house: &House, owner: &Client, second: &Client) -> anyhow::Result<()> {
    let path = format!("/organizations/{}/purge", owner.tenant_id);
    let slug = json!({"slug": "acme"});
    assert_eq!(owner.post(&path, &json!({"slug": "globex"})).await?.status, 422);
    let confirm = format!("{path}/confirm");
    assert_eq!(second.post(&confirm, &slug).await?.status, 409, "nobody asked");
    owner.post(&path, &slug).await?.ok()?;
    let refused = owner.post(&confirm, &slug).await?;
    assert_eq!(refused.body["code"], "ORGANIZATION_PURGE_SAME_PERSON", "{}", refused.body);
    second.post(&confirm, &slug).await?.ok()?;
    let run = owner.post(&format!("{path}/run"), &json!({})).await?;
    assert_eq!(run.body["code"], "ORGANIZATION_PURGE_NOT_DUE", "{}", run.body);
    let shred = format!("/organizations/{}/shred", owner.tenant_id);
    assert_eq!(owner.post(&shred, &json!({})).await?.status, 403, "keys are for our workers");
    let cancelled = owner.post(&format!("{path}/cancel"), &json!({})).await?.ok()?;
    let shown = format!("/organizations/{}", owner.tenant_id);
    let organization = owner.get_after(&shown, &cancelled).await?.ok()?;
    assert_eq!(organization.body["purge_effective_at"], Value::Null);
    counted(house, NO_TIMER, 1).await?;

    second.post(&path, &slug).await?.ok()?;
    for admin in [owner, second] {
        let told = |body: &Value| body.to_string().matches("organization_purge").count() >= 4;
        admin.until("/notifications", SOON, told).await?;
    }
    let began = Instant::now();
    let asked_for = "A purge was asked for";
    while house.mail()?.iter().filter(|letter| letter.contains(asked_for)).count() < 2 {
        anyhow::ensure!(began.elapsed() < SOON, "no letter: {}", house.last_words());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let confirmed = owner.post(&confirm, &slug).await?.ok()?;
    let organization = owner.get_after(&shown, &confirmed).await?.ok()?;
    assert_eq!(organization.body["purge_requested_by"], json!(second.user_id));
    assert_eq!(organization.body["purge_confirmed_by"], json!(owner.user_id));
    assert!(organization.body["purge_effective_at"].is_string());
    Ok(())
}

/// Waits until a count in the database is there.
async fn counted(house: &House, sql: &str, count: i64) -> anyhow::Result<()> {
    let (pool, began) = (house.database().await?, Instant::now());
    while sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await? < count {
        anyhow::ensure!(began.elapsed() < SOON, "never {count}: {sql}; {}", house.last_words());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    pool.close().await;
    Ok(())
}

const PURGED: &str =
    "select count(*) from log.events where event_type = 'identity.organization.purged'";
const DONE: &str =
    "select count(*) from work.jobs where kind = 'identity.purge' and state = 'succeeded'";

/// Whether the workers know of the cancellation, and wait for nothing any more.
const NO_TIMER: &str = "select count(*) from work.reactions r
    where r.name = 'identity_purge_due' and not exists (select from work.timers where kind = 'identity.purge')
      and r.position >= (select position from log.events where event_type = 'identity.organization.purge_cancelled')";

/// The workers die where they stand: once with the event in the log, once with the first key gone.
async fn purged(house: &mut House) -> anyhow::Result<()> {
    counted(house, PURGED, 1).await?;
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    let ledger = Path::new(house.setting("ANNALS_DATA_DIR")).join("erasures/ledger.ndjson");
    let began = Instant::now();
    while !ledger.exists() {
        anyhow::ensure!(began.elapsed() < SOON, "not in the ledger: {}", house.last_words());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    house.kill(Resident::Workers)?;
    house.move_in(Resident::Workers)?;
    counted(house, DONE, 1).await
}

/// Tables that keep what they have of a purged organisation: its sealed history, its slug, and what proves the history.
const KEPT: &[&str] = &[
    "audit.checkpoints",
    "audit.notary_states",
    "audit.tree_tiles",
    "log.events",
    "log.streams",
    "log.tenants",
];

/// Asks the catalogue for every table with organisations; the purge itself is a job for a week.
async fn rows_are_gone(house: &House, tenant: &str) -> anyhow::Result<()> {
    let pool = house.database().await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.oid::regclass::text from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
          where c.relkind in ('r', 'p') and not c.relispartition
            and c.relnamespace::regnamespace::text in ('log', 'read', 'audit', 'work', 'secrets')",
    )
    .fetch_all(&pool)
    .await?;
    anyhow::ensure!(tables.len() > 25, "{tables:?}");
    let mut left = Vec::new();
    for table in tables.iter().filter(|table| !KEPT.contains(&table.as_str())) {
        let but = if table == "work.jobs" { "and kind <> 'identity.purge'" } else { "" };
        let count = format!("select count(*) from {table} where tenant_id = '{tenant}' {but}");
        if sqlx::query_scalar::<_, i64>(&count).fetch_one(&pool).await? > 0 {
            left.push(table);
        }
    }
    assert!(left.is_empty(), "something is left in {left:?}");
    for folder in ["blobs", "backups", "scratch/parts"] {
        let folder = Path::new(house.setting("ANNALS_DATA_DIR")).join(folder).join(tenant);
        let files = std::fs::read_dir(&folder).into_iter().flatten().count();
        assert_eq!(files, 0, "{}", folder.display());
    }
    Ok(())
}

/// What was recorded of the organisation stands as it was recorded, sealed, and says that it ended.
async fn proves(house: &House, tenant: &str) -> anyhow::Result<()> {
    let pool = house.database().await?;
    let select = format!(
        "select {COLUMNS} from log.events e where e.tenant_id = '{tenant}' order by e.tenant_seq"
    );
    let mut head = Vec::new();
    let rows = sqlx::query(&select).fetch_all(&pool).await?;
    let mut last = String::new();
    for row in &rows {
        let event = recorded(row)?;
        let link = chain::link(&head, &event);
        anyhow::ensure!(link == event.chain[..], "the chain breaks at {}", event.position);
        head = event.chain;
        last = event.event_type;
    }
    assert_eq!(last, "identity.organization.purged", "nothing follows");
    for command in [&["rebuild", "identity_users"][..], &["rebuild", "audit_trail"], &["prove"]] {
        let output = house.annals(command)?;
        let said =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{command:?}: {said:?}");
    }
    rows_are_gone(house, tenant).await
}

/// Nobody is let in any more, not with what was valid a moment ago either.
async fn is_closed(owner: &Client) -> anyhow::Result<()> {
    let began = Instant::now();
    while owner.get("/me").await?.status == 200 {
        anyhow::ensure!(began.elapsed() < Duration::from_secs(5), "a token outlives its house");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refused = owner.post("/users", &json!({"handle": "x"})).await?;
    assert!(matches!(refused.status, 401 | 403), "{}", refused.body);
    assert!(owner.with_token("").login("acme", "owner").await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_purged_organisation_is_found_nowhere_and_no_restore_brings_it_back() -> anyhow::Result<()>
{
    let mut house = House::empty().await?;
    house.set("ANNALS_PURGE_DELAY_SECONDS", DELAY_SECONDS);
    for resident in Resident::FIVE {
        house.move_in(resident)?;
    }
    house.ready().await?;
    let (owner, other) = (house.found("acme").await?, house.found("globex").await?);
    let second = lives(&owner, "acme", CANARY).await?;
    lives(&other, "globex", OTHER).await?;
    made_owner(&owner, &second).await?;
    let backup = backed_up(&house).await?;
    let before = places(&house, CANARY)?;
    assert!(before.iter().any(|place| place == "read.identity_users"), "{before:?}");
    let others = places(&house, OTHER)?;

    decided(&house, &owner, &second).await?;
    purged(&mut house).await?;
    is_closed(&owner).await?;
    rows_are_gone(&house, &owner.tenant_id).await?;
    assert_eq!(places(&house, CANARY)?, Vec::<String>::new());
    proves(&house, &owner.tenant_id).await?;
    assert_eq!(places(&house, CANARY)?, Vec::<String>::new());
    assert_eq!(places(&house, OTHER)?, others, "the neighbour is as they were");
    other.newcomer("globex", "later").await?;

    restored(&mut house, &backup).await?;
    counted(&house, DONE, 1).await?;
    rows_are_gone(&house, &owner.tenant_id).await?;
    assert_eq!(places(&house, CANARY)?, Vec::<String>::new());
    is_closed(&owner).await?;
    let other = other.with_token("").login("globex", "owner").await?;
    let users = other.get("/users").await?.ok()?;
    assert!(users.text.contains(OTHER), "{}", users.text);
    house.stop().await;
    Ok(())
}
