//! A program elsewhere hears of events: signed so that anybody can verify it, again when it did not take one, of its own organisation
//! only, and not any more once it says that it is gone.

use std::time::Duration;

use journeys::{Client, House, Listener, Reply};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(1);

/// Has a program hear of events at a path; its id and its secret.
async fn register(
    client: &Client,
    program: &Listener,
    (path, events): (&str, &[&str]),
) -> anyhow::Result<(String, String)> {
    let body = json!({"url": format!("{}{path}", program.url), "events": events});
    let made = client.post("/webhooks", &body).await?.ok()?;
    let secret = made.body["secret"].as_str().unwrap_or_default().to_owned();
    assert!(secret.starts_with("whsec_"), "{}", made.body);
    Ok((made.made().to_owned(), secret))
}

async fn role(client: &Client, code: &str) -> anyhow::Result<Reply> {
    client.post("/rbac/roles", &json!({"code": code, "name": code})).await?.ok()
}

/// A role that may do this; its id.
async fn may(client: &Client, name: &str, permissions: &[&str]) -> anyhow::Result<String> {
    let body = json!({ "name": name, "permissions": permissions });
    Ok(client.post("/rbac/roles", &body).await?.ok()?.made().to_owned())
}

/// The only delivery of a program, once it is as it should be.
async fn delivery(
    client: &Client,
    endpoint: &str,
    good: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let path = format!("/webhooks/{endpoint}/deliveries");
    let only = |body: &Value| body["items"].as_array().is_some_and(|items| items.len() == 1);
    let page = client.until(&path, SOON, |body| only(body) && good(&body["items"][0])).await?;
    Ok(page.body["items"][0].clone())
}

#[tokio::test]
async fn programs_hear_of_their_own_organisation_sealed_and_signed() -> anyhow::Result<()> {
    let house = House::start().await?;
    let program = Listener::start()?;
    let (acme, other) = (house.found("acme").await?, house.found("other").await?);
    let (endpoint, secret) = register(&acme, &program, ("/acme", &["*"])).await?;
    let (_, others) = register(&other, &program, ("/other", &["*"])).await?;
    for client in [&acme, &other] {
        let ada = json!({"handle": "ada", "display_name": "Ada Lovelace"});
        client.post("/users", &ada).await?.ok()?;
        role(client, "clerk").await?;
    }
    house.idle(SOON).await?;
    let heard = program.heard()?;
    for (client, path) in [(&acme, "/acme"), (&other, "/other")] {
        let of_them: Vec<_> = heard.iter().filter(|heard| heard.path == path).collect();
        let source = format!("/tenants/{}/", client.tenant_id);
        for heard in &of_them {
            let event = heard.event();
            assert!(event["source"].as_str().is_some_and(|it| it.starts_with(&source)), "{event}");
            assert_eq!(heard.header("content-type"), "application/cloudevents+json");
            assert_eq!(event["id"], heard.header("webhook-id"), "{event}");
        }
        let of = |kind: &str| of_them.iter().filter(|it| it.event()["type"] == kind).count();
        assert_eq!((of("identity.user.registered"), of("rbac.policy.role_created")), (1, 1));
        assert_eq!(of("identity.organization.created"), 0, "it came before");
        assert_eq!(of("webhooks.endpoint.registered"), 0, "nobody hears of programs");
    }
    let registered = heard.iter().find(|it| it.event()["type"] == "identity.user.registered");
    let registered = registered.map(|it| it.body.as_str()).unwrap_or_default();
    assert!(registered.contains("sealed.v1."), "{registered}");
    assert!(heard.iter().all(|it| !it.body.contains("Lovelace")), "what is personal stays sealed");

    let by = |secret: &str| program.verified(secret);
    let expected: Vec<bool> = heard.iter().map(|it| it.path == "/acme").collect();
    assert_eq!(by(&secret)?, expected, "its own and nothing else");
    assert_eq!(by(&others)?, expected.iter().map(|it| !it).collect::<Vec<_>>());

    // Two secrets sign for a while, then one.
    let path = format!("/webhooks/{endpoint}/rotate-secret");
    let next = acme.post(&path, &json!({})).await?.ok()?;
    let next = next.body["secret"].as_str().unwrap_or_default().to_owned();
    role(&acme, "guard").await?;
    house.idle(SOON).await?;
    assert_eq!((by(&secret)?.last(), by(&next)?.last()), (Some(&true), Some(&true)));
    let last = acme.post(&path, &json!({"overlap_minutes": 0})).await?.ok()?;
    let last = last.body["secret"].as_str().unwrap_or_default().to_owned();
    role(&acme, "night").await?;
    house.idle(SOON).await?;
    let newest = [by(&secret)?, by(&next)?, by(&last)?].map(|by| by.last().copied());
    assert_eq!(newest, [Some(false), Some(false), Some(true)]);
    let shown = acme.get(&format!("/webhooks/{endpoint}/history")).await?.ok()?;
    for secret in [&secret, &next, &last] {
        assert!(!shown.text.contains(secret.trim_start_matches("whsec_")), "{}", shown.text);
    }
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_a_program_did_not_take_comes_again_and_nothing_once_it_is_gone() -> anyhow::Result<()>
{
    let house = House::start().await?;
    let program = Listener::start()?;
    let owner = house.found("acme").await?;
    let wanted: &[&str] = &["rbac.policy.role_created"];
    let (endpoint, _) = register(&owner, &program, ("/shop", wanted)).await?;
    program.answer("/shop", 500)?;
    role(&owner, "clerk").await?;
    let failed = delivery(&owner, &endpoint, |it| it["attempts"] == 1).await?;
    assert_eq!((&failed["state"], &failed["last_status"]), (&json!("retrying"), &json!(500)));
    assert!(failed["next_at"].is_string(), "{failed}");
    program.answer("/shop", 204)?;
    let taken = delivery(&owner, &endpoint, |it| it["state"] == "delivered").await?;
    assert_eq!((&taken["attempts"], &taken["last_status"]), (&json!(2), &json!(204)));
    let statuses: Vec<_> = taken["history"].as_array().into_iter().flatten().collect();
    assert_eq!(statuses.iter().map(|it| &it["status"]).collect::<Vec<_>>(), [500, 204]);
    assert_eq!(program.counted("/shop")?.values().copied().collect::<Vec<_>>(), [2]);

    // Once more because somebody wants it, under the same id.
    let id = taken["delivery_id"].as_str().unwrap_or_default();
    let again = format!("/webhooks/{endpoint}/deliveries/{id}/redeliver");
    owner.post(&again, &json!({})).await?.ok()?;
    delivery(&owner, &endpoint, |it| it["attempts"] == 3).await?;
    assert_eq!(program.counted("/shop")?.values().copied().collect::<Vec<_>>(), [3]);
    let nobodys = format!("/webhooks/{endpoint}/deliveries/{endpoint}/redeliver");
    assert_eq!(owner.post(&nobodys, &json!({})).await?.status, 404);

    owner.post(&format!("/webhooks/{endpoint}/test"), &json!({})).await?.ok()?;
    house.idle(SOON).await?;
    let heard = program.heard()?;
    let last = heard.last().map(journeys::Heard::event).unwrap_or_default();
    assert_eq!(last["type"], "webhooks.endpoint.test_requested", "{last}");

    program.answer("/shop", 410)?;
    role(&owner, "guard").await?;
    let path = format!("/webhooks/{endpoint}");
    let gone = owner.until(&path, SOON, |body| body["status"] == "disabled").await?;
    assert_eq!(gone.body["disabled_reason"], "gone");
    let told = |body: &Value| body.to_string().contains("webhook_disabled");
    owner.until("/notifications", SOON, told).await?;
    let before = program.heard()?.len();
    role(&owner, "night").await?;
    house.idle(SOON).await?;
    assert_eq!(program.heard()?.len(), before, "it hears of nothing any more");
    program.answer("/shop", 204)?;
    owner.post(&format!("{path}/enable"), &json!({})).await?.ok()?;
    role(&owner, "day").await?;
    house.idle(SOON).await?;
    let last = program.heard()?.last().map(journeys::Heard::event).unwrap_or_default();
    assert_eq!(last["data"]["code"], "day", "{last}");
    let deleted = owner.command(Method::DELETE, &path, &json!({}), &[]).await?.ok()?;
    assert_eq!(owner.get_after(&path, &deleted).await?.status, 404);
    house.stop().await;
    Ok(())
}

#[tokio::test]
async fn nobody_is_told_in_the_name_of_somebody_who_may_not_see_events() -> anyhow::Result<()> {
    let house = House::start().await?;
    let program = Listener::start()?;
    let owner = house.found("acme").await?;
    let rights = ["webhooks.endpoints:manage", "webhooks.endpoints:read"];
    let manager = may(&owner, "Hooks", &rights).await?;
    let reader = may(&owner, "Auditor", &["audit.events:read"]).await?;
    let ada = owner.newcomer("acme", "ada").await?;
    let give = |role: &str| json!({"user_id": ada.user_id, "role_id": role});
    owner.post("/rbac/assign", &give(&manager)).await?.ok()?;
    let url = format!("{}/ada", program.url);
    let body = json!({"url": url, "events": ["rbac.policy.role_created"]});
    assert_eq!(ada.post("/webhooks", &body).await?.status, 403, "she may not see them herself");
    owner.post("/rbac/assign", &give(&reader)).await?.ok()?;
    let (endpoint, _) = register(&ada, &program, ("/ada", &["rbac.policy.role_created"])).await?;
    role(&owner, "clerk").await?;
    delivery(&owner, &endpoint, |it| it["state"] == "delivered").await?;
    let taken = format!("/rbac/users/{}/roles/{reader}", ada.user_id);
    owner.command(Method::DELETE, &taken, &json!({}), &[]).await?.ok()?;
    role(&owner, "guard").await?;
    let path = format!("/webhooks/{endpoint}");
    let lost = owner.until(&path, SOON, |body| body["status"] == "disabled").await?;
    assert_eq!(lost.body["disabled_reason"], "owner_lost");
    house.idle(SOON).await?;
    assert_eq!(program.counted("/ada")?.len(), 1, "of what came later nobody hears");
    house.stop().await;
    Ok(())
}
