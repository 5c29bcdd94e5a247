//! API keys that nobody may accept: bent, cut, mixed up, and those that were good.

use std::time::Duration;

use journeys::{Client, Reply};
use platform::clock;
use platform::secrets::fingerprint;
use reqwest::Method;
use serde_json::json;

use crate::corpus::Case;

/// A key and the path of what it names.
struct Made {
    key: String,
    path: String,
}

/// A good key of the owner's, which may do everything, and every bad one we know of.
pub(crate) async fn all(owner: &Client, other: &Client) -> anyhow::Result<(String, Vec<Case>)> {
    let good = make(owner, &json!({})).await?;
    let theirs = make(other, &json!({})).await?;
    let mut bad = bent(&good.key, &theirs.key);
    bad.extend(ended(owner).await?);
    Ok((good.key, bad))
}

async fn make(of: &Client, also: &serde_json::Value) -> anyhow::Result<Made> {
    let mut body = json!({"name": "Program", "scope": ["*:*"],
        "expires_at": clock::now() + Duration::from_hours(1)});
    for (name, value) in also.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let made = of.post("/api-keys", &body).await?.ok()?;
    Ok(Made { key: shown(&made), path: format!("/api-keys/{}", made.made()) })
}

fn shown(reply: &Reply) -> String {
    reply.body["token"].as_str().unwrap_or_default().to_owned()
}

/// With the check that belongs to the rest, as whoever knows how we write keys would bend one.
fn checked(body: &str) -> String {
    format!("{body}.{}", &fingerprint(body)[..8])
}

fn bent(good: &str, theirs: &str) -> Vec<Case> {
    let parts: Vec<&str> = good.split('.').collect();
    let others: Vec<&str> = theirs.split('.').collect();
    let with = |at: usize, part: &str| {
        let mut parts = parts.clone();
        parts[at] = part;
        checked(&parts[..4].join("."))
    };
    let (tenant, key, secret) = (parts[1], parts[2], parts[3]);
    let hyphened =
        |id: &str| uuid::Uuid::parse_str(id).map(|id| id.to_string()).unwrap_or_default();
    let flipped: String = secret.chars().rev().collect();
    vec![
        ("another secret", with(3, others[3])),
        ("the secret backwards", with(3, &flipped)),
        ("an empty secret", with(3, "")),
        ("a secret cut by a letter", with(3, &secret[1..])),
        ("a secret with a letter more", with(3, &format!("{secret}A"))),
        ("a secret padded as Base64", with(3, &format!("{secret}="))),
        ("a secret of percent signs", with(3, &"%".repeat(43))),
        ("the secret's digest", with(3, &fingerprint(good))),
        ("another organisation", with(1, others[1])),
        ("another key", with(2, others[2])),
        (
            "another organisation and its key",
            checked(&format!("annals-key.{}.{}.{secret}", others[1], others[2])),
        ),
        ("a key that is none", with(2, &"0".repeat(32))),
        ("organisation and key exchanged", checked(&format!("annals-key.{key}.{tenant}.{secret}"))),
        ("an id with hyphens", with(2, &hyphened(key))),
        ("an id in large letters", with(2, &key.to_uppercase())),
        ("an id with SQL", with(2, "' or '1'='1")),
        ("large letters", good.to_uppercase()),
        ("a large letter in the prefix", good.replacen("annals", "Annals", 1)),
        ("another prefix", good.replacen("annals-key", "annals-kez", 1)),
        ("the prefix alone", "annals-key".to_owned()),
        ("the prefix and dots", "annals-key....".to_owned()),
        ("no prefix", good.trim_start_matches("annals-key.").to_owned()),
        ("no check", good.rsplit_once('.').map(|(body, _)| body.to_owned()).unwrap_or_default()),
        ("a wrong check", format!("{}.00000000", &good[..good.len() - 9])),
        ("a check in large letters", {
            let (body, check) = good.rsplit_once('.').unwrap_or_default();
            format!("{body}.{}x", check.to_uppercase())
        }),
        ("cut in the middle", good[..good.len() / 2].to_owned()),
        ("a letter less", good[..good.len() - 1].to_owned()),
        ("a letter more", format!("{good}a")),
        ("twice", format!("{good}{good}")),
        ("twice, with a comma", format!("{good},{good}")),
        ("a part more", format!("{good}.x")),
        ("very long", format!("annals-key.{}", "a".repeat(3_000))),
        ("escaped", good.replace('.', "%2e")),
    ]
}

/// Keys that were good until something ended them.
async fn ended(owner: &Client) -> anyhow::Result<Vec<Case>> {
    let revoked = make(owner, &json!({})).await?;
    owner.command(Method::DELETE, &revoked.path, &json!({}), &[]).await?.ok()?;

    let rotated = make(owner, &json!({})).await?;
    owner.post(&format!("{}/rotate", rotated.path), &json!({})).await?.ok()?;
    let twice = make(owner, &json!({})).await?;
    let overlapping = json!({"overlap_minutes": 60});
    owner.post(&format!("{}/rotate", twice.path), &overlapping).await?.ok()?;
    owner.post(&format!("{}/rotate", twice.path), &overlapping).await?.ok()?;

    let ben = owner.newcomer("acme", "ben-with-a-key").await?;
    let of_ben = make(owner, &json!({"user_id": ben.user_id})).await?;
    let path = format!("/users/{}/deactivate", ben.user_id);
    owner.post(&path, &json!({"reason": "left"})).await?.ok()?;

    let soon = clock::now() + Duration::from_secs(1);
    let expired = make(owner, &json!({"expires_at": soon})).await?;
    while clock::now() <= soon {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(vec![
        ("it was revoked", revoked.key),
        ("it has another secret", rotated.key),
        ("it had another secret twice", twice.key),
        ("its owner was deactivated", of_ben.key),
        ("it has expired", expired.key),
    ])
}
