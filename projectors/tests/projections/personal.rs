//! What is personal: open in the rows of users, sealed in the trail, gone with its key, and proven before and after.

use std::sync::Arc;

use events::envelope::encode;
use events::identity::user::Event;
use events::testing::id;
use events::{TenantId, UserId};
use platform::config::Settings;
use platform::db::{self, Role};
use platform::personal::Personal;
use platform::secrets::MasterKey;
use projectors::admin;
use sqlx::PgPool;

use crate::support::Place;

const USER: &str = "identity.user";

fn master_key() -> String {
    format!("{}Bwc=", "BwcH".repeat(10))
}

/// Appends events of user 1 as command-api does.
async fn append(place: &Place, commands: &PgPool, events: &[Event]) -> i64 {
    let personal = Personal::new(MasterKey::parse(&master_key()).unwrap());
    let (tenant, user) = (id::<TenantId>(1), id::<UserId>(1).to_string());
    let mut texts = Vec::new();
    for event in events {
        let mut encoded = encode(event).unwrap();
        personal.seal_event(commands, (tenant, &user), &mut encoded).await.unwrap();
        assert!(!encoded.payload.contains("Ada"), "{}", encoded.payload);
        texts.push((encoded.event_type, encoded.payload));
    }
    place.append_raw(tenant, (USER, &user), &texts).await
}

async fn text(place: &Place, query: &str) -> String {
    sqlx::query_scalar(query).fetch_one(&place.owner).await.unwrap()
}

#[tokio::test]
async fn users_are_open_and_the_trail_sealed_and_both_hold_when_the_key_is_gone() {
    let place = Place::new().await;
    let settings = Settings { master_key: master_key(), ..place.settings("") };
    let commands = db::connect(&place.database.url, Role::CommandApi, 2).await.unwrap();
    let all = projectors::with_keys(&settings).unwrap();
    let registered = Event::Registered {
        handle: "Ada".into(),
        display_name: "Ada \"the Countess\" L.".into(),
        email: Some("Ada@example.org".into()),
        locale: "en".into(),
        time_zone: "UTC".into(),
    };
    let last = append(&place, &commands, &[registered]).await;
    let projector = place.projector(all.iter().map(Arc::clone).collect()).await;
    place.reached(&all, last).await;
    let shown = "select display_name from read.identity_users";
    assert_eq!(text(&place, shown).await, "Ada \"the Countess\" L.");
    let trail = "select string_agg(t::text, ' ') from audit.trail t";
    assert!(!text(&place, trail).await.contains("Ada"));
    place.prove(&all).await;

    let erased = Event::Erased { handle: "Ada".into(), email: Some("Ada@example.org".into()) };
    let last = append(&place, &commands, &[erased]).await;
    place.reached(&all, last).await;
    place.run("delete from secrets.subject_keys").await;
    assert_eq!(text(&place, shown).await, "erased");
    projector.stop().await;
    let later = projectors::with_keys(&settings).unwrap(); // remembers no keys
    place.prove(&later).await;
    for name in ["identity_users", "audit_trail"] {
        admin::rebuild(&place.pool, &later, name).await.unwrap();
    }
    place.prove(&later).await;
    let without_keys = admin::rebuild(&place.pool, &projectors::all(), "identity_users").await;
    let error = format!("{:#}", without_keys.unwrap_err());
    assert!(error.contains("ANNALS_MASTER_KEY"), "{error}");
    commands.close().await;
}
