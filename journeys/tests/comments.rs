//! Comments from end to end: said about a record by whoever may see it, answered, edited and deleted, hidden from everybody else, and
//! told once to whomever they call.

use std::time::Duration;

use journeys::client::Reply;
use journeys::{Client, House, Resident};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(1);
const USE: &str = "collaboration.comments:use";
const READER: &[&str] = &[USE, "rbac.roles:read"];
const ADDRESS: &str = "dora@acme.test";

/// A role that may do these things.
async fn role(owner: &Client, name: &str, permissions: &[&str]) -> anyhow::Result<String> {
    let role = json!({"name": name, "code": name, "permissions": permissions});
    Ok(owner.post("/rbac/roles", &role).await?.ok()?.made().to_owned())
}

async fn assign(owner: &Client, user_id: &str, role_id: &str) -> anyhow::Result<()> {
    owner.post("/rbac/assign", &json!({"user_id": user_id, "role_id": role_id})).await?.ok()?;
    Ok(())
}

/// Somebody who may do these things.
async fn member(owner: &Client, handle: &str, permissions: &[&str]) -> anyhow::Result<Client> {
    let member = owner.newcomer("acme", handle).await?;
    assign(owner, &member.user_id, &role(owner, handle, permissions).await?).await?;
    Ok(member)
}

fn on(role: &str) -> Value {
    json!({"type": "rbac.role", "id": role})
}

async fn say(client: &Client, role: &str, body: &str) -> anyhow::Result<Reply> {
    client.post("/comments", &json!({"subject": on(role), "body": body})).await
}

async fn answer(client: &Client, role: &str, parent: &str) -> anyhow::Result<Reply> {
    let body = json!({"subject": on(role), "body": "Yes.", "parent_id": parent});
    client.post("/comments", &body).await
}

async fn edit(client: &Client, comment: &str, body: &str) -> anyhow::Result<Reply> {
    let path = format!("/comments/{comment}");
    client.command(Method::PATCH, &path, &json!({"body": body}), &[]).await
}

async fn delete(client: &Client, comment: &str) -> anyhow::Result<Reply> {
    client.command(Method::DELETE, &format!("/comments/{comment}"), &json!({}), &[]).await
}

fn refused(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.body["code"].as_str().unwrap_or_default())
}

/// The comments that somebody was told of.
fn told(inbox: &Value) -> Vec<&str> {
    let items = inbox["items"].as_array().into_iter().flatten();
    let mentions = items.filter(|item| item["kind"] == "mention");
    mentions.filter_map(|item| item["link"]["id"].as_str()).collect()
}

async fn until_told(client: &Client, comment: &str) -> anyhow::Result<()> {
    client.until("/notifications", SOON, |inbox| told(inbox) == [comment]).await?;
    Ok(())
}

/// Who was told of what, as it stands once nothing is left to do.
async fn all_told(house: &House, clients: &[&Client]) -> anyhow::Result<Vec<usize>> {
    house.idle(SOON).await?;
    let mut counts = Vec::new();
    for client in clients {
        counts.push(told(&client.get("/notifications").await?.ok()?.body).len());
    }
    Ok(counts)
}

#[tokio::test]
async fn a_conversation_on_a_record_is_among_those_who_may_see_it() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let record = role(&owner, "record", &[]).await?;
    let (ann, bob) = (member(&owner, "ann", READER).await?, member(&owner, "bob", READER).await?);
    let cid = member(&owner, "cid", &[USE]).await?;
    let said = say(&ann, &record, "Why? `@owner`").await?.ok()?;
    let comment = said.made().to_owned();
    let list = format!("/comments?subject=rbac.role:{record}");
    let shown = bob.get_after(&list, &said).await?.ok()?;
    let item = &shown.body["items"][0];
    assert_eq!((&item["comment_id"], &item["body"]), (&json!(comment), &json!("Why? `@owner`")));
    assert_eq!((&item["author_id"], &item["mentions"]), (&json!(ann.user_id), &json!([])));

    let answered = answer(&bob, &record, &comment).await?.ok()?;
    let deeper = answer(&ann, &record, answered.made()).await?;
    assert_eq!(refused(&deeper), (422, "COMMENT_PARENT_IS_REPLY"));
    let elsewhere = role(&owner, "elsewhere", &[]).await?;
    let other = answer(&ann, &elsewhere, &comment).await?;
    assert_eq!(refused(&other), (422, "COMMENT_PARENT_UNKNOWN"));

    let path = format!("/comments/{comment}");
    assert_eq!(refused(&cid.get(&list).await?), (403, "FORBIDDEN"));
    assert_eq!(refused(&say(&cid, &record, "Me too").await?), (403, "FORBIDDEN"));
    assert_eq!(refused(&cid.get(&path).await?), (404, "NOT_FOUND"));
    assert_eq!(refused(&edit(&cid, &comment, "x").await?), (404, "NOT_FOUND"));
    assert_eq!(refused(&delete(&cid, &comment).await?), (404, "NOT_FOUND"));
    assert_eq!(cid.get_after("/comments", &said).await?.ok()?.body["items"], json!([]));
    let about_cid = json!({"type": "identity.user", "id": cid.user_id});
    let own = json!({"subject": about_cid, "body": "It is me."});
    cid.post("/comments", &own).await?.ok()?;

    assert_eq!(refused(&edit(&bob, &comment, "x").await?), (403, "COMMENT_AUTHOR_ONLY"));
    assert_eq!(refused(&delete(&bob, &comment).await?), (403, "COMMENT_AUTHOR_ONLY"));
    let edited = edit(&owner, &comment, "Why so?").await?.ok()?;
    let shown = ann.get_after(&path, &edited).await?.ok()?;
    assert_eq!(
        (&shown.body["body"], &shown.body["author_id"]),
        (&json!("Why so?"), &json!(ann.user_id))
    );
    assert!(shown.body["edited_at"].is_string(), "{}", shown.body);

    let deleted = delete(&ann, &comment).await?.ok()?;
    let shown = bob.get_after(&list, &deleted).await?.ok()?;
    let (gone, left) = (&shown.body["items"][0], &shown.body["items"][1]);
    assert_eq!((&gone["comment_id"], &gone["body"]), (&json!(comment), &Value::Null));
    assert!(gone["deleted_at"].is_string(), "{gone}");
    assert_eq!((&left["parent_id"], &left["body"]), (&json!(comment), &json!("Yes.")));
    assert_eq!(refused(&edit(&ann, &comment, "x").await?), (409, "COMMENT_DELETED"));
    assert_eq!(refused(&answer(&ann, &record, &comment).await?), (409, "COMMENT_PARENT_DELETED"));
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn whom_a_comment_calls_hears_of_it_once_whatever_happens() -> anyhow::Result<()> {
    let mut house = House::start().await?;
    let owner = house.found("acme").await?;
    let record = role(&owner, "record", &[]).await?;
    let (ann, bob) = (member(&owner, "ann", READER).await?, member(&owner, "bob", READER).await?);
    let (cid, eve) = (member(&owner, "cid", &[USE]).await?, member(&owner, "eve", READER).await?);
    let dora = json!({"handle": "dora", "email": ADDRESS});
    let dora = owner.post("/users", &dora).await?.ok()?.made().to_owned();
    assign(&owner, &dora, &role(&owner, "dora", READER).await?).await?;

    let said =
        say(&ann, &record, "@Bob, @cid, @ann and @dora: `@eve` is not meant.").await?.ok()?;
    let comment = said.made().to_owned();
    until_told(&bob, &comment).await?;
    let of_mention = |letter: &str| {
        let is = letter.contains("Subject: A comment calls you by name\n");
        is.then(|| letter.to_owned())
    };
    let letter = house.letter(ADDRESS, of_mention).await?;
    assert!(letter.contains(&format!("/comments/{comment}")), "{letter}");
    assert!(!letter.contains("is not meant"), "what was said stays where it was said: {letter}");

    edit(&ann, &comment, "@bob, @eve: look.").await?.ok()?;
    until_told(&eve, &comment).await?;
    edit(&ann, &comment, "@eve: look.").await?.ok()?;
    edit(&ann, &comment, "@eve, @bob: look again.").await?.ok()?;
    let everybody = [&ann, &bob, &cid, &eve];
    assert_eq!(all_told(&house, &everybody).await?, [0, 1, 0, 1]);

    // Every reaction from the first event on, with workers that know nothing.
    house.kill(Resident::Workers)?;
    let pool = house.database().await?;
    for statement in ["delete from work.jobs", "update work.reactions set position = 0"] {
        sqlx::query(statement).execute(&pool).await?;
    }
    pool.close().await;
    house.move_in(Resident::Workers)?;
    let later = say(&ann, &record, "@eve: and this.").await?.ok()?;
    eve.until("/notifications", SOON, |inbox| told(inbox).contains(&later.made())).await?;
    assert_eq!(all_told(&house, &everybody).await?, [0, 1, 0, 2]);
    let letters = house.mail()?;
    assert_eq!(letters.iter().filter_map(|letter| of_mention(letter)).count(), 1);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn organisations_hear_nothing_of_one_another() -> anyhow::Result<()> {
    let house = House::start().await?;
    let (acme, other) = (house.found("acme").await?, house.found("other").await?);
    let record = role(&acme, "record", &[]).await?;
    let bob = other.newcomer("other", "bob").await?;
    let reads = role(&other, "reads", READER).await?;
    assign(&other, &bob.user_id, &reads).await?;
    let said = say(&acme, &record, "@bob @owner: only here.").await?.ok()?;
    let path = format!("/comments/{}", said.made());
    let shown = acme.get_after(&path, &said).await?.ok()?;
    assert_eq!(shown.body["mentions"], json!([acme.user_id]), "their owner is not ours");

    let list = format!("/comments?subject=rbac.role:{record}");
    assert_eq!(other.get(&list).await?.ok()?.body["items"], json!([]));
    assert_eq!(refused(&other.get(&path).await?), (404, "NOT_FOUND"));
    assert_eq!(refused(&edit(&other, said.made(), "x").await?), (404, "NOT_FOUND"));
    assert_eq!(refused(&delete(&other, said.made()).await?), (404, "NOT_FOUND"));
    let unknown = say(&other, &record, "Mine?").await?;
    assert_eq!(refused(&unknown), (422, "COMMENT_SUBJECT_UNKNOWN"));
    assert_eq!(all_told(&house, &[&acme, &other, &bob]).await?, [0, 0, 0]);
    house.stop().await;
    Ok(())
}
