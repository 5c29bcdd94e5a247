//! The rules of a plan, by example.

mod fate;
mod occurrences;
mod properties;
mod refused;

use jiff::Timestamp;

use super::*;
use crate::aggregate::{Claim, Context, Event as _};
use crate::ids::{MaintenanceScheduleId, TaskId, UserId};
use crate::maintenance::asset;
use crate::maintenance::task::{Item, Priority, Requirements};
use crate::scheduling::trigger::{self, Target, Terms};
use crate::scheduling::{Modifiers, Spec, Subject};
use crate::testing::{at, context, frozen, given, id};

const NOON: &str = "2026-01-01T12:00:00Z";
const OIL: u128 = 10;
const FILTER: u128 = 11;
const BELT: u128 = 12;

fn schedule(number: u128) -> MaintenanceScheduleId {
    id(number)
}

fn manager() -> Facts {
    Facts {
        asset_id: id(3),
        asset: asset::Status::Active,
        reach: Some(asset::Level::Manage),
        ..Facts::default()
    }
}

fn daily(hour: i8) -> Spec {
    Spec::Daily { time: jiff::civil::time(hour, 0, 0, 0) }
}

fn terms(spec: Spec) -> Terms {
    let modifiers = Modifiers { time_zone: "Europe/Zurich".into(), ..Modifiers::default() };
    Terms { spec, modifiers, starts_at: None, ends_at: None, max_fires: None, lead_secs: None }
}

fn task(title: &str) -> Template {
    let item = Item { id: id(70), text: "Drain".into(), mandatory: true };
    Template {
        title: title.into(),
        details: Some("With the engine warm.".into()),
        priority: Priority::High,
        requirements: Requirements { checklist: vec![item], ..Requirements::default() },
        assignees: vec![id(5)],
    }
}

fn add(number: u128, depends_on: &[u128]) -> Add {
    Add {
        schedule_id: schedule(number),
        title: "Oil".into(),
        terms: terms(daily(9)),
        task: task("Change the oil"),
        depends_on: depends_on.iter().map(|before| schedule(*before)).collect(),
    }
}

fn added(number: u128, depends_on: &[u128]) -> Event {
    let Add { schedule_id, title, terms, task, depends_on } = add(number, depends_on);
    let (owned_by, counts_from) = (id(1), at(NOON));
    Event::ScheduleAdded { schedule_id, owned_by, title, terms, task, depends_on, counts_from }
}

/// Two schedules, the second of which comes after the first, and a third that comes after the second.
fn chain() -> Vec<Event> {
    vec![added(OIL, &[]), added(FILTER, &[OIL]), added(BELT, &[FILTER])]
}

fn revise(number: u128, change: Revise) -> Command {
    Command::Revise(Box::new(Revise { schedule_id: schedule(number), ..change }))
}

fn revised(number: u128, version: u32, terms: Terms, from: &str) -> Event {
    Event::ScheduleRevised {
        schedule_id: schedule(number),
        version,
        title: "Oil".into(),
        terms,
        task: task("Change the oil"),
        effective_from: at(from),
    }
}

fn removed(number: u128) -> Event {
    Event::ScheduleRemoved { schedule_id: schedule(number), because: Removal::Requested }
}

/// The id of the task of an occurrence at nine in Zurich by a version.
fn task_of(number: u128, due_at: &str, version: u32) -> TaskId {
    Plan::task(schedule(number), at(due_at), version)
}

fn generated(number: u128, due_at: &str, version: u32) -> Event {
    Event::OccurrenceGenerated {
        schedule_id: schedule(number),
        version,
        occurrence: due_at[..10].parse().unwrap(),
        due_at: at(due_at),
        task_id: task_of(number, due_at, version),
    }
}

fn held_back(number: u128, due_at: &str, waits_for: &[u128]) -> Event {
    Event::OccurrenceHeldBack {
        schedule_id: schedule(number),
        version: 1,
        occurrence: due_at[..10].parse().unwrap(),
        due_at: at(due_at),
        task_id: task_of(number, due_at, 1),
        waits_for: waits_for.iter().map(|before| schedule(*before)).collect(),
    }
}

fn withdrawn(number: u128, due_at: &str) -> Event {
    Event::OccurrenceWithdrawn {
        schedule_id: schedule(number),
        occurrence: due_at[..10].parse().unwrap(),
        task_id: task_of(number, due_at, 1),
    }
}

fn left_out(number: u128, due_at: &str, because: LeftOut) -> Event {
    Event::OccurrenceLeftOut { schedule_id: schedule(number), due_at: at(due_at), because }
}

fn closed(number: u128, due_at: &str, because: Because) -> Event {
    Event::OccurrenceClosed {
        schedule_id: schedule(number),
        occurrence: due_at[..10].parse().unwrap(),
        task_id: task_of(number, due_at, 1),
        because,
    }
}

fn occur(number: u128, due_at: &str) -> Command {
    Command::RecordOccurrence { schedule_id: schedule(number), due_at: at(due_at) }
}

fn over(number: u128, due_at: &str, because: Because) -> Command {
    let task_id = task_of(number, due_at, 1);
    Command::RecordEnd { schedule_id: schedule(number), task_id, because }
}

fn replaced(number: u128, depends_on: &[u128]) -> Event {
    let depends_on = depends_on.iter().map(|before| schedule(*before)).collect();
    Event::DependenciesReplaced { schedule_id: schedule(number), depends_on }
}

fn completed(schedule_id: MaintenanceScheduleId) -> Event {
    Event::ScheduleCompleted { schedule_id, last_due_at: None }
}

fn complete(schedule_id: MaintenanceScheduleId, last_due_at: Option<Timestamp>) -> Command {
    Command::Complete { schedule_id, last_due_at }
}

fn on(now: &str) -> Context {
    Context { now: at(now), ..context() }
}

/// One command of each kind that people give about a schedule that is there.
fn every_command() -> Vec<Command> {
    let schedule_id = schedule(OIL);
    vec![
        revise(OIL, Revise { title: Some("Grease".into()), ..Revise::default() }),
        Command::Pause { schedule_id },
        Command::Resume { schedule_id },
        Command::Remove { schedule_id },
        Command::SetDependencies { schedule_id, depends_on: vec![] },
    ]
}

#[test]
fn samples_are_frozen() {
    let schedule_id = schedule(FILTER);
    let second = "2026-01-02T08:00:00Z";
    let third = "2026-01-03T08:00:00Z";
    frozen::<Plan>([
        added(FILTER, &[OIL]),
        revised(FILTER, 2, terms(daily(10)), "2026-01-05T00:00:00Z"),
        Event::SchedulePaused { schedule_id },
        Event::ScheduleResumed { schedule_id, counts_from: at("2026-01-01T13:00:00Z") },
        generated(FILTER, second, 1),
        held_back(FILTER, second, &[OIL]),
        left_out(FILTER, third, LeftOut::Skipped),
        closed(FILTER, second, Because::Completed),
        withdrawn(FILTER, second),
        replaced(FILTER, &[]),
        Event::ScheduleCompleted { schedule_id, last_due_at: Some(at(third)) },
        removed(FILTER),
    ]);
}

#[test]
fn every_reason_keeps_its_stored_name() {
    let names = |words: serde_json::Value| words.to_string();
    let because = <Because as strum::VariantArray>::VARIANTS;
    let because = serde_json::to_value(because).unwrap();
    assert_eq!(names(because), r#"["completed","cancelled","superseded"]"#);
    let removal = <Removal as strum::VariantArray>::VARIANTS;
    assert_eq!(names(serde_json::to_value(removal).unwrap()), r#"["requested","asset_retired"]"#);
    let left_out = <LeftOut as strum::VariantArray>::VARIANTS;
    assert_eq!(
        names(serde_json::to_value(left_out).unwrap()),
        r#"["already_open","already_done","too_many_open","skipped"]"#
    );
}

#[test]
fn a_schedule_is_added_once_with_its_texts_in_their_usual_spelling() {
    let wanted = Add { title: " Oil ".into(), ..add(OIL, &[]) };
    let command = || Command::Add(Box::new(wanted.clone()));
    given::<Plan>([]).facts(manager()).when(command()).then([added(OIL, &[])]);
    given::<Plan>([added(OIL, &[])]).facts(manager()).when(command()).refused(Rejection::Exists);
    let taken = Facts { is_taken: true, ..manager() };
    given::<Plan>([]).facts(taken).when(command()).refused(Rejection::Exists);
    assert_eq!(added(OIL, &[]).claims(""), [Claim::take(SCHEDULE, schedule(OIL).to_string())]);
    assert_eq!(removed(OIL).claims(""), [], "an id stays that of the asset");
}

#[test]
fn a_schedule_by_usage_counts_its_own_asset() {
    let counting = |asset: u128| {
        let subject = Subject { kind: "maintenance.asset".into(), id: id(asset) };
        let spec = Spec::Usage { subject, counter: "hours".into(), every: 250_000, first_at: None };
        let add = Add { terms: terms(spec), ..add(OIL, &[]) };
        given::<Plan>([]).facts(manager()).when(Command::Add(Box::new(add)))
    };
    assert_eq!(counting(3).result().unwrap().len(), 1);
    counting(4).refused(Rejection::SubjectElsewhere);
}

#[test]
fn a_revision_counts_from_a_moment_on_and_keeps_what_is_not_said() {
    let later = Revise {
        spec: Some(daily(10)),
        effective_from: Some(at("2026-01-05T00:00:00Z")),
        ..Revise::default()
    };
    let past = || vec![added(OIL, &[])];
    let expected = revised(OIL, 2, terms(daily(10)), "2026-01-05T00:00:00Z");
    given::<Plan>(past()).facts(manager()).when(revise(OIL, later.clone())).then([expected]);
    let same = Revise { title: Some("Oil".into()), spec: Some(daily(9)), ..Revise::default() };
    given::<Plan>(past()).facts(manager()).when(revise(OIL, same)).then([]);
    let over = Revise { effective_from: Some(at("2026-01-01T11:59:59Z")), ..later.clone() };
    given::<Plan>(past())
        .facts(manager())
        .when(revise(OIL, over))
        .refused(Rejection::Terms(trigger::Rejection::RevisionInPast));
    let mut many = past();
    for day in 5..13 {
        let from = format!("2026-01-{day:02}T00:00:00Z");
        many.push(revised(OIL, day - 3, terms(daily(10)), &from));
    }
    let last = Revise {
        spec: Some(daily(11)),
        effective_from: Some(at("2026-02-01T00:00:00Z")),
        ..Revise::default()
    };
    given::<Plan>(many)
        .facts(manager())
        .when(revise(OIL, last))
        .refused(Rejection::Terms(trigger::Rejection::TooManyRevisions));
}

#[test]
fn a_revision_takes_the_place_of_those_that_would_come_after_it() {
    let mut plan = Plan::default();
    for event in [
        added(OIL, &[]),
        revised(OIL, 2, terms(daily(10)), "2026-01-09T00:00:00Z"),
        revised(OIL, 3, terms(daily(11)), "2026-01-05T00:00:00Z"),
    ] {
        plan.evolve(&event);
    }
    let wanted = plan.wanted(schedule(OIL)).unwrap();
    let numbers: Vec<u32> = wanted.versions.iter().map(|version| version.number).collect();
    assert_eq!(numbers, [1, 3]);
    let version = |due: &str| plan.schedules[&schedule(OIL)].version_at(at(due)).unwrap().number;
    assert_eq!(version("2026-01-05T00:00:00Z"), 1, "what lies before keeps the version it had");
    assert_eq!(version("2026-01-05T00:00:01Z"), 3);
}

#[test]
fn what_the_trigger_of_a_schedule_is_to_do_follows_from_the_plan() {
    let wanted = |events: &[Event]| {
        let mut plan = Plan::default();
        for event in events {
            plan.evolve(event);
        }
        plan.wanted(schedule(OIL))
    };
    let begun = wanted(&[added(OIL, &[])]).unwrap();
    assert_eq!((&*begun.name, begun.owned_by, begun.paused), ("Oil", id(1), false));
    assert_eq!(begun.counts_from, at(NOON));
    let Target { command, args } = begun.target;
    assert_eq!((&*command, args.to_string()), (RECORD_OCCURRENCE, "{}".into()));
    let paused = Event::SchedulePaused { schedule_id: schedule(OIL) };
    assert!(wanted(&[added(OIL, &[]), paused]).unwrap().paused);
    assert_eq!(wanted(&[added(OIL, &[]), removed(OIL)]), None);
}

#[test]
fn a_schedule_is_paused_and_goes_on_from_now() {
    let schedule_id = schedule(OIL);
    let paused = Event::SchedulePaused { schedule_id };
    let pause = || Command::Pause { schedule_id };
    let resume = || Command::Resume { schedule_id };
    let past = |more: &[Event]| [vec![added(OIL, &[])], more.to_vec()].concat();
    given::<Plan>(past(&[])).facts(manager()).when(pause()).then([paused.clone()]);
    given::<Plan>(past(std::slice::from_ref(&paused))).facts(manager()).when(pause()).then([]);
    given::<Plan>(past(&[])).facts(manager()).when(resume()).then([]);
    let counts_from = at("2026-01-03T12:00:00Z");
    given::<Plan>(past(&[paused]))
        .facts(manager())
        .context(on("2026-01-03T12:00:00Z"))
        .when(resume())
        .then([Event::ScheduleResumed { schedule_id, counts_from }]);
}

#[test]
fn all_schedules_end_with_the_asset() {
    let ended = |number| Event::ScheduleRemoved {
        schedule_id: schedule(number),
        because: Removal::AssetRetired,
    };
    let waiting = "2026-01-02T08:00:00Z";
    let past = [chain(), vec![generated(OIL, waiting, 1), held_back(FILTER, waiting, &[OIL])]];
    given::<Plan>(past.concat()).when(Command::End).then([
        replaced(FILTER, &[]),
        ended(OIL),
        replaced(BELT, &[]),
        withdrawn(FILTER, waiting),
        ended(FILTER),
        ended(BELT),
    ]);
    given::<Plan>([]).when(Command::End).then([]);
}
