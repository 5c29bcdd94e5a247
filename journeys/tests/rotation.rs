//! The keys of access tokens change under load, and nobody is turned away who should not be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use journeys::{Client, House, Resident};
use serde_json::{Value, json};

/// Longer than a new key waits before it signs.
const SWITCH: Duration = Duration::from_secs(40);
/// What is ended is refused everywhere within this.
const GONE: Duration = Duration::from_secs(10);

fn kid(token: &str) -> anyhow::Result<String> {
    let head = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap_or_default())?;
    let head: Value = serde_json::from_slice(&head)?;
    Ok(head["kid"].as_str().context("the token names no key")?.to_owned())
}

/// Signs in, asks, commands and signs in again at either command-api until it shall end; how many answers there were.
async fn busy(
    house: &House,
    at: &str,
    end: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let client = Client::new(at, &house.query_url, "")?;
    while !end.load(Ordering::Relaxed) {
        let me = client.login("acme", "owner").await?;
        for _ in 0..5 {
            for reply in [
                me.get("/me").await?,
                me.post("/users?validate_only=true", &json!({"handle": "anna"})).await?,
                me.at(&house.second_command_url)
                    .post("/users?validate_only=true", &json!({"handle": "anna"}))
                    .await?,
            ] {
                anyhow::ensure!(
                    (200..300).contains(&reply.status),
                    "{} {}",
                    reply.status,
                    reply.body
                );
                answers.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    Ok(())
}

fn said(output: &std::process::Output) -> anyhow::Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

#[tokio::test]
async fn keys_are_replaced_under_load_without_an_unexpected_401_and_a_revoked_one_opens_nothing()
-> anyhow::Result<()> {
    let mut house = House::start().await?;
    house.move_in(Resident::SecondCommandApi)?;
    house.answers(&format!("{}/readyz", house.second_command_url)).await?;
    let owner = house.found("acme").await?;
    // Whoever signs in often has their oldest sessions ended: the owner does, and the signer, but not the keeper.
    let before = owner.newcomer("acme", "keeper").await?;
    owner.newcomer("acme", "signer").await?;
    let first = kid(&before.token)?;
    // As if the key had been there for a while: the first of a new house is known to all by the time that it matters.
    let pool = house.database().await?;
    let age = "update secrets.signing_keys set created_at = created_at - interval '1 hour'";
    sqlx::query(age).execute(&pool).await?;

    let (end, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let rotated = async {
        let made = said(&house.annals(&["keys", "rotate"])?)?;
        let second = made.split(' ').next().unwrap_or_default().to_owned();
        let began = Instant::now();
        let now = loop {
            let now = before.login("acme", "signer").await?;
            if kid(&now.token)? == second {
                break now;
            }
            anyhow::ensure!(began.elapsed() < SWITCH, "the new key does not sign");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        // What the key before signed is good until it ends by itself.
        anyhow::ensure!(before.get("/me").await?.status == 200, "the old key was forgotten");
        anyhow::Ok(now)
    };
    let rotation = async {
        let now = rotated.await;
        end.store(true, Ordering::Relaxed);
        now
    };
    let urls = [house.command_url.clone(), house.second_command_url.clone()];
    let load = |url: usize| busy(&house, &urls[url], Arc::clone(&end), Arc::clone(&answers));
    let (now, one, two) = tokio::join!(rotation, load(0), load(1));
    let now = now?;
    one.and(two)?;
    assert!(answers.load(Ordering::Relaxed) > 100, "there was no load");

    said(&house.annals(&["keys", "revoke", &first])?)?;
    let began = Instant::now();
    for client in [before.clone(), before.at(&house.second_command_url)] {
        loop {
            let asked = client.get("/me").await?.status;
            let told = client.post("/users?validate_only=true", &json!({"handle": "x"})).await?;
            if (asked, told.status) == (401, 401) {
                break;
            }
            anyhow::ensure!(
                began.elapsed() < GONE,
                "a revoked key still opens: {asked} {}",
                told.status
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    anyhow::ensure!(now.get("/me").await?.status == 200, "the new key went with the old");
    let listed: Value = serde_json::from_str(&said(&house.annals(&["keys", "list", "--json"])?)?)?;
    let states: Vec<_> = listed.as_array().into_iter().flatten().map(|key| &key["state"]).collect();
    assert_eq!(states, ["signs", "ended"]);
    house.stop().await;
    Ok(())
}
