//! The rules of a trigger, by example.

mod answered;
mod clocks;
mod lead;
mod managed;
mod missed;
mod revised;
mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::aggregate::{Actor, ActorKind, Context, Decider as _, Rejection as _};
use crate::scheduling::blackout_calendar::{self, BlackoutCalendar};
use crate::scheduling::{Blackout, Fault, Misfire, Modifiers, Recurring, Spec, Subject};
use crate::testing::{at, context, frozen, given, id};
use crate::text;

const CREATED: &str = "2026-01-01T12:00:00Z";

fn daily() -> Spec {
    Spec::Daily { time: jiff::civil::time(9, 0, 0, 0) }
}

fn modifiers(misfire: Misfire) -> Modifiers {
    Modifiers { time_zone: "UTC".into(), misfire, ..Modifiers::default() }
}

fn terms(spec: Spec) -> Terms {
    let modifiers = modifiers(Misfire::FireOnce);
    Terms { spec, modifiers, starts_at: None, ends_at: None, max_fires: None, lead_secs: None }
}

fn target() -> Target {
    Target { command: "backups_backup_request".into(), args: json!({"name": "nightly"}) }
}

fn create(terms: Terms) -> Create {
    Create { name: "Nightly".into(), target: target(), terms, enabled: true }
}

fn created_with(terms: Terms, next_at: Option<&str>) -> Event {
    Event::Created {
        name: "Nightly".into(),
        owned_by: id(1),
        target: target(),
        terms,
        counts_from: at(CREATED),
        next_at: next_at.map(at),
        managed_by: None,
    }
}

fn created() -> Event {
    created_with(terms(daily()), Some("2026-01-02T09:00:00Z"))
}

fn fired(occurrence: &str, next_at: Option<&str>) -> Event {
    Event::Fired {
        occurrence: at(occurrence),
        version: 1,
        crossings: None,
        reading: None,
        next_at: next_at.map(at),
    }
}

fn skipped(from: &str, until: &str, count: u64, reason: SkipReason, next_at: &str) -> Event {
    let (occurrence, until, next_at) = (at(from), at(until), Some(at(next_at)));
    Event::Skipped { occurrence, until, count, reason, label: None, next_at }
}

fn fire(occurrence: &str) -> Command {
    Command::RecordFire { occurrence: at(occurrence) }
}

fn on(time: &str) -> Context {
    Context { now: at(time), ..context() }
}

fn usage() -> Spec {
    let subject = Subject { kind: "assets.asset".into(), id: id(3) };
    Spec::Usage { subject, counter: "hours".into(), every: 250, first_at: None }
}

/// The facts of one calendar, number 50, that closes these days.
fn closing(days: &[(&str, &str)]) -> Facts {
    let defined = blackout_calendar::Event::Defined { name: "Holidays".into() };
    let added = days.iter().zip(1..).map(|((from, to), number)| {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let label = "Holiday".to_owned();
        let blackout = Blackout { from, to, label, recurring: Recurring::None };
        blackout_calendar::Event::BlackoutAdded { blackout_id: id(number), blackout }
    });
    let mut calendar = BlackoutCalendar::default();
    for event in [defined].into_iter().chain(added) {
        crate::aggregate::Decider::evolve(&mut calendar, &event);
    }
    Facts { calendars: BTreeMap::from([(id(50), Arc::new(calendar))]), wanted: None }
}

fn heeding() -> Terms {
    let modifiers = Modifiers { blackout_ids: vec![id(50)], ..modifiers(Misfire::FireOnce) };
    Terms { modifiers, ..terms(daily()) }
}

#[test]
fn is_created_with_when_it_is_due() {
    given::<Trigger>([]).when(Command::Create(create(terms(daily())))).then([created()]);
    let paused = Create { enabled: false, ..create(terms(daily())) };
    given::<Trigger>([]).when(Command::Create(paused)).then([created(), Event::Paused]);
    given::<Trigger>([created()])
        .when(Command::Create(create(terms(daily()))))
        .refused(Rejection::Exists);
}

#[test]
fn an_interval_is_counted_from_its_creation_unless_told() {
    let every = |from| Spec::Interval { every: "PT1H".parse().unwrap(), from };
    let expected = created_with(terms(every(Some(at(CREATED)))), Some("2026-01-01T13:00:00Z"));
    given::<Trigger>([]).when(Command::Create(create(terms(every(None))))).then([expected]);
}

#[test]
fn refuses_what_cannot_be_kept() {
    let refused = |create: Create, rejection| {
        given::<Trigger>([]).when(Command::Create(create)).refused(rejection);
    };
    let with = |terms: Terms| create(terms);
    let empty = Rejection::NameInvalid(text::Fault::Empty);
    refused(Create { name: " ".into(), ..with(terms(daily())) }, empty);
    let bad = Target { command: "No Command".into(), ..target() };
    refused(Create { target: bad, ..with(terms(daily())) }, Rejection::TargetInvalid);
    let bad = Target { args: json!([1]), ..target() };
    refused(Create { target: bad, ..with(terms(daily())) }, Rejection::TargetInvalid);
    let bad = Target { args: json!({"text": "x".repeat(9_000)}), ..target() };
    refused(Create { target: bad, ..with(terms(daily())) }, Rejection::TargetInvalid);
    let cron = Spec::Cron { expression: "nonsense".into() };
    refused(with(terms(cron)), Rejection::SpecInvalid(Fault::Cron));
    let period = Terms {
        starts_at: Some(at("2026-02-01T00:00:00Z")),
        ends_at: Some(at("2026-02-01T00:00:00Z")),
        ..terms(daily())
    };
    refused(with(period), Rejection::PeriodInvalid);
    refused(with(Terms { max_fires: Some(0), ..terms(daily()) }), Rejection::PeriodInvalid);
    let over = Spec::Once { at: at("2026-01-01T11:59:59Z") };
    refused(with(terms(over)), Rejection::NothingAhead);
    let ended = Terms { ends_at: Some(at("2026-01-02T08:59:59Z")), ..terms(daily()) };
    refused(with(ended), Rejection::NothingAhead);
    refused(with(heeding()), Rejection::CalendarUnknown(id(50)));
}

#[test]
fn belongs_to_a_user() {
    let actor = |on_behalf_of| Actor {
        kind: ActorKind::Service,
        id: "workers".into(),
        session_id: None,
        on_behalf_of,
        api_key_id: None,
    };
    let by = |on_behalf_of| {
        let context = Context { actor: actor(on_behalf_of), ..context() };
        given::<Trigger>([]).context(context).when(Command::Create(create(terms(daily()))))
    };
    by(None).refused(Rejection::OwnerMissing);
    by(Some(id(1))).then([created()]);
}

#[test]
fn fires_when_its_time_has_come_and_never_again() {
    let by = |time, command| given::<Trigger>([created()]).context(on(time)).when(command);
    let due = "2026-01-02T09:00:00Z";
    by("2026-01-02T08:59:59Z", fire(due)).refused(Rejection::NotDue(at(due)));
    let first = || fired(due, Some("2026-01-03T09:00:00Z"));
    by(due, fire(due)).then([first()]);
    by("2026-01-02T09:00:30Z", fire(due)).then([first()]);
    by(due, fire("2026-01-02T08:00:00Z")).refused(Rejection::OccurrenceUnknown);
    for clock in [due, "2026-01-02T08:00:00Z", "2026-03-01T00:00:00Z"] {
        given::<Trigger>([created(), first()])
            .context(on(clock))
            .when(fire(due))
            .refused(Rejection::Settled(at(due)));
    }
}

#[test]
fn is_over_when_nothing_is_left() {
    let once = || terms(Spec::Once { at: at("2026-01-02T09:00:00Z") });
    let due = "2026-01-02T09:00:00Z";
    given::<Trigger>([created_with(once(), Some(due))])
        .context(on(due))
        .when(fire(due))
        .then([fired(due, None), Event::Completed]);
    let twice = created_with(Terms { max_fires: Some(2), ..terms(daily()) }, Some(due));
    let second = "2026-01-03T09:00:00Z";
    given::<Trigger>([twice, fired(due, Some(second))])
        .context(on(second))
        .when(fire(second))
        .then([fired(second, None), Event::Completed]);
}

#[test]
fn closed_days_are_skipped_with_the_reason() {
    let past = created_with(heeding(), Some("2026-01-04T09:00:00Z"));
    let next = Some(at("2026-01-05T09:00:00Z"));
    given::<Trigger>([past])
        .facts(closing(&[("2026-01-02", "2026-01-03")]))
        .context(on("2026-01-04T09:00:00Z"))
        .when(fire("2026-01-04T09:00:00Z"))
        .then([
            Event::Skipped {
                occurrence: at("2026-01-02T09:00:00Z"),
                until: at("2026-01-03T09:00:00Z"),
                count: 2,
                reason: SkipReason::Blackout,
                label: Some("Holiday".into()),
                next_at: next,
            },
            fired("2026-01-04T09:00:00Z", Some("2026-01-05T09:00:00Z")),
        ]);
}

#[test]
fn is_planned_anew_when_calendars_change() {
    let past = || created_with(heeding(), Some("2026-01-02T09:00:00Z"));
    let replan = |facts| given::<Trigger>([past()]).facts(facts).when(Command::Replan);
    replan(closing(&[])).then([]);
    let next_at = Some(at("2026-01-03T09:00:00Z"));
    replan(closing(&[("2026-01-02", "2026-01-02")])).then([Event::Replanned { next_at }]);
    // An endless blackout is not the end: it may be lifted.
    replan(closing(&[("2026-01-02", "2999-01-01")])).then([Event::Replanned { next_at: None }]);
    given::<Trigger>([past(), Event::Paused])
        .facts(closing(&[("2026-01-02", "2026-01-02")]))
        .when(Command::Replan)
        .then([]);
}

#[test]
fn the_next_can_be_left_out() {
    let skip = |occurrence| Command::Skip { occurrence: at(occurrence) };
    let next = "2026-01-02T09:00:00Z";
    given::<Trigger>([created()]).when(skip(next)).then([skipped(
        next,
        next,
        1,
        SkipReason::Requested,
        "2026-01-03T09:00:00Z",
    )]);
    given::<Trigger>([created()])
        .when(skip("2026-01-03T09:00:00Z"))
        .refused(Rejection::OccurrenceUnknown);
    given::<Trigger>([created()]).when(skip(CREATED)).refused(Rejection::Settled(at(CREATED)));
}

#[test]
fn stays_as_it_ended() {
    for (end, name) in [(Event::Cancelled, "cancelled"), (Event::Completed, "completed")] {
        let past = || [created(), end.clone()];
        for command in [
            fire("2026-01-02T09:00:00Z"),
            Command::Pause,
            Command::Resume,
            Command::Revise(revised::later(18)),
            Command::RecordUsage { reading: 1 },
            Command::Skip { occurrence: at("2026-01-02T09:00:00Z") },
        ] {
            given::<Trigger>(past()).when(command).refused(Rejection::Finished(name));
        }
        given::<Trigger>(past()).when(Command::Cancel).then([]);
        given::<Trigger>(past()).when(Command::Replan).then([]);
    }
    given::<Trigger>([created()]).when(Command::Cancel).then([Event::Cancelled]);
}

#[test]
fn refuses_everything_before_it_is_created() {
    for command in [
        fire("2026-01-02T09:00:00Z"),
        Command::Pause,
        Command::Resume,
        Command::Cancel,
        Command::Replan,
        Command::Revise(Revise::default()),
        Command::RecordUsage { reading: 1 },
        Command::Skip { occurrence: Timestamp::UNIX_EPOCH },
    ] {
        given::<Trigger>([]).when(command).refused(Rejection::Unknown);
    }
}

#[test]
fn names_its_refusals() {
    let rejection = Rejection::SpecInvalid(Fault::Days);
    assert_eq!((rejection.code(), rejection.pointer()), ("TRIGGER_SPEC_INVALID", Some("/spec")));
}
