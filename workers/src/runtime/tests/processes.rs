//! Process managers on a real log: what is remembered, and that reading everything again changes nothing.

use super::*;

/// Somebody is greeted as every third who comes.
struct Thirds;

impl Process for Thirds {
    const NAME: &'static str = "test_thirds";
    const EVENTS: &'static [&'static str] = &["identity.user.registered"];
    type Memory = u32;

    fn correlation(event: &Recorded) -> anyhow::Result<Option<String>> {
        let is_counted = !event.payload.contains("user99");
        Ok(is_counted.then(|| "everybody".to_owned()))
    }

    fn turn(memory: Option<u32>, _: &Recorded) -> anyhow::Result<Turn<u32>> {
        let count = memory.unwrap_or_default() + 1;
        let subject_id = format!("number {count}");
        let greet = Effect::Start { kind: KIND, subject_id, body: json!({}) };
        let effects = if count.is_multiple_of(3) { vec![greet] } else { Vec::new() };
        Ok(Turn { memory: Some(count), effects })
    }
}

fn jobs() -> Jobs {
    Jobs {
        reactions: vec![process::reaction::<Thirds>()],
        handlers: vec![handler()],
        ..Jobs::none()
    }
}

async fn memory(house: &House) -> Vec<(String, i64)> {
    sqlx::query_as("select correlation || ' ' || memory::text, position from work.processes")
        .fetch_all(&house.office.pool)
        .await
        .unwrap()
}

async fn run(house: &House, statement: &str) {
    sqlx::query(statement).execute(&house.office.pool).await.unwrap();
}

#[tokio::test]
async fn a_process_remembers_and_takes_no_event_twice() {
    let house = House::new().await;
    for number in [1, 2, 99, 3, 4, 5] {
        house.register(number).await;
    }
    let (one, other) = (house.start(jobs(), None), house.start(jobs(), None));
    house.until(&["succeeded"]).await;
    house.register(6).await;
    house.until(&["succeeded"; 2]).await;
    one.stop().await;
    other.stop().await;
    assert_eq!(memory(&house).await, [("everybody 6".to_owned(), 7)]);

    // Weeks later, from the first event on.
    run(&house, "delete from work.jobs").await;
    run(&house, "update work.reactions set position = 0").await;
    for number in 7..10 {
        house.register(number).await;
    }
    let again = house.start(jobs(), None);
    house.until(&["succeeded"]).await;
    again.stop().await;
    let subjects: Vec<String> = seen().into_iter().map(|(subject, _)| subject).collect();
    assert_eq!(subjects, ["number 3", "number 6", "number 9"]);
    assert_eq!(memory(&house).await, [("everybody 9".to_owned(), 10)]);
}
