//! A trigger that belongs to a record does what the record wants, and nobody else says so.

use super::*;

const ADDED: &str = "2026-01-01T11:00:00Z";

fn plan() -> Subject {
    Subject { kind: "maintenance.plan".into(), id: id(9) }
}

fn follow() -> Command {
    Command::Follow { managed_by: plan() }
}

fn version(number: u32, after: Timestamp, hour: i8) -> Version {
    let spec = Spec::Daily { time: jiff::civil::time(hour, 0, 0, 0) };
    Version { number, after, terms: terms(spec) }
}

fn wanted(versions: Vec<Version>) -> Wanted {
    Wanted {
        name: "Oil".into(),
        owned_by: id(4),
        target: target(),
        counts_from: at(ADDED),
        versions,
        paused: false,
    }
}

fn first() -> Vec<Version> {
    vec![version(1, Timestamp::MIN, 9)]
}

fn wants(wanted: Wanted) -> Facts {
    Facts { wanted: Some(wanted), ..Facts::default() }
}

fn begun(next_at: Option<&str>) -> Event {
    Event::Created {
        name: "Oil".into(),
        owned_by: id(4),
        target: target(),
        terms: terms(daily()),
        counts_from: at(ADDED),
        next_at: next_at.map(at),
        managed_by: Some(plan()),
    }
}

fn there() -> Event {
    begun(Some("2026-01-02T09:00:00Z"))
}

fn revised(number: u32, after: &str, hour: i8, next_at: Option<&str>) -> Event {
    let Version { terms, .. } = version(number, at(after), hour);
    Event::Revised { version: number, terms, effective_from: at(after), next_at: next_at.map(at) }
}

#[test]
fn it_begins_as_it_is_wanted_and_once() {
    given::<Trigger>([]).facts(wants(wanted(first()))).when(follow()).then([there()]);
    given::<Trigger>([there()]).facts(wants(wanted(first()))).when(follow()).then([]);
    let paused = Wanted { paused: true, ..wanted(first()) };
    given::<Trigger>([]).facts(wants(paused)).when(follow()).then([begun(None), Event::Paused]);
    given::<Trigger>([]).when(follow()).then([]);
}

#[test]
fn what_was_revised_before_anybody_looked_is_made_up_for() {
    let versions = [
        first(),
        vec![
            version(2, at("2026-01-05T00:00:00Z"), 10),
            version(4, at("2026-01-09T00:00:00Z"), 11),
        ],
    ];
    let next = Some("2026-01-02T09:00:00Z");
    given::<Trigger>([]).facts(wants(wanted(versions.concat()))).when(follow()).then([
        begun(next),
        revised(2, "2026-01-05T00:00:00Z", 10, next),
        revised(4, "2026-01-09T00:00:00Z", 11, next),
    ]);
    let known = revised(2, "2026-01-05T00:00:00Z", 10, next);
    given::<Trigger>([there(), known])
        .facts(wants(wanted(versions.concat())))
        .when(follow())
        .then([revised(4, "2026-01-09T00:00:00Z", 11, next)]);
}

#[test]
fn it_is_renamed_paused_resumed_and_ended_as_it_is_wanted() {
    let name = "Oil and filter".to_owned();
    let renamed = Wanted { name: name.clone(), ..wanted(first()) };
    given::<Trigger>([there()])
        .facts(wants(renamed))
        .when(follow())
        .then([Event::Renamed { name }]);
    let paused = || Wanted { paused: true, ..wanted(first()) };
    given::<Trigger>([there()]).facts(wants(paused())).when(follow()).then([Event::Paused]);
    given::<Trigger>([there(), Event::Paused]).facts(wants(paused())).when(follow()).then([]);
    let next_at = Some(at("2026-01-03T09:00:00Z"));
    let counts_from = at("2026-01-02T12:00:00Z");
    given::<Trigger>([there(), Event::Paused])
        .facts(wants(wanted(first())))
        .context(on("2026-01-02T12:00:00Z"))
        .when(follow())
        .then([Event::Resumed { counts_from, next_at }]);
    given::<Trigger>([there()]).when(follow()).then([Event::Cancelled]);
    for end in [Event::Cancelled, Event::Completed] {
        given::<Trigger>([there(), end]).facts(wants(wanted(first()))).when(follow()).then([]);
    }
}

#[test]
fn what_a_lead_was_ahead_of_comes_again_by_the_version_that_holds_then() {
    let ahead = || Terms { lead_secs: Some(5 * 24 * 3_600), ..terms(daily()) };
    let Event::Created { name, owned_by, target, counts_from, managed_by, .. } = there() else {
        unreachable!("it was begun")
    };
    let (terms, next_at) = (ahead(), Some(at("2026-01-02T09:00:00Z")));
    let created =
        Event::Created { name, owned_by, target, terms, counts_from, next_at, managed_by };
    let past = [
        created,
        fired("2026-01-02T09:00:00Z", Some("2026-01-03T09:00:00Z")),
        fired("2026-01-03T09:00:00Z", Some("2026-01-04T09:00:00Z")),
        fired("2026-01-04T09:00:00Z", Some("2026-01-05T09:00:00Z")),
    ];
    let from = at("2026-01-03T00:00:00Z");
    let later = Version { number: 2, after: from, terms: ahead() };
    let before = Version { number: 1, after: Timestamp::MIN, terms: ahead() };
    let revised = Event::Revised {
        version: 2,
        terms: ahead(),
        effective_from: from,
        next_at: Some(at("2026-01-03T09:00:00Z")),
    };
    given::<Trigger>(past).facts(wants(wanted(vec![before, later]))).when(follow()).then([revised]);
}

#[test]
fn it_ends_where_nothing_of_it_lies_ahead() {
    let once = Version {
        number: 2,
        after: at("2026-01-05T00:00:00Z"),
        terms: terms(Spec::Once { at: at("2026-01-02T10:00:00Z") }),
    };
    let fired = fired("2026-01-05T09:00:00Z", None);
    // What it is to happen at lies before the moment from which that holds.
    let events = given::<Trigger>([there(), fired])
        .facts(wants(wanted([first(), vec![once]].concat())))
        .when(follow())
        .result()
        .unwrap();
    assert!(matches!(events.last(), Some(Event::Completed)), "{events:?}");
}

#[test]
fn nobody_else_says_how_it_goes_on() {
    for command in [
        Command::Revise(Revise { name: Some("x".into()), ..Revise::default() }),
        Command::Pause,
        Command::Resume,
        Command::Skip { occurrence: at("2026-01-02T09:00:00Z") },
        Command::RecordUsage { reading: 7 },
        Command::Cancel,
    ] {
        given::<Trigger>([there()]).when(command).refused(Rejection::Managed);
    }
    let other = Subject { id: id(8), ..plan() };
    let by_other = || Command::Follow { managed_by: other.clone() };
    given::<Trigger>([there()]).when(by_other()).refused(Rejection::NotManaged);
    given::<Trigger>([created()])
        .facts(wants(wanted(first())))
        .when(follow())
        .refused(Rejection::NotManaged);
}

#[test]
fn nothing_is_owed_for_what_it_belongs_to_does_it_by_itself() {
    let mut trigger = Trigger::default();
    trigger.evolve(&there());
    trigger.evolve(&fired("2026-01-02T09:00:00Z", None));
    assert!(trigger.owed.is_empty() && trigger.fires == 1);
}
