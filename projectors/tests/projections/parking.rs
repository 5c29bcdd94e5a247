//! An event that fails stops its own group of rows, in its own projection, until it is mended; nothing else.

use std::sync::atomic::Ordering;

use events::TenantId;
use events::testing::id;
use projectors::admin;

use crate::support::Place;
use crate::tallies::{self, POISONOUS, tell};
use crate::workload::tenant;

async fn messages(place: &Place, user: u128) -> Option<i64> {
    sqlx::query_scalar("select messages from read.test_tallies where user_id = $1")
        .bind(id::<events::UserId>(user).0)
        .fetch_optional(&place.owner)
        .await
        .unwrap()
}

/// The same messages, the second of user 1 being titled as given.
async fn correspondence(place: &Place, title: &str) -> i64 {
    let mut last = 0;
    for number in 0..60 {
        last = tell(place, tenant(0), number % 3, if number == 4 { title } else { "fine" }).await;
    }
    last
}

#[tokio::test]
async fn a_failing_event_parks_its_group_and_a_retry_makes_it_as_if_it_had_never_failed() {
    let place = Place::new().await;
    tallies::create_table(&place).await;
    let projections = tallies::projection::<1>();
    let projector = place.projector(tallies::projection::<1>()).await;
    let last = correspondence(&place, "poison").await;
    place.reached(&projections, last).await;
    assert_eq!(messages(&place, 1).await, Some(1), "the group stands where it was before");
    assert_eq!(messages(&place, 2).await, Some(20), "the others went on");

    let parked = admin::parked(&place.pool).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].position, &*parked[0].error), (5, "it is poison"));
    assert_eq!(parked[0].event_type, "notifications.notification.created");
    let status = admin::list(&place.pool, &projections).await.unwrap();
    assert_eq!((status[0].parked, status[0].lag_positions), (1, 0));

    let group = parked[0].group_key.clone();
    let retry =
        async || admin::retry(&place.pool, &projections, "test_tallies", tenant(0), &group).await;
    assert!(retry().await.unwrap().is_some_and(|error| error.contains("it is poison")));
    assert_eq!(admin::parked(&place.pool).await.unwrap()[0].attempts, 2);
    assert_eq!(messages(&place, 1).await, Some(1), "a failed retry changes nothing");

    POISONOUS.store(false, Ordering::SeqCst);
    assert_eq!(retry().await.unwrap(), None);
    assert_eq!(place.count("read.parked").await, 0);
    let last = tell(&place, tenant(0), 1, "after").await;
    place.reached(&projections, last).await;
    assert_eq!(messages(&place, 1).await, Some(21));
    projector.stop().await;
    place.prove(&projections).await;

    let never = Place::new().await;
    tallies::create_table(&never).await;
    let projector = never.projector(tallies::projection::<1>()).await;
    correspondence(&never, "poison").await;
    let last = tell(&never, tenant(0), 1, "after").await;
    never.reached(&projections, last).await;
    projector.stop().await;
    assert_eq!(never.digests(&projections).await, place.digests(&projections).await);
}

#[tokio::test]
async fn a_group_stays_parked_over_a_restart() {
    let place = Place::new().await;
    tallies::create_table(&place).await;
    let projections = tallies::projection::<1>();
    let projector = place.projector(tallies::projection::<1>()).await;
    let last = correspondence(&place, "deadly").await;
    place.reached(&projections, last).await;
    projector.kill().await;
    let projector = place.projector(tallies::projection::<1>()).await;
    let last = correspondence(&place, "fine").await;
    place.reached(&projections, last).await;
    assert_eq!(messages(&place, 1).await, Some(1));
    assert_eq!(messages(&place, 2).await, Some(40));
    projector.stop().await;
}

#[tokio::test]
async fn rows_that_postgres_refuses_park_their_group_only() {
    let place = Place::new().await;
    tallies::create_table(&place).await;
    let projections = tallies::projection::<1>();
    let projector = place.projector(tallies::projection::<1>()).await;
    let last = correspondence(&place, "refused").await;
    place.reached(&projections, last).await;
    assert_eq!(messages(&place, 1).await, Some(1));
    assert_eq!(messages(&place, 0).await, Some(20));
    let parked = admin::parked(&place.pool).await.unwrap();
    assert_eq!((parked.len(), parked[0].position), (1, 5));
    assert!(parked[0].error.contains("not_refused"), "{}", parked[0].error);

    place.run("alter table read.test_tallies drop constraint not_refused").await;
    let (name, group) = ("test_tallies", parked[0].group_key.as_str());
    let retried = admin::retry(&place.pool, &projections, name, tenant(0), group).await.unwrap();
    assert_eq!(retried, None);
    assert_eq!(messages(&place, 1).await, Some(20));
    projector.stop().await;
    place.prove(&projections).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_parks_its_stream_but_not_the_trail() {
    let place = Place::new().await;
    let all = projectors::all();
    let user = id::<events::UserId>(1).to_string();
    let strange = (
        "identity.user.teleported".to_owned(),
        r#"{"type":"identity.user.teleported","to":"Mars"}"#.to_owned(),
    );
    place.append_raw(tenant(0), ("identity.user", &user), &[strange]).await;
    let last = crate::workload::happen(&place, tenant(0), 7).await;
    let projector = place.projector(projectors::all()).await;
    place.reached(&all, last).await;
    let parked = admin::parked(&place.pool).await.unwrap();
    let users: Vec<_> = parked.iter().filter(|one| one.projection == "identity_users").collect();
    assert_eq!(users.len(), 1, "{parked:?}");
    assert_eq!(users[0].position, 1);
    assert_eq!(place.count("read.identity_users").await, 1, "the other user is there");
    assert_eq!(
        place
            .count(
                "audit.trail where action = 'identity.user.teleported' and detail->>'to' = 'Mars'"
            )
            .await,
        1
    );
    assert!(parked.iter().all(|one| one.projection != "audit_trail"), "{parked:?}");
    projector.stop().await;
}

#[tokio::test]
async fn a_projection_whose_table_is_missing_stops_alone() {
    let place = Place::new().await;
    tallies::create_table(&place).await;
    let mut projections = projectors::all();
    projections.extend(tallies::projection::<1>());
    let mut same = projectors::all();
    same.extend(tallies::projection::<1>());
    let projector = place.projector(same).await;
    let last = tell(&place, tenant(0), 1, "one").await;
    place.reached(&projections, last).await;
    place.run("alter table read.test_tallies rename to lost").await;
    let last = tell(&place, tenant(0), 1, "two").await;
    place.reached(&projectors::all(), last).await;
    let status = admin::list(&place.pool, &projections).await.unwrap();
    let tally = status.iter().find(|one| one.name == "test_tallies").unwrap();
    assert_eq!(tally.state, "stopped");
    assert!(
        tally.error.as_deref().is_some_and(|error| error.contains("test_tallies")),
        "{tally:?}"
    );

    place.run("alter table read.lost rename to test_tallies").await;
    projector.stop().await;
    let projector = place.projector(tallies::projection::<1>()).await;
    place.reached(&tallies::projection::<1>(), last).await;
    assert_eq!(messages(&place, 1).await, Some(2));
    projector.stop().await;
}

#[tokio::test]
async fn a_group_that_is_not_parked_cannot_be_retried() {
    let place = Place::new().await;
    tallies::create_table(&place).await;
    let projections = tallies::projection::<1>();
    let projector = place.projector(tallies::projection::<1>()).await;
    let last = tell(&place, tenant(0), 1, "one").await;
    place.reached(&projections, last).await;
    let nobody: TenantId = tenant(0);
    let refused = admin::retry(&place.pool, &projections, "test_tallies", nobody, "x").await;
    assert!(refused.unwrap_err().to_string().contains("holds back no group"));
    let refused = admin::retry(&place.pool, &projections, "tallies", nobody, "x").await;
    assert!(refused.unwrap_err().to_string().contains("there are: test_tallies"));
    projector.stop().await;
}
