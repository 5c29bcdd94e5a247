//! The end of an organisation, by two people and with a delay.

use super::*;

const WEEK: u32 = 7 * 24 * 3600;

fn request() -> Command {
    Command::RequestPurge(RequestPurge { slug: "muster".into() })
}

fn confirm() -> Command {
    Command::ConfirmPurge(ConfirmPurge { slug: "muster".into() })
}

fn purge() -> Command {
    Command::Purge(Purge { in_ledger: false })
}

/// User `by` at a moment, where a purge can be cancelled for a week.
fn then(events: impl IntoIterator<Item = Event>, by: u128, now: &str) -> Given<Organization> {
    let mut context = context();
    context.actor.id = id::<UserId>(by).to_string();
    let past = std::iter::once(created()).chain(events);
    given::<Organization>(past)
        .facts(Facts { purge_delay_seconds: WEEK })
        .context(Context { now: at(now), ..context })
}

const NOON: &str = "2026-01-01T12:00:00Z";

#[test]
fn a_purge_takes_two_people_and_a_delay() {
    then([], 1, NOON).when(request()).then([requested(1)]);
    then([requested(1)], 1, NOON).when(confirm()).refused(Rejection::PurgeSamePerson);
    then([requested(1)], 2, NOON).when(confirm()).then([confirmed(2)]);
    let past = || [requested(1), confirmed(2)];
    let (before, after) = ("2026-01-08T11:59:59Z", "2026-01-08T12:00:00Z");
    then([requested(1)], 2, after).when(purge()).refused(Rejection::PurgeNotDue);
    then(past(), 2, before).when(purge()).refused(Rejection::PurgeNotDue);
    then(past(), 2, after).when(purge()).then([Event::Purged]);
    let purged = || past().into_iter().chain([Event::Purged]);
    then(purged(), 2, after).when(purge()).then([]);
}

#[test]
fn a_purge_that_was_asked_for_need_not_be_asked_for_again() {
    then([requested(1)], 1, NOON).when(request()).then([]);
    then([requested(1)], 2, NOON).when(request()).refused(Rejection::PurgeRequested);
    then([requested(1), confirmed(2)], 3, NOON).when(confirm()).then([]);
    then([], 2, NOON).when(confirm()).refused(Rejection::PurgeNotRequested);
}

#[test]
fn a_purge_is_cancelled_by_anybody_until_it_happens() {
    for past in [vec![requested(1)], vec![requested(1), confirmed(2)]] {
        then(past.clone(), 3, NOON).when(Command::CancelPurge).then([Event::PurgeCancelled]);
        let cancelled = past.into_iter().chain([Event::PurgeCancelled]);
        then(cancelled, 2, "2027-01-01T00:00:00Z").when(purge()).refused(Rejection::PurgeNotDue);
    }
    then([], 1, NOON).when(Command::CancelPurge).then([]);
}

#[test]
fn a_purge_that_nobody_confirmed_in_time_is_asked_for_anew() {
    let late = "2026-01-31T12:00:00Z";
    then([requested(1)], 2, late).when(confirm()).refused(Rejection::PurgeLapsed);
    let again = Event::PurgeRequested { by: id(2), lapses_at: at("2026-03-02T12:00:00Z") };
    then([requested(1)], 2, late).when(request()).then([again]);
}

#[test]
fn a_purge_names_its_organisation_and_is_decided_by_people() {
    let other = || "mustre".to_owned();
    let asked = Command::RequestPurge(RequestPurge { slug: other() });
    then([], 1, NOON).when(asked).refused(Rejection::SlugNotRepeated);
    let confirmed = Command::ConfirmPurge(ConfirmPurge { slug: other() });
    then([requested(1)], 2, NOON).when(confirmed).refused(Rejection::SlugNotRepeated);
    let mut service = context();
    service.actor.kind = ActorKind::Service;
    let as_service = || given::<Organization>([created()]).context(service.clone());
    as_service().when(request()).refused(Rejection::PurgeNeedsPerson);
    as_service().when(confirm()).refused(Rejection::PurgeNeedsPerson);
}

#[test]
fn a_suspension_holds_up_a_purge_that_is_due() {
    let suspended = Event::Suspended { reason: "in court".into() };
    let past = || [requested(1), confirmed(2), suspended.clone()];
    then(past(), 2, "2027-01-01T00:00:00Z").when(purge()).refused(Rejection::Suspended);
    let in_ledger = Command::Purge(Purge { in_ledger: true });
    then(past(), 2, NOON).when(in_ledger.clone()).then([Event::Purged]);
    then([], 2, NOON).when(in_ledger).then([Event::Purged]);
}

#[test]
fn of_a_purged_organisation_nothing_is_left_and_nothing_is_possible() {
    let past = || [requested(1), confirmed(2), Event::Purged];
    let mut organization = Organization::default();
    for event in [created(), added(1, None)].iter().chain(&past()) {
        organization.evolve(event);
    }
    let nothing = Organization { status: Status::Purged, ..Organization::default() };
    assert_eq!(organization, nothing);
    assert_eq!(organization.at_work(), Err(Rejection::Purged));
    for command in [
        Command::Rename(Rename { name: "x".into() }),
        Command::Suspend(Suspend { reason: "x".into() }),
        Command::Reactivate,
        Command::AddUnit(add(1, None)),
        request(),
        confirm(),
        Command::CancelPurge,
    ] {
        then(past(), 1, NOON).when(command).refused(Rejection::Purged);
    }
    then(past(), 1, NOON).when(Command::Create(create())).refused(Rejection::Exists);
    assert!(Event::Purged.claims("x").is_empty(), "the slug stays taken");
}
