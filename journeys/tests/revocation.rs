//! What is taken away is gone within seconds, at every door and on open streams, whatever Redis does meanwhile.

use std::time::{Duration, Instant};

use cli::engines::Engine;
use journeys::{Client, House, Socket};
use platform::clock;
use reqwest::Method;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(5);
const STREAM: &str = "all";

/// How Redis is while something is taken away.
#[derive(Debug, Clone, Copy)]
enum Redis {
    Well,
    Flushed,
    Down,
}

/// A reader of users and of the stream, with a role that gives both.
async fn reader(owner: &Client, handle: &str) -> anyhow::Result<(Client, String)> {
    let permissions = json!(["identity.users:read", "audit.events:read"]);
    let role = json!({"name": format!("Role of {handle}"), "permissions": permissions});
    let role = owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned();
    let reader = owner.newcomer("acme", handle).await?;
    let assign = json!({"user_id": reader.user_id, "role_id": role});
    owner.post("/rbac/assign", &assign).await?.ok()?;
    reader.until("/users", LIMIT, |_| true).await?;
    Ok((reader, role))
}

/// How long after `since` the question is answered with `status`.
async fn until_status(
    client: &Client,
    path: &str,
    status: u16,
    since: Instant,
) -> anyhow::Result<Duration> {
    loop {
        let reply = client.get(path).await?;
        if reply.status == status {
            return Ok(since.elapsed());
        }
        let taken = since.elapsed();
        anyhow::ensure!(
            taken < LIMIT,
            "{path} is still answered with {} after {taken:?}",
            reply.status
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A program of the owner's with a key, which reads users and follows the stream.
async fn program(owner: &Client) -> anyhow::Result<(Client, String)> {
    let body = json!({"name": "Mirror", "scope": ["identity.users:read", "audit.events:read"],
        "expires_at": clock::now() + Duration::from_hours(1)});
    let made = owner.post("/api-keys", &body).await?.ok()?;
    let key = made.body["token"].as_str().unwrap_or_default();
    Ok((owner.with_token(key), format!("/api-keys/{}", made.made())))
}

async fn key_gone_within_seconds(house: &mut House, redis: Redis) -> anyhow::Result<()> {
    let owner = house.owner("acme").await?;
    let (program, key) = program(&owner).await?;
    program.until("/users", LIMIT, |_| true).await?;
    let mut socket = Socket::open(&program).await?;
    socket.subscribe(STREAM).await?;
    match redis {
        Redis::Well => {}
        Redis::Flushed => house.engines.wipe_redis().await?,
        Redis::Down => house.engines.kill(Engine::Redis).await?,
    }
    let leaked = json!({"reason": "leaked"});
    owner.command(Method::DELETE, &key, &leaked, &[]).await?.ok()?;
    let taken = Instant::now();
    let code = socket.end().await?;
    anyhow::ensure!(code == Some(4401), "{redis:?}: the socket ended with {code:?}");
    let gone = taken.elapsed();
    anyhow::ensure!(gone < LIMIT, "{redis:?}: the socket stayed for {gone:?}");
    until_status(&program, "/users", 401, taken).await?;
    let refused = program.post("/users", &json!({"handle": "x"})).await?;
    anyhow::ensure!(refused.status == 401, "{redis:?}: {}", refused.body);
    house.revive(Engine::Redis).await
}

async fn gone_within_seconds(house: &mut House, redis: Redis) -> anyhow::Result<()> {
    let owner = house.owner("acme").await?;
    let (reader, role) = reader(&owner, &format!("{redis:?}")).await?;
    let mut socket = Socket::open(&reader).await?;
    socket.subscribe(STREAM).await?;
    match redis {
        Redis::Well => {}
        Redis::Flushed => house.engines.wipe_redis().await?,
        Redis::Down => house.engines.kill(Engine::Redis).await?,
    }

    let path = format!("/rbac/users/{}/roles/{role}", reader.user_id);
    owner.command(Method::DELETE, &path, &json!({}), &[]).await?.ok()?;
    let taken = Instant::now();
    let done = socket.until("done").await?;
    anyhow::ensure!(done["id"] == STREAM && done["reason"] == "revoked", "{done}");
    anyhow::ensure!(
        taken.elapsed() < LIMIT,
        "{redis:?}: the stream went on for {:?}",
        taken.elapsed()
    );
    reader.until_status("/users", 403, taken, LIMIT).await?;
    let refused = reader.post("/users", &json!({"handle": "x"})).await?;
    anyhow::ensure!(refused.status == 403, "{redis:?}: {}", refused.body);

    let path = format!("/users/{}/deactivate", reader.user_id);
    owner.post(&path, &json!({"reason": "left"})).await?.ok()?;
    let taken = Instant::now();
    let code = socket.end().await?;
    anyhow::ensure!(code == Some(4401), "{redis:?}: the socket ended with {code:?}");
    anyhow::ensure!(
        taken.elapsed() < LIMIT,
        "{redis:?}: the socket stayed for {:?}",
        taken.elapsed()
    );
    reader.until_status("/me", 401, taken, LIMIT).await?;
    let refused = reader.post("/users", &json!({"handle": "x"})).await?;
    anyhow::ensure!(refused.status == 401, "{redis:?}: {}", refused.body);
    house.revive(Engine::Redis).await
}

#[tokio::test]
async fn what_is_taken_away_is_gone_within_seconds_whatever_redis_does() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.found("acme").await?;
    for redis in [Redis::Well, Redis::Flushed, Redis::Down] {
        gone_within_seconds(&mut house, redis).await?;
        key_gone_within_seconds(&mut house, redis).await?;
    }
    house.stop().await;
    Ok(())
}
