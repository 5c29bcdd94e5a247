//! Triggers that are changed, paused and resumed.

use super::*;

pub(super) fn later(time: i8) -> Revise {
    let spec = Spec::Daily { time: jiff::civil::time(time, 0, 0, 0) };
    Revise { spec: Some(spec), ..Revise::default() }
}

#[test]
fn a_revision_leaves_what_lies_before_it() {
    let from = "2026-01-03T12:00:00Z";
    let revise = Revise { effective_from: Some(at(from)), ..later(18) };
    let spec = || Spec::Daily { time: jiff::civil::time(18, 0, 0, 0) };
    let revised = || Event::Revised {
        version: 2,
        terms: terms(spec()),
        effective_from: at(from),
        next_at: Some(at("2026-01-02T09:00:00Z")),
    };
    given::<Trigger>([created()]).when(Command::Revise(revise)).then([revised()]);
    // The old version still fires on the 3rd at 9, then the new one on the same day at 18.
    let second = "2026-01-03T09:00:00Z";
    let third = "2026-01-03T18:00:00Z";
    let past = || vec![created(), revised(), fired("2026-01-02T09:00:00Z", Some(second))];
    given::<Trigger>(past())
        .context(on(second))
        .when(fire(second))
        .then([fired(second, Some(third))]);
    let past = past().into_iter().chain([fired(second, Some(third))]);
    let next_at = Some(at("2026-01-04T18:00:00Z"));
    let new =
        Event::Fired { occurrence: at(third), version: 2, crossings: None, reading: None, next_at };
    given::<Trigger>(past).context(on(third)).when(fire(third)).then([new]);
}

#[test]
fn a_revision_never_reaches_back() {
    let revise = |effective_from| {
        let revise = Revise { effective_from: Some(at(effective_from)), ..later(18) };
        given::<Trigger>([created()]).when(Command::Revise(revise))
    };
    revise("2026-01-01T11:59:59Z").refused(Rejection::RevisionInPast);
    given::<Trigger>([created()]).when(Command::Revise(Revise::default())).then([]);
    given::<Trigger>([created()]).when(Command::Revise(later(9))).then([]);
    let by_usage = Revise { spec: Some(usage()), ..Revise::default() };
    given::<Trigger>([created()]).when(Command::Revise(by_usage)).refused(Rejection::KindFixed);
    let renamed = Revise { name: Some("Every night".into()), ..Revise::default() };
    given::<Trigger>([created()])
        .when(Command::Revise(renamed))
        .then([Event::Renamed { name: "Every night".into() }]);
    let over = Revise { ends_at: Some(Some(at("2026-01-01T13:00:00Z"))), ..Revise::default() };
    given::<Trigger>([created()]).when(Command::Revise(over)).refused(Rejection::NothingAhead);
}

#[test]
fn a_pause_is_not_made_up_for() {
    given::<Trigger>([created()]).when(Command::Pause).then([Event::Paused]);
    given::<Trigger>([created(), Event::Paused]).when(Command::Pause).then([]);
    given::<Trigger>([created()]).when(Command::Resume).then([]);
    let late = on("2026-01-05T10:00:00Z");
    for command in [fire("2026-01-02T09:00:00Z"), Command::RecordUsage { reading: 1 }] {
        given::<Trigger>([created(), Event::Paused])
            .context(late.clone())
            .when(command)
            .refused(Rejection::Paused);
    }
    let (counts_from, next_at) = (late.now, Some(at("2026-01-06T09:00:00Z")));
    let resumed = Event::Resumed { counts_from, next_at };
    given::<Trigger>([created(), Event::Paused])
        .context(late)
        .when(Command::Resume)
        .then([resumed.clone()]);
    let due = "2026-01-06T09:00:00Z";
    given::<Trigger>([created(), Event::Paused, resumed])
        .context(on(due))
        .when(fire(due))
        .then([fired(due, Some("2026-01-07T09:00:00Z"))]);
}
