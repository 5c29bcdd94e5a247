//! Every bad access token we know of is refused wherever one is taken, by the running APIs; the good one beside it passes.

mod corpus;
mod doors;
mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use journeys::{Client, House};
use platform::secrets::{self, MasterKey, NewKey};
use reqwest::Method;
use serde_json::{Value, json};

use corpus::{Case, Mint};
use doors::{Answer, Doors};

const LEAST: usize = 200;

/// The key that signs the house's tokens, taken as only somebody with the database and the master key could.
async fn key(house: &House) -> anyhow::Result<NewKey> {
    let pool = house.database().await?;
    let found: (String, Vec<u8>, Vec<u8>) =
        sqlx::query_as("select kid, private_key, public_key from secrets.signing_keys")
            .fetch_one(&pool)
            .await?;
    let (kid, sealed, public) = found;
    let master = MasterKey::parse(house.setting("ANNALS_MASTER_KEY"))?;
    let private = master.open(&format!("secrets.signing_keys|{kid}"), &sealed)?;
    Ok(NewKey { kid, private, public })
}

fn claim(token: &str, name: &str) -> anyhow::Result<Value> {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
    Ok(claims[name].clone())
}

/// Tokens that were good, are good for something else, or belong to somebody else.
async fn misused(house: &House, owner: &Client, mint: &Mint) -> anyhow::Result<Vec<Case>> {
    let ben = owner.newcomer("acme", "ben").await?;
    let other = house.found("other").await?;
    let (bens, others) = (claim(&ben.token, "sid")?, claim(&other.token, "sid")?);

    let left = owner.login("acme", "owner").await?;
    left.post("/auth/logout", &json!({})).await?.ok()?;
    let dismissed = owner.newcomer("acme", "cleo").await?;
    let path = format!("/users/{}/deactivate", dismissed.user_id);
    owner.post(&path, &json!({"reason": "left"})).await?.ok()?;

    let retired = secrets::new_key()?;
    let ended = "insert into secrets.signing_keys (kid, public_key, private_key, not_after) \
                 values ($1, $2, '', now() - interval '1 minute')";
    let pool = house.database().await?;
    sqlx::query(ended).bind(&retired.kid).bind(&retired.public).execute(&pool).await?;

    let body =
        json!({"organization": "acme", "login": "owner", "password": journeys::client::PASSWORD});
    let signed_in = owner.with_token("").post("/auth/login", &body).await?.ok()?;
    let refresh = signed_in.body["refresh_token"].as_str().unwrap_or_default().to_owned();
    let done = owner.post("/users", &json!({"handle": "dora"})).await?.ok()?;
    Ok(vec![
        ("the session was ended", left.token),
        ("the account was deactivated", dismissed.token),
        ("the session of somebody else", mint.claims(&json!({"sid": bens}))),
        ("the user of somebody else's session", mint.claims(&json!({"sub": ben.user_id}))),
        ("the session of another organisation", mint.claims(&json!({"sid": others}))),
        ("another organisation", mint.claims(&json!({"tenant": other.tenant_id}))),
        ("another organisation and its session", {
            mint.claims(&json!({"tenant": other.tenant_id, "sid": others}))
        }),
        ("a key that has ended", mint.by(&retired)),
        ("a refresh token", refresh),
        ("a consistency token", done.header("consistency-token").to_owned()),
        ("the id of the session", claim(&owner.token, "sid")?.as_str().unwrap_or_default().into()),
        ("the bootstrap token", house.bootstrap_token.clone()),
        ("the secret of services", house.setting("ANNALS_SERVICE_SECRET").to_owned()),
        ("the master key", house.setting("ANNALS_MASTER_KEY").to_owned()),
    ])
}

#[tokio::test]
async fn every_bad_token_is_refused_at_every_door_and_a_good_one_passes() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let doors = Doors::open(&owner).await?;
    let mint = Mint::new(&owner.token, key(&house).await?);
    // The control: a token passes as it is, and as the mint signs it when it bends nothing that matters.
    for good in [owner.token.clone(), mint.claims(&json!({"jti": "fresh"}))] {
        for (door, answer) in doors.knock(&good).await? {
            assert_eq!(answer, Answer::Passed, "{door}");
        }
    }

    let mut bad = mint.bad();
    bad.extend(misused(&house, &owner, &mint).await?);
    let names: std::collections::HashSet<_> = bad.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), bad.len(), "two cases have one name");
    assert!(bad.len() >= LEAST, "{} cases", bad.len());
    let mut let_in = Vec::new();
    for (name, token) in &bad {
        assert_ne!(token, &mint.good, "{name} is the good token");
        let link = ("a file's link", doors.file(token).await?);
        for (door, answer) in doors.knock(token).await?.into_iter().chain([link]) {
            if answer != Answer::Refused {
                let_in.push(format!("{name}: {door}: {answer:?}"));
            }
        }
    }
    assert!(let_in.is_empty(), "\n{}\n", let_in.join("\n"));

    for (door, answer) in doors.knock(&owner.token).await? {
        assert_eq!(answer, Answer::Passed, "{door}, after all that");
    }
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_opens_a_file_and_what_a_service_shows_open_nothing_else() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let doors = Doors::open(&owner).await?;
    assert_eq!(doors.file(&owner.token).await?, Answer::Refused, "an access token is no link");
    let link = doors.link(&owner.token).await?.ok()?;
    let url = link.body["url"].as_str().unwrap_or_default();
    assert!(!owner.with_token("").bytes(url).await?.is_empty(), "the link itself is the right");
    let token = url.rsplit("link=").next().unwrap_or_default();
    for (door, answer) in doors.knock(token).await? {
        assert_eq!(answer, Answer::Refused, "{door} takes a link");
    }

    let body = json!({"service": "workers", "secret": house.setting("ANNALS_SERVICE_SECRET"),
        "tenant_id": owner.tenant_id});
    let signed = owner.with_token("").post("/auth/service-token", &body).await?.ok()?;
    let service = owner.with_token(signed.body["access_token"].as_str().unwrap_or_default());
    // The token is good, so the answer is not "sign in", but that a person must ask.
    assert_eq!(service.get("/me").await?.status, 403);
    assert_eq!(service.get("/users").await?.status, 403);
    assert_eq!(service.post("/users", &json!({"handle": "eve"})).await?.status, 403);
    let left = service.command(Method::POST, "/auth/logout", &json!({}), &[]).await?;
    assert_eq!(left.status, 404, "a service has no session to end");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn every_bad_api_key_is_refused_at_every_door_and_a_good_one_passes() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let doors = Doors::open(&owner).await?;
    let other = house.found("other").await?;
    let (good, bad) = keys::all(&owner, &other).await?;
    for (door, answer) in doors.knock(&good).await? {
        assert_eq!(answer, Answer::Passed, "{door}");
    }
    let mut let_in = Vec::new();
    for (name, key) in &bad {
        assert_ne!(key, &good, "{name} is the good key");
        let link = ("a file's link", doors.file(key).await?);
        for (door, answer) in doors.knock(key).await?.into_iter().chain([link]) {
            if answer != Answer::Refused {
                let_in.push(format!("{name}: {door}: {answer:?}"));
            }
        }
    }
    assert!(let_in.is_empty(), "\n{}\n", let_in.join("\n"));
    for (door, answer) in doors.knock(&good).await? {
        assert_eq!(answer, Answer::Passed, "{door}, after all that");
    }
    house.stop().await;
    Ok(())
}
