//! What is taken away is gone within seconds, at every door and on open streams, whatever Redis does meanwhile.

use std::time::{Duration, Instant};

use cli::engines::Engine;
use journeys::{Client, House, Socket};
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
    }
    house.stop().await;
    Ok(())
}
