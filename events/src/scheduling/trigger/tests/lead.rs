//! With a lead it happens earlier, for occurrences that stay what they are.

use super::*;
use crate::scheduling::Roll;

const DAY: u64 = 24 * 3_600;

fn ahead(days: u64) -> Terms {
    Terms { lead_secs: Some(days * DAY), ..terms(daily()) }
}

fn created_ahead() -> Event {
    created_with(ahead(2), Some("2026-01-02T09:00:00Z"))
}

#[test]
fn it_happens_so_much_before_and_not_earlier() {
    let third = "2026-01-03T09:00:00Z";
    let second_done = fired("2026-01-02T09:00:00Z", Some(third));
    let past =
        || [created_ahead(), second_done.clone(), fired(third, Some("2026-01-04T09:00:00Z"))];
    let fourth = fire("2026-01-04T09:00:00Z");
    given::<Trigger>(past())
        .context(on("2026-01-02T08:59:59Z"))
        .when(fourth.clone())
        .refused(Rejection::NotDue(at("2026-01-02T09:00:00Z")));
    given::<Trigger>(past())
        .context(on("2026-01-02T09:00:00Z"))
        .when(fourth)
        .then([fired("2026-01-04T09:00:00Z", Some("2026-01-05T09:00:00Z"))]);
}

#[test]
fn what_is_late_for_its_lead_alone_was_not_missed() {
    // As the trigger begins, two days ahead is tomorrow and the day after.
    for policy in [Misfire::Skip, Misfire::FireOnce] {
        let terms = Terms { modifiers: modifiers(policy), ..ahead(2) };
        let created = created_with(terms, Some("2026-01-02T09:00:00Z"));
        given::<Trigger>([created]).when(fire("2026-01-02T09:00:00Z")).then([
            fired("2026-01-02T09:00:00Z", Some("2026-01-04T09:00:00Z")),
            fired("2026-01-03T09:00:00Z", Some("2026-01-04T09:00:00Z")),
        ]);
    }
    // What was due itself while nobody was there was.
    let skipping = Terms { modifiers: modifiers(Misfire::Skip), ..ahead(2) };
    let created = created_with(skipping, Some("2026-01-02T09:00:00Z"));
    let happened = given::<Trigger>([created])
        .context(on("2026-01-03T12:00:00Z"))
        .when(fire("2026-01-02T09:00:00Z"))
        .result()
        .unwrap();
    let times = happened.iter().filter_map(|event| {
        if let Event::Fired { occurrence, .. } = event { Some(*occurrence) } else { None }
    });
    let times: Vec<Timestamp> = times.collect();
    assert_eq!(times, [at("2026-01-04T09:00:00Z"), at("2026-01-05T09:00:00Z")]);
    assert!(matches!(happened[0], Event::Skipped { reason: SkipReason::Misfire, count: 2, .. }));
}

#[test]
fn an_occurrence_with_a_longer_lead_waits_for_those_before_it() {
    let revised = Event::Revised {
        version: 2,
        terms: ahead(2),
        effective_from: at("2026-01-03T00:00:00Z"),
        next_at: Some(at("2026-01-02T09:00:00Z")),
    };
    given::<Trigger>([created(), revised.clone()])
        .when(fire("2026-01-03T09:00:00Z"))
        .refused(Rejection::OccurrenceUnknown);
    let second = |occurrence: &str, next_at: &str| {
        let Event::Fired { occurrence, next_at, .. } = fired(occurrence, Some(next_at)) else {
            unreachable!("it happened")
        };
        Event::Fired { occurrence, version: 2, crossings: None, reading: None, next_at }
    };
    given::<Trigger>([created(), revised])
        .context(on("2026-01-02T09:00:00Z"))
        .when(fire("2026-01-02T09:00:00Z"))
        .then([
            fired("2026-01-02T09:00:00Z", Some("2026-01-05T09:00:00Z")),
            second("2026-01-03T09:00:00Z", "2026-01-05T09:00:00Z"),
            second("2026-01-04T09:00:00Z", "2026-01-05T09:00:00Z"),
        ]);
}

#[test]
fn closed_days_move_the_occurrence_and_with_it_when_it_happens() {
    let modifiers = Modifiers {
        blackout_ids: vec![id(50)],
        roll: Roll::Following,
        ..modifiers(Misfire::FireOnce)
    };
    let terms = Terms { modifiers, ..ahead(1) };
    let created = created_with(terms, Some("2026-01-03T09:00:00Z"));
    let closed = || closing(&[("2026-01-02", "2026-01-02")]);
    given::<Trigger>([created])
        .facts(closed())
        .when(fire("2026-01-03T09:00:00Z"))
        .refused(Rejection::NotDue(at("2026-01-02T09:00:00Z")));
}

#[test]
fn a_lead_is_bounded_and_not_for_counters() {
    let lead = |lead_secs| Terms { lead_secs: Some(lead_secs), ..terms(daily()) };
    let when = |terms| given::<Trigger>([]).when(Command::Create(create(terms)));
    when(lead(LEAD_MAX_SECS + 1)).refused(Rejection::LeadInvalid);
    assert_eq!(when(lead(LEAD_MAX_SECS)).result().unwrap().len(), 1);
    when(Terms { lead_secs: Some(1), ..terms(usage()) }).refused(Rejection::LeadInvalid);
    when(lead(0)).then([created()]);
    let change = |lead_secs| Revise { lead_secs, ..Revise::default() };
    given::<Trigger>([created_ahead()])
        .when(Command::Revise(change(Some(Some(LEAD_MAX_SECS + 1)))))
        .refused(Rejection::LeadInvalid);
    let Ok(events) =
        given::<Trigger>([created_ahead()]).when(Command::Revise(change(Some(None)))).result()
    else {
        panic!("a lead can be taken away")
    };
    assert!(
        matches!(&events[..], [Event::Revised { terms, .. }] if terms.lead_secs.is_none()),
        "{events:?}"
    );
}
