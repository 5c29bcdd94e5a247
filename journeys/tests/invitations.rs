//! Somebody is invited by e-mail, joins with what they were promised, and whoever invited them hears of it; nothing but the
//! letter keeps the token.

use std::time::Duration;

use journeys::House;
use journeys::client::PASSWORD;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn who_is_invited_joins_with_their_roles_and_the_sender_hears_of_it() -> anyhow::Result<()> {
    let house = House::start().await?;
    let owner = house.found("acme").await?;
    let role = json!({"name": "Auditor", "permissions": ["audit.trail:read"]});
    let role = owner.post("/rbac/roles", &role).await?.ok()?;
    let invite = json!({"email": "ada@acme.test", "message": "Join us!",
        "roles": [{"role_id": role.made()}]});
    let issued = owner.post("/invitations", &invite).await?.ok()?;
    let path = format!("/invitations/{}", issued.made());
    let token = house.mailed("ada@acme.test", "accept-invitation").await?;
    assert_eq!(issued.body["token"], token.as_str(), "what is mailed is what may be handed over");
    let shown = owner.get_after(&path, &issued).await?.ok()?;
    assert_eq!((&shown.body["status"], &shown.body["email"]), (&json!("open"), &invite["email"]));

    let nobody = owner.with_token("");
    let accept =
        json!({"token": token, "handle": "ada", "display_name": "Ada", "password": PASSWORD});
    nobody.post("/invitations/accept", &accept).await?.ok()?;
    let ada = nobody.login("acme", "ada@acme.test").await?;
    let rights = ada.get("/me/permissions").await?.ok()?;
    assert_eq!(rights.body["permissions"], json!(["audit.trail:read"]));
    owner.until(&path, SOON, |body| body["status"] == "accepted").await?;
    let open = owner.get("/invitations?filter=status=open").await?.ok()?;
    assert_eq!(open.body["items"], json!([]));
    assert_eq!(
        ada.get("/invitations").await?.status,
        403,
        "invitations are for those who may see them"
    );

    let told = |body: &Value| body.to_string().contains("Your invitation was accepted");
    owner.until("/notifications", SOON, told).await?;
    let trail = "/audit-logs?resource_type=identity.invitation";
    let traced = |body: &Value| body.to_string().contains("identity.invitation.accepted");
    let trail = owner.until(trail, SOON, traced).await?;

    let secret = token.rsplit('.').next().unwrap_or_default();
    let replay = owner.bytes(&format!("{}/api/v1/events/replay", house.query_url)).await?;
    let database = house.database().await?;
    let jobs = "select string_agg(j::text, ' ') from work.jobs j";
    let jobs: String = sqlx::query_scalar(jobs).fetch_one(&database).await?;
    assert!(jobs.contains("identity.mail"), "{jobs}");
    for text in [String::from_utf8(replay)?, house.last_words(), trail.body.to_string(), jobs] {
        assert!(!secret.is_empty() && !text.contains(secret), "{text}");
    }
    let proof = house.annals(&["prove"])?;
    assert!(proof.status.success(), "{}", String::from_utf8_lossy(&proof.stderr));
    house.stop().await;
    Ok(())
}
