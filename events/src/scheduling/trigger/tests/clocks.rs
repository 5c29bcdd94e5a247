//! Clocks that jump, and schedulers that fire whatever is due by the clock of the moment.

use super::*;

/// What follows when schedulers look at these moments, one after the other; an occurrence each until nothing is due.
fn looked_at(moments: &[&str]) -> Vec<Event> {
    let mut trigger = Trigger::default();
    trigger.evolve(&created());
    let mut all = Vec::new();
    for now in moments {
        while let Some(occurrence) = trigger.next_at {
            let fire = Command::RecordFire { occurrence };
            match trigger.decide(fire, &Facts::default(), &on(now)) {
                Ok(events) => {
                    for event in &events {
                        trigger.evolve(event);
                    }
                    all.extend(events);
                }
                Err(Rejection::NotDue(due)) => {
                    assert_eq!(due, occurrence);
                    break;
                }
                Err(other) => panic!("{now}: {other}"),
            }
        }
    }
    all
}

#[test]
fn whatever_the_clock_does_every_occurrence_is_settled_once_and_in_its_order() {
    let events = looked_at(&[
        "2026-01-02T09:00:10Z",
        "2026-01-01T03:00:00Z", // back before everything
        "2026-01-05T09:00:05Z", // forward over three days
        "2026-01-04T09:00:00Z", // back into them
        "2026-01-05T10:00:00Z",
        "2026-02-05T08:59:59Z", // a month ahead
        "2026-01-06T09:00:00Z", // and back: what was settled ahead stays settled
        "2026-02-05T09:00:00Z",
    ]);
    let mut settled = Vec::new();
    for event in &events {
        let (from, count) = if let Event::Fired { occurrence, .. } = event {
            (*occurrence, 1)
        } else if let Event::Skipped { occurrence, count, .. } = event {
            (*occurrence, *count)
        } else {
            panic!("{event:?}")
        };
        let day = |n: u64| from + jiff::SignedDuration::from_hours(24 * i64::try_from(n).unwrap());
        settled.extend((0..count).map(day));
    }
    // Every morning from the 2nd of January to the 5th of February.
    let first = at("2026-01-02T09:00:00Z");
    let expected: Vec<Timestamp> =
        (0..35).map(|n| first + jiff::SignedDuration::from_hours(24 * n)).collect();
    assert_eq!(settled, expected);
    let fired = events.iter().filter(|event| matches!(event, Event::Fired { .. })).count();
    assert_eq!(fired, 4, "three on time, and the latest of a month that was missed");
}
