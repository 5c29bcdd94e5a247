//! Jobs that say themselves when they come again: with one attempt less, or as if they had not been taken.

use super::*;

#[tokio::test]
async fn a_job_comes_again_when_it_says_and_one_that_was_not_tried_has_lost_no_attempt() {
    let house = House::new().await;
    house.put(1, "later", "later").await;
    house.put(1, "waits", "not yet").await;
    let started = house.start(only(handler()), None);
    house.until(&["dead", "succeeded"]).await;
    started.stop().await;
    assert_eq!(["later", "waits"].map(times), [3, 6]);
    assert_eq!(house.states().await, [("dead".into(), 3), ("succeeded".into(), 1)]);
    assert_eq!(*GIVEN_UP.lock().unwrap(), ["later"]);
    let error: Option<String> =
        sqlx::query_scalar("select error from work.jobs where state = 'dead'")
            .fetch_one(&house.office.pool)
            .await
            .unwrap();
    assert_eq!(error.as_deref(), Some("not taken"));
}

#[tokio::test]
async fn a_job_is_not_taken_before_the_time_it_says() {
    let house = House::new().await;
    house.put(1, "later", "later").await;
    let job = house.take(LEASE).await.unwrap();
    let hour = Duration::from_hours(1);
    job.put_off(&house.office.pool, hour).await.unwrap();
    assert_eq!(house.states().await, [("queued".into(), 0)]);
    assert!(house.take(LEASE).await.is_none(), "it is put off");
}
