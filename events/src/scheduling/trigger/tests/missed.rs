//! What was missed, and what a counter passes.

use super::*;

#[test]
fn of_those_missed_the_latest_fires() {
    let next = "2026-01-06T09:00:00Z";
    given::<Trigger>([created()])
        .context(on("2026-01-05T10:00:00Z"))
        .when(fire("2026-01-02T09:00:00Z"))
        .then([
            skipped("2026-01-02T09:00:00Z", "2026-01-04T09:00:00Z", 3, SkipReason::Misfire, next),
            fired("2026-01-05T09:00:00Z", Some(next)),
        ]);
    // One on time is enough.
    given::<Trigger>([created()])
        .context(on("2026-01-03T09:00:10Z"))
        .when(fire("2026-01-02T09:00:00Z"))
        .then([
            skipped(
                "2026-01-02T09:00:00Z",
                "2026-01-02T09:00:00Z",
                1,
                SkipReason::Misfire,
                "2026-01-04T09:00:00Z",
            ),
            fired("2026-01-03T09:00:00Z", Some("2026-01-04T09:00:00Z")),
        ]);
}

fn created_to(misfire: Misfire) -> Event {
    let terms = Terms { modifiers: modifiers(misfire), ..terms(daily()) };
    created_with(terms, Some("2026-01-02T09:00:00Z"))
}

#[test]
fn of_those_missed_none_fires_or_so_many() {
    let next = "2026-01-06T09:00:00Z";
    let after = |misfire| {
        given::<Trigger>([created_to(misfire)])
            .context(on("2026-01-05T10:00:00Z"))
            .when(fire("2026-01-02T09:00:00Z"))
    };
    let all = skipped("2026-01-02T09:00:00Z", "2026-01-05T09:00:00Z", 4, SkipReason::Misfire, next);
    after(Misfire::Skip).then([all]);
    let two = skipped("2026-01-02T09:00:00Z", "2026-01-03T09:00:00Z", 2, SkipReason::Misfire, next);
    after(Misfire::CatchUp { most: 2 }).then([
        two,
        fired("2026-01-04T09:00:00Z", Some(next)),
        fired("2026-01-05T09:00:00Z", Some(next)),
    ]);
}

#[test]
fn after_a_long_absence_what_was_missed_is_settled_in_pieces() {
    let every = Spec::Cron { expression: "* * * * *".into() };
    let past = created_with(terms(every), Some("2026-01-01T12:01:00Z"));
    let now = on("2026-01-03T12:00:00Z");
    let mut trigger = Trigger::default();
    trigger.evolve(&past);
    let mut settled = Vec::new();
    while let Some(occurrence) = trigger.next_at.filter(|next| *next <= now.now) {
        let command = Command::RecordFire { occurrence };
        let events = trigger.decide(command, &Facts::default(), &now).unwrap();
        for event in events {
            trigger.evolve(&event);
            settled.push(event);
        }
    }
    let count = |event: &Event| {
        if let Event::Skipped { count, .. } = event { *count } else { 0 }
    };
    assert_eq!(settled.iter().map(count).sum::<u64>() + trigger.fires, 48 * 60);
    // Those of the last minute are on time.
    assert_eq!((trigger.fires, trigger.last_fired), (2, Some(now.now)));
    assert!(settled.len() < 10, "{settled:?}");
}

#[test]
fn usage_fires_once_however_many_thresholds_are_passed() {
    let past = || created_with(terms(usage()), None);
    given::<Trigger>([]).when(Command::Create(create(terms(usage())))).then([past()]);
    let now = "2026-01-02T00:00:00Z";
    let read = |events: Vec<Event>, reading| {
        given::<Trigger>(events).context(on(now)).when(Command::RecordUsage { reading })
    };
    read(vec![past()], 249).then([]);
    let passed = Event::Fired {
        occurrence: at(now),
        version: 1,
        crossings: Some(3),
        reading: Some(800),
        next_at: None,
    };
    read(vec![past()], 800).then([passed.clone()]);
    let later = |reading| {
        given::<Trigger>([past(), passed.clone()])
            .context(on("2026-01-03T00:00:00Z"))
            .when(Command::RecordUsage { reading })
    };
    later(999).then([]);
    later(799).refused(Rejection::ReadingInvalid(800));
    read(vec![created()], 1).refused(Rejection::NotByUsage);
}
