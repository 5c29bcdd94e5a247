//! Jobs that are given up: told, listed, shown, put back, left as they are.

use super::*;

#[tokio::test]
async fn a_job_that_fails_is_tried_again_and_then_given_up_and_told() {
    let house = House::new().await;
    house.put(1, "once", "fail once").await;
    house.put(1, "always", "fail").await;
    house.put(1, "refused", "refuse").await;
    house.put(1, "panics", "panic").await;
    let started = house.start(only(handler()), None);
    house.until(&["succeeded", "dead", "failed", "dead"]).await;
    started.stop().await;
    let counts = ["once", "always", "refused", "panics"].map(times);
    assert_eq!(counts, [2, 3, 1, 3]);
    let mut told = GIVEN_UP.lock().unwrap().clone();
    told.sort();
    assert_eq!(told, ["always", "panics"]);
}

#[tokio::test]
async fn dead_letters_are_listed_and_put_back() {
    let house = House::new().await;
    let job_id = house.put(1, "always", "fail").await;
    let started = house.start(only(handler()), None);
    house.until(&["dead"]).await;
    let pool = &house.office.pool;
    let dead = admin::dead(pool, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].job_id, dead[0].attempt), (1, job_id, 3));
    assert_eq!(dead[0].error.as_deref(), Some("it did not work"));

    sqlx::query("update work.jobs set body = '{}'").execute(pool).await.unwrap();
    assert_eq!(admin::retry(pool, Some(clock::new_id())).await.unwrap(), 0);
    assert_eq!(admin::retry(pool, Some(job_id)).await.unwrap(), 1);
    house.until(&["succeeded"]).await;
    started.stop().await;
    assert_eq!(admin::retry(pool, None).await.unwrap(), 0);
}

#[tokio::test]
async fn a_job_that_kills_every_worker_is_given_up_and_told() {
    let house = House::new().await;
    house.put(1, "poison", "succeed").await;
    for _ in 0..3 {
        house.take(Duration::ZERO).await.unwrap();
        assert_eq!(queue::reclaim(&house.office.pool, KIND).await.unwrap(), 1);
    }
    let started = house.start(only(handler()), None);
    house.until(&["dead"]).await;
    started.stop().await;
    assert_eq!(*GIVEN_UP.lock().unwrap(), ["poison"]);
    assert!(seen().is_empty());
}

#[tokio::test]
async fn a_dead_letter_is_shown_and_left_as_it_is_with_a_reason() {
    let house = House::new().await;
    let job_id = house.put(1, "always", "fail").await;
    let started = house.start(only(handler()), None);
    house.until(&["dead"]).await;
    started.stop().await;
    let pool = &house.office.pool;
    let shown = admin::show(pool, job_id).await.unwrap().unwrap();
    assert_eq!((&*shown.listed.state, &shown.body["do"]), ("dead", &json!("fail")));
    assert_eq!(admin::show(pool, clock::new_id()).await.unwrap(), None);
    assert!(admin::skip(pool, job_id, "not ours").await.unwrap());
    assert!(!admin::skip(pool, job_id, "again").await.unwrap());
    assert_eq!(admin::retry(pool, None).await.unwrap(), 0);
    assert_eq!(admin::show(pool, job_id).await.unwrap().unwrap().listed.state, "skipped");
}
