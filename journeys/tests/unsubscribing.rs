//! Who is sent too many letters says so by the link in one of them, without signing in, and is sent no more of that kind.

use std::time::Duration;

use anyhow::Context as _;
use journeys::House;
use journeys::client::Client;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const ADDRESS: &str = "ada@acme.test";
const ONE_CLICK: &str = "List-Unsubscribe=One-Click";
const SETTING: &str = "notifications.mail_of_messages";

/// A mail program: neither our client nor signed in.
fn program() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(SOON).build()?)
}

async fn click(url: &str, form: &str) -> anyhow::Result<(u16, String)> {
    let kind = "application/x-www-form-urlencoded";
    let click = program()?.post(url).header("content-type", kind).body(form.to_owned());
    let answer = click.send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

async fn tell(owner: &Client, user_id: &str, title: &str) -> anyhow::Result<()> {
    let message = json!({"user_id": user_id, "kind": "message", "title": title, "message": "x"});
    owner.post("/notifications/send", &message).await?.ok()?;
    Ok(())
}

/// The letter of that subject, once it has come.
async fn letter(house: &House, subject: &str) -> anyhow::Result<String> {
    let subject = format!("Subject: {subject}\n");
    house.letter(ADDRESS, |letter| letter.contains(&subject).then(|| letter.to_owned())).await
}

fn unsubscribes(letter: &str) -> anyhow::Result<String> {
    let line = letter.lines().find_map(|line| line.strip_prefix("List-Unsubscribe: <"));
    Ok(line.and_then(|line| line.strip_suffix('>')).context("no List-Unsubscribe")?.to_owned())
}

/// How many letters of notifications were not sent after all.
async fn held_back(house: &House) -> anyhow::Result<i64> {
    let count =
        "select count(*) from work.jobs where kind = 'notifications.mail' and state = 'cancelled'";
    Ok(sqlx::query_scalar(count).fetch_one(&house.database().await?).await?)
}

async fn until_held_back(house: &House, wanted: i64) -> anyhow::Result<()> {
    let began = std::time::Instant::now();
    while held_back(house).await? < wanted {
        anyhow::ensure!(began.elapsed() < SOON, "not held back: {:?}", house.mail()?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn one_click_stops_letters_of_a_kind_and_looking_stops_none() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let body = json!({"handle": "ada", "email": ADDRESS});
    let user_id = owner.post("/users", &body).await?.ok()?.made().to_owned();
    tell(&owner, &user_id, "First").await?;
    let first = letter(&house, "First").await?;
    assert!(first.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"), "{first}");
    let url = unsubscribes(&first)?;

    let page = program()?.get(&url).header("accept", "text/html").send().await?;
    let policy = page.headers()["content-security-policy"].to_str()?.to_owned();
    assert!(policy.contains("form-action 'self'") && policy.contains("default-src 'none'"));
    let page = page.text().await?;
    assert!(page.contains("<form method=\"post\">") && page.contains("One-Click"), "{page}");
    let told: Value = program()?.get(&url).send().await?.json().await?;
    assert_eq!(told["setting"], SETTING);
    tell(&owner, &user_id, "Second").await?;
    assert_eq!(unsubscribes(&letter(&house, "Second").await?)?, url, "looking changed nothing");

    let (status, answer) = click(&url, "List-Unsubscribe=Two").await?;
    assert_eq!(status, 400, "{answer}");
    let (status, answer) = click(&url, ONE_CLICK).await?;
    let answer: Value = serde_json::from_str(&answer)?;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["events"][0]["type"], "settings.configuration.setting_chosen", "{answer}");
    let (status, again) = click(&url, ONE_CLICK).await?;
    let again: Value = serde_json::from_str(&again)?;
    assert_eq!((status, &again["events"]), (200, &json!([])), "once is enough: {again}");
    tell(&owner, &user_id, "Third").await?;
    until_held_back(&house, 1).await?;

    let role = json!({"name": "Auditor", "permissions": ["audit.trail:read"]});
    let role = owner.post("/rbac/roles", &role).await?.ok()?;
    let assign = json!({"user_id": user_id, "role_id": role.made()});
    owner.post("/rbac/assign", &assign).await?.ok()?;
    let of_role =
        |letter: &str| letter.contains("Subject: You have the role").then(|| letter.to_owned());
    let other: String = house.letter(ADDRESS, of_role).await?;
    assert_ne!(unsubscribes(&other)?, url, "letters of other kinds still come");
    assert!(!house.mail()?.iter().any(|letter| letter.contains("Subject: Third")));

    for forged in [format!("{url}x"), url.replace("messages", "roles"), url[..url.len() - 9].into()]
    {
        assert_eq!(click(&forged, ONE_CLICK).await?.0, 404, "{forged}");
    }
    let reason = json!({"reason": "left"});
    owner.post(&format!("/users/{user_id}/deactivate"), &reason).await?.ok()?;
    owner.post(&format!("/users/{user_id}/erase"), &json!({"handle": "ada"})).await?.ok()?;
    assert_eq!(click(&url, ONE_CLICK).await?.0, 404, "nobody is there to be written to");
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn nobody_unsubscribes_from_what_they_have_to_know() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    owner.post("/users", &json!({"handle": "ada", "email": ADDRESS})).await?.ok()?;
    let forgot = json!({"organization": "acme", "login": "ada"});
    owner.with_token("").post("/auth/password/forgot", &forgot).await?.ok()?;
    house.mailed(ADDRESS, "reset-password").await?;
    let to = format!("To: {ADDRESS}\n");
    let letters: Vec<_> = house.mail()?.into_iter().filter(|one| one.contains(&to)).collect();
    assert!(
        !letters.is_empty() && letters.iter().all(|letter| !letter.contains("List-Unsubscribe")),
        "{letters:?}"
    );
    house.stop().await;
    Ok(())
}
