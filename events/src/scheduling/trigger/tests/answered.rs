//! What the commands of occurrences come to, and who says what they are.

use super::*;

const DUE: &str = "2026-01-02T09:00:00Z";

fn record(occurrence: &str, answer: Answer) -> Command {
    Command::RecordAnswer { occurrence: at(occurrence), answer }
}

fn done() -> Answer {
    Answer::Done { aggregate_id: "b1".into() }
}

fn succeeded() -> Event {
    let (occurrence, command) = (at(DUE), target().command);
    Event::CommandSucceeded { occurrence, command, aggregate_id: "b1".into() }
}

#[test]
fn what_an_occurrence_came_to_is_recorded_once() {
    let past = || [created(), fired(DUE, Some("2026-01-03T09:00:00Z"))];
    given::<Trigger>(past()).when(record(DUE, done())).then([succeeded()]);
    let refused = Answer::Refused { code: "FORBIDDEN".into(), detail: "no".into() };
    given::<Trigger>(past()).when(record(DUE, refused.clone())).then([Event::CommandRefused {
        occurrence: at(DUE),
        command: target().command,
        code: "FORBIDDEN".into(),
        detail: "no".into(),
    }]);
    let settled = || past().into_iter().chain([succeeded()]);
    given::<Trigger>(settled()).when(record(DUE, refused)).then([]);
    given::<Trigger>(past()).when(record("2026-01-03T09:00:00Z", done())).then([]);
    // It happened before the end, so it is owed.
    for end in [Event::Cancelled, Event::Completed, Event::Paused] {
        let past = past().into_iter().chain([end]);
        given::<Trigger>(past).when(record(DUE, done())).then([succeeded()]);
    }
}

#[test]
fn what_is_owed_for_too_long_is_given_up_first_come_first() {
    let most = i64::try_from(OWED_MAX_COUNT).unwrap();
    let occurrence = |n: i64| at(DUE) + jiff::SignedDuration::from_hours(24 * n);
    let many = (0..=most).map(|n| fired(&occurrence(n).to_string(), None));
    let mut trigger = Trigger::default();
    for event in [created()].into_iter().chain(many) {
        trigger.evolve(&event);
    }
    assert_eq!(trigger.owed.len(), OWED_MAX_COUNT);
    assert_eq!(trigger.owed.first(), Some(&occurrence(1)));
}

#[test]
fn only_its_owner_says_what_it_does() {
    let other = Target { command: "exports_export_request_csv".into(), ..target() };
    let revise = || Revise { target: Some(other.clone()), ..Revise::default() };
    let as_user = |user: u128| {
        let actor = Actor { id: id::<crate::ids::UserId>(user).to_string(), ..context().actor };
        let context = Context { actor, ..context() };
        given::<Trigger>([created()]).context(context)
    };
    as_user(1).when(Command::Revise(revise())).then([Event::Retargeted { target: other.clone() }]);
    as_user(2).when(Command::Revise(revise())).refused(Rejection::NotOwner);
    let same = Revise { target: Some(target()), ..revised::later(18) };
    let late = terms(Spec::Daily { time: jiff::civil::time(18, 0, 0, 0) });
    as_user(2).when(Command::Revise(same)).then([Event::Revised {
        version: 2,
        terms: late,
        effective_from: at(CREATED),
        next_at: Some(at("2026-01-01T18:00:00Z")),
    }]);
}

#[test]
fn an_end_and_a_most_can_be_taken_away() {
    let ends = at("2026-02-01T00:00:00Z");
    let bounded = Terms { ends_at: Some(ends), max_fires: Some(9), ..terms(daily()) };
    let past = || [created_with(bounded.clone(), Some(DUE))];
    let revised = |terms| Event::Revised {
        version: 2,
        terms,
        effective_from: at(CREATED),
        next_at: Some(at(DUE)),
    };
    let open = Revise { ends_at: Some(None), ..Revise::default() };
    let expected = revised(Terms { ends_at: None, ..bounded.clone() });
    given::<Trigger>(past()).when(Command::Revise(open)).then([expected]);
    let open = Revise { max_fires: Some(None), ..Revise::default() };
    let expected = revised(Terms { max_fires: None, ..bounded.clone() });
    given::<Trigger>(past()).when(Command::Revise(open)).then([expected]);
    given::<Trigger>(past()).when(Command::Revise(Revise::default())).then([]);
}
