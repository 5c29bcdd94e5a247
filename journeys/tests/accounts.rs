//! What people do about their own accounts: a forgotten password, another address, signing out everywhere; and what others
//! may not do to them.

use std::time::Duration;

use journeys::House;
use journeys::client::{Client, PASSWORD};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const NEXT: &str = "correct horse battery staple";

async fn sign_in(somebody: &Client, login: &str, password: &str) -> anyhow::Result<u16> {
    let body = json!({"organization": "acme", "login": login, "password": password});
    Ok(somebody.post("/auth/login", &body).await?.status)
}

/// Somebody signed in with a password of their own.
async fn with_password(nobody: &Client, login: &str, password: &str) -> anyhow::Result<Client> {
    let body = json!({"organization": "acme", "login": login, "password": password});
    let reply = nobody.post("/auth/login", &body).await?.ok()?;
    Ok(nobody.with_token(reply.body["access_token"].as_str().unwrap_or_default()))
}

/// A user with that address and PASSWORD, signed in.
async fn person(owner: &Client, handle: &str) -> anyhow::Result<Client> {
    let body = json!({"handle": handle, "email": format!("{handle}@acme.test")});
    let made = owner.post("/users", &body).await?.ok()?;
    let path = format!("/users/{}/password", made.made());
    owner.command(Method::PUT, &path, &json!({"password": PASSWORD}), &[]).await?.ok()?;
    owner.login("acme", handle).await
}

fn letters_to(house: &House, address: &str, subject: &str) -> anyhow::Result<usize> {
    let (to, subject) = (format!("To: {address}"), format!("Subject: {subject}"));
    let letters = house.mail()?;
    Ok(letters.iter().filter(|one| one.contains(&to) && one.contains(&subject)).count())
}

async fn told(house: &House, address: &str, subject: &str) -> anyhow::Result<()> {
    let began = std::time::Instant::now();
    while letters_to(house, address, subject)? == 0 {
        anyhow::ensure!(began.elapsed() < SOON, "nothing came for {address}: {:?}", house.mail()?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_forgotten_password_is_set_by_mail_and_ends_every_session() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let ada = person(&owner, "ada").await?;
    let nobody = owner.with_token("");
    let forgot = |login: &str| json!({"organization": "acme", "login": login});
    let known = nobody.post("/auth/password/forgot", &forgot("ada")).await?;
    let unknown = nobody.post("/auth/password/forgot", &forgot("nobody")).await?;
    assert_eq!((known.status, &known.body), (202, &unknown.body), "nobody learns who there is");
    nobody.post("/auth/password/forgot", &forgot("ada@acme.test")).await?;

    let token = house.mailed("ada@acme.test", "reset-password").await?;
    let reset = |token: &str, password: &str| json!({"token": token, "new_password": password});
    let forged = format!("{}x", &token[..token.len() - 1]);
    assert_eq!(nobody.post("/auth/password/reset", &reset(&forged, NEXT)).await?.status, 404);
    assert_eq!(nobody.post("/auth/password/reset", &reset(&token, "short")).await?.status, 422);
    ada.get("/me").await?.ok()?;
    nobody.post("/auth/password/reset", &reset(&token, NEXT)).await?.ok()?;
    assert_eq!(nobody.post("/auth/password/reset", &reset(&token, NEXT)).await?.status, 404);
    assert_eq!(ada.post("/auth/logout", &json!({})).await?.status, 401, "the session has ended");
    let gone = |body: &Value| body["code"] == "UNAUTHENTICATED";
    let began = std::time::Instant::now();
    while !gone(&ada.get("/me").await?.body) {
        anyhow::ensure!(began.elapsed() < Duration::from_secs(5), "the session still asks");
    }
    assert_eq!(sign_in(&nobody, "ada", PASSWORD).await?, 401);
    assert_eq!(sign_in(&nobody, "ada", NEXT).await?, 200);
    told(&house, "ada@acme.test", "Your password for acme was changed").await?;
    let asked = letters_to(&house, "ada@acme.test", "Set a new password for acme")?;
    assert_eq!(asked, 1, "once a minute");
    let again = with_password(&nobody, "ada", NEXT).await?;
    let inbox = |body: &Value| body.to_string().contains("Your password was changed");
    again.until("/notifications", SOON, inbox).await?;
    // The first session ended with all others, and so it is shown; the present one has not.
    let ended = |body: &Value| {
        let items = body["items"].as_array().cloned().unwrap_or_default();
        let reasons: Vec<_> = items.iter().map(|item| item["revocation_reason"].clone()).collect();
        reasons.first().is_some_and(Value::is_null)
            && reasons.last() == Some(&json!("password"))
            && items.last().is_some_and(|first| first["revoked_at"].is_string())
    };
    again.until("/sessions?sort=-created_at", SOON, ended).await?;
    let secret = token.rsplit('.').next().unwrap_or_default();
    assert!(!house.last_words().contains(secret));
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_new_address_is_confirmed_there_and_the_old_one_hears_of_it() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let ada = person(&owner, "ada").await?;
    let wanted = |password: &str| json!({"email": "ada@new.test", "current_password": password});
    assert_eq!(ada.post("/auth/email", &wanted("not my password")).await?.status, 422);
    ada.post("/auth/email", &wanted(PASSWORD)).await?.ok()?;
    let token = house.mailed("ada@new.test", "confirm-email").await?;
    assert_eq!(sign_in(&ada, "ada@new.test", PASSWORD).await?, 401, "it is not confirmed yet");
    let nobody = owner.with_token("");
    nobody.post("/auth/email/confirm", &json!({"token": token})).await?.ok()?;
    assert_eq!(nobody.post("/auth/email/confirm", &json!({"token": token})).await?.status, 404);
    assert_eq!(sign_in(&ada, "ada@new.test", PASSWORD).await?, 200);
    assert_eq!(sign_in(&ada, "ada@acme.test", PASSWORD).await?, 401);
    told(&house, "ada@acme.test", "Your e-mail address for acme was changed").await?;
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn who_is_changed_by_another_hears_of_it_and_where_they_were_reached_before()
-> anyhow::Result<()> {
    const HANDLE: &str = "Your name to sign in with at acme was changed";
    const ADDRESS: &str = "Your e-mail address for acme was changed";
    const PHONE: &str = "Your telephone number at acme was changed";
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let ada = person(&owner, "ada").await?;
    let user = format!("/users/{}", ada.user_id);
    let own = json!({"phone": "+49891234567"});
    ada.command(Method::PATCH, "/me", &own, &[]).await?.ok()?;
    let both = json!({"handle": "countess", "email": "ada@new.test"});
    owner.command(Method::PATCH, &user, &both, &[]).await?.ok()?;
    told(&house, "ada@acme.test", HANDLE).await?;
    told(&house, "ada@acme.test", ADDRESS).await?;
    told(&house, "ada@new.test", ADDRESS).await?;
    let phone = json!({"phone": "+49897654321"});
    owner.command(Method::PATCH, &user, &phone, &[]).await?.ok()?;
    told(&house, "ada@new.test", PHONE).await?;
    assert_eq!(letters_to(&house, "ada@acme.test", PHONE)?, 0, "one's own doing is no news");
    let letters = house.mail()?.join("\n");
    assert!(letters.contains("countess") && !letters.contains("7654321"), "{letters}");

    // Whoever changes themselves knows, whatever they may of others.
    let own = format!("/users/{}", owner.user_id);
    let mine = json!({"handle": "chief", "phone": "+49891111111"});
    owner.command(Method::PATCH, &own, &mine, &[]).await?.ok()?;
    let again = json!({"handle": "ada"});
    owner.command(Method::PATCH, &user, &again, &[]).await?.ok()?;
    told(&house, "ada@new.test", HANDLE).await?;
    let of_owner = house.mail()?.into_iter().filter(|one| one.contains("chief")).count();
    assert_eq!(of_owner, 0);
    house.stop().await;
    Ok(())
}

/// The titles in somebody's inbox.
fn titles(body: &Value) -> Vec<&str> {
    let items = body["items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["title"].as_str()).collect()
}

#[tokio::test]
async fn who_signs_in_from_a_new_place_is_told_and_led_to_the_session() -> anyhow::Result<()> {
    const NEW: &str = "You signed in from a new place";
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let ada = person(&owner, "ada").await?;
    let body = json!({"organization": "acme", "login": "ada", "password": PASSWORD});
    for program in ["", "Stranger/1.0", "Stranger/1.1"] {
        let header = [("user-agent", program)];
        let header = if program.is_empty() { &[][..] } else { &header };
        ada.with_token("").command(Method::POST, "/auth/login", &body, header).await?.ok()?;
    }
    let told = |body: &Value| titles(body).contains(&NEW);
    ada.until("/notifications", SOON, told).await?;
    // What came later is there, so nothing else is on its way.
    let own = json!({"current_password": PASSWORD, "new_password": NEXT});
    ada.post("/auth/password", &own).await?.ok()?;
    let changed = |body: &Value| titles(body).contains(&"Your password was changed");
    let inbox = ada.until("/notifications", SOON, changed).await?;
    assert_eq!(titles(&inbox.body), ["Your password was changed", NEW], "{}", inbox.text);
    let notice = &inbox.body["items"][1];
    assert_eq!((&notice["kind"], &notice["priority"]), (&json!("security"), &json!("high")));
    assert!(!inbox.text.contains("Stranger") && !inbox.text.contains("127.0.0"), "{}", inbox.text);
    assert_eq!(notice["link"]["type"], "identity.session");
    let session = notice["link"]["id"].as_str().unwrap_or_default();
    let sessions = ada.get("/sessions").await?.ok()?;
    let began = sessions.body["items"].as_array().into_iter().flatten();
    let programs: Vec<&Value> =
        began.filter(|it| it["session_id"] == session).map(|it| &it["user_agent"]).collect();
    assert_eq!(programs, [&json!("Stranger/1.0")], "{}", sessions.text);
    house.stop().await;
    Ok(())
}
