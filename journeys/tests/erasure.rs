//! Somebody is erased: what was personal is found nowhere any more, every proof still holds, and no restore brings it back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use journeys::client::PASSWORD;
use journeys::socket::Heard;
use journeys::traces::{contains, places, restored};
use journeys::{Client, House, Socket};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
/// Part of everything that is known of the canary, and of nothing else.
const CANARY: &str = "kanarienvogel";
const BROWSER: (&str, &str) = ("user-agent", "Kanarienvogel-Browser/7");

/// The canary is invited, joins, does this and that, is refused something, exported and backed up.
async fn lives(house: &House, owner: &Client) -> anyhow::Result<Canary> {
    let invite =
        json!({"email": format!("{CANARY}@nest.test"), "message": format!("Dear {CANARY}!")});
    let issued = owner.post("/invitations", &invite).await?.ok()?;
    let nobody = owner.with_token("");
    let accept = json!({"token": issued.body["token"], "handle": format!("{CANARY}7"),
        "display_name": format!("Karl {CANARY}"), "password": PASSWORD});
    let post = Method::POST;
    nobody.command(post.clone(), "/invitations/accept", &accept, &[BROWSER]).await?.ok()?;
    let login =
        json!({"organization": "acme", "login": format!("{CANARY}7"), "password": PASSWORD});
    let session = nobody.command(post.clone(), "/auth/login", &login, &[BROWSER]).await?.ok()?;
    let text = |name: &str| session.body[name].as_str().unwrap_or_default().to_owned();
    let them = nobody.with_token(&text("access_token"));
    let refused = them.command(post, "/users", &json!({"handle": "x"}), &[BROWSER]).await?.status;
    assert_eq!(refused, 403);
    let user_id = text("user_id");
    let rename = json!({"display_name": format!("Karla {CANARY}")});
    owner.command(Method::PATCH, &format!("/users/{user_id}"), &rename, &[]).await?.ok()?;
    let comment = comments(owner, &them, &user_id).await?;
    let asked = owner.post("/exports/csv", &json!({"dataset": "identity.users"})).await?.ok()?;
    let export = format!("/exports/jobs/{}", asked.made());
    owner.until(&export, SOON, |body| body["status"] == "succeeded").await?;
    let trail = json!({"dataset": "audit.trail"});
    let asked = owner.post("/exports/csv", &trail).await?.ok()?;
    let trail = format!("/exports/jobs/{}", asked.made());
    owner.until(&trail, SOON, |body| body["status"] == "succeeded").await?;
    let asked = owner.post("/backups", &json!({"name": "before"})).await?.ok()?;
    let backup = format!("/backups/{}", asked.made());
    owner.until(&backup, SOON, |body| body["status"] == "succeeded").await?;
    let location: String = sqlx::query_scalar(
        "select payload::jsonb ->> 'location' from log.events where event_type = 'backups.backup.completed'",
    )
    .fetch_one(&house.database().await?)
    .await?;
    let backup = Path::new(house.setting("ANNALS_DATA_DIR")).join(location);
    Ok(Canary { user_id, invitation_id: issued.made().to_owned(), comment, export, backup })
}

/// The canary says something of itself, and says it again in other words.
async fn comments(owner: &Client, them: &Client, user_id: &str) -> anyhow::Result<String> {
    let role = json!({"name": "Talks", "permissions": ["collaboration.comments:use"]});
    let role = owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned();
    let assigned = json!({"user_id": user_id, "role_id": role});
    owner.post("/rbac/assign", &assigned).await?.ok()?;
    let subject = json!({"type": "identity.user", "id": user_id});
    let said = json!({"subject": subject, "body": format!("@owner, I am a {CANARY}.")});
    let comment = them.post("/comments", &said).await?.ok()?.made().to_owned();
    let path = format!("/comments/{comment}");
    let other = json!({"body": format!("@owner, I am the {CANARY}.")});
    let edited = them.command(Method::PATCH, &path, &other, &[]).await?.ok()?;
    let shown = owner.get_after(&path, &edited).await?.ok()?;
    assert_eq!(shown.body["body"], other["body"], "opened while they are known");
    Ok(path)
}

struct Canary {
    user_id: String,
    invitation_id: String,
    comment: String,
    export: String,
    backup: PathBuf,
}

/// Waits until so many keys were deleted for good.
async fn shredded(house: &House, count: i64) -> anyhow::Result<()> {
    let (pool, began) = (house.database().await?, Instant::now());
    let done =
        "select count(*) from work.jobs where kind = 'identity.shred' and state = 'succeeded'";
    while sqlx::query_scalar::<_, i64>(done).fetch_one(&pool).await? < count {
        anyhow::ensure!(began.elapsed() < SOON, "nobody is forgotten: {}", house.last_words());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    pool.close().await;
    Ok(())
}

async fn erases(house: &House, owner: &Client, canary: &Canary) -> anyhow::Result<()> {
    let user = format!("/users/{}", canary.user_id);
    let erase = |handle: &str| json!({ "handle": handle });
    let handle = format!("{CANARY}7");
    let path = format!("{user}/erase");
    assert_eq!(owner.post(&path, &erase(&handle)).await?.status, 409, "the user is active");
    let reason = json!({"reason": format!("{CANARY} asked for it")});
    owner.post(&format!("{user}/deactivate"), &reason).await?.ok()?;
    assert_eq!(owner.post(&path, &erase("owner")).await?.status, 422, "another's handle");
    let key = owner.post(&format!("{user}/shred"), &json!({})).await?;
    assert_eq!(key.status, 403, "keys are for our workers: {}", key.body);
    let of_user = format!("/invitations/{}/erase", canary.invitation_id);
    assert_eq!(owner.post(&of_user, &json!({})).await?.status, 409, "it became a user");
    owner.post(&path, &erase(&handle)).await?.ok()?;
    shredded(house, 2).await?;
    Ok(())
}

/// What the read models and files show of the canary now.
async fn is_forgotten(owner: &Client, canary: &Canary) -> anyhow::Result<()> {
    let user = format!("/users/{}", canary.user_id);
    let user = owner.until(&user, SOON, |body| body["status"] == "erased").await?;
    assert_eq!((&user.body["handle"], &user.body["email"]), (&json!("erased"), &Value::Null));
    let invitation = format!("/invitations/{}", canary.invitation_id);
    owner.until(&invitation, SOON, |body| body["status"] == "erased").await?;
    owner.until(&canary.export, SOON, |body| body["status"] == "expired").await?;
    owner.until(&canary.comment, SOON, |body| body["body"] == "erased").await?;
    let trail = format!("/audit-logs?actor_id={}", canary.user_id);
    let nothing = |body: &Value| {
        let text = body.to_string().to_lowercase();
        !text.contains(CANARY) && text.contains("\"user_agent\":\"erased\"")
    };
    owner.until(&trail, Duration::from_secs(5), nothing).await?;
    Ok(())
}

/// Everything that the live stream has, from the first event on.
async fn streamed(owner: &Client) -> anyhow::Result<String> {
    let mut socket = Socket::open(owner).await?;
    let all = json!({"type": "sub", "id": "s", "stream": "all", "from": "start", "credit": 10_000});
    socket.say(&all).await?;
    let mut heard = String::new();
    loop {
        match socket.hear().await? {
            Heard::Frame(frame) if frame["type"] == "live" => return Ok(heard.to_lowercase()),
            Heard::Frame(frame) => heard.push_str(&frame.to_string()),
            Heard::End(code) => anyhow::bail!("the stream ended with {code:?}"),
        }
    }
}

/// The log is what was stored, and every read model what the log says, also when made anew.
async fn proves(house: &House, owner: &Client) -> anyhow::Result<()> {
    let replay = owner.bytes(&format!("{}/api/v1/events/replay", house.query_url)).await?;
    assert!(!contains(&replay, CANARY));
    let streamed = streamed(owner).await?;
    assert!(streamed.contains("identity.user.erased") && !streamed.contains(CANARY));
    let file = house.path("replay.ndjson");
    std::fs::write(&file, &replay)?;
    for command in [
        &["verify", &*file.display().to_string()][..],
        &["rebuild", "identity_users"],
        &["rebuild", "identity_invitations"],
        &["rebuild", "audit_trail"],
        &["prove"],
    ] {
        let output = house.annals(command)?;
        let said =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{command:?}: {said:?}");
    }
    Ok(())
}

#[tokio::test]
async fn who_is_erased_is_found_nowhere_and_no_restore_brings_them_back() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let canary = lives(&house, &owner).await?;

    let trail = format!("/audit-logs?actor_id={}", canary.user_id);
    let seen = |body: &Value| body.to_string().contains(BROWSER.1);
    owner.until(&trail, SOON, seen).await.context("the trail shows who did it, opened")?;
    let before = places(&house, CANARY)?;
    for place in ["read.identity_users", "read.identity_invitations", "log.claims"] {
        assert!(before.iter().any(|found| found == place), "{place} is not in {before:?}");
    }
    assert!(before.iter().any(|found| found.contains("/blobs/")), "no export in {before:?}");
    let open = |found: &&String| {
        found.starts_with("log.events") || found.contains("trail") || found.contains("nats")
    };
    assert_eq!(before.iter().find(open), None, "sealed before anybody was erased");
    let streamed = streamed(&owner).await?;
    assert!(streamed.contains(&canary.user_id) && !streamed.contains(CANARY), "{streamed}");
    let control = places(&house, "identity.user.registered")?;
    assert!(control.iter().any(|found| found.contains("/nats/")), "{control:?}");

    erases(&house, &owner, &canary).await?;
    is_forgotten(&owner, &canary).await?;
    assert_eq!(places(&house, CANARY)?, Vec::<String>::new());
    proves(&house, &owner).await?;
    assert_eq!(places(&house, CANARY)?, Vec::<String>::new());

    restored(&mut house, &canary.backup).await?;
    shredded(&house, 2).await?;
    let owner = owner.with_token("").login("acme", "owner").await?;
    is_forgotten(&owner, &canary).await?;
    assert_eq!(places(&house, CANARY)?, Vec::<String>::new());
    house.stop().await;
    Ok(())
}
