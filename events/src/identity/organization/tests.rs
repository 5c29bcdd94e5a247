//! The rules of an organisation, by example.

use proptest::prelude::*;

use super::*;
use crate::aggregate::{ActorKind, Claim, ClaimScope, Context, Decider, Event as _};
use crate::ids::{UnitId, UserId};
use crate::testing::{Given, at, context, frozen, given, id};
use crate::text::Fault;

fn create() -> Create {
    Create {
        name: "Muster AG".into(),
        slug: "muster".into(),
        time_zone: "Europe/Zurich".into(),
        locale: "de-CH".into(),
        currency: "CHF".into(),
    }
}

fn created() -> Event {
    Event::Created {
        name: "Muster AG".into(),
        slug: "muster".into(),
        time_zone: "Europe/Zurich".into(),
        locale: "de-CH".into(),
        currency: "CHF".into(),
    }
}

fn unit(number: u128) -> UnitId {
    id(number)
}

/// Unit `number`, coded `U<number>`, part of `parent`.
fn added(number: u128, parent: Option<u128>) -> Event {
    Event::UnitAdded {
        unit_id: unit(number),
        kind: UnitKind::Plant,
        code: format!("U{number}"),
        name: format!("Werk {number}"),
        parent_id: parent.map(unit),
        time_zone: None,
    }
}

fn add(number: u128, parent: Option<u128>) -> AddUnit {
    AddUnit {
        unit_id: unit(number),
        kind: UnitKind::Plant,
        code: format!("U{number}"),
        name: format!("Werk {number}"),
        parent_id: parent.map(unit),
        time_zone: None,
    }
}

fn move_to(number: u128, parent: Option<u128>) -> Command {
    Command::MoveUnit(MoveUnit { unit_id: unit(number), parent_id: parent.map(unit) })
}

fn close(number: u128) -> Command {
    Command::CloseUnit(CloseUnit { unit_id: unit(number) })
}

fn closed(number: u128) -> Event {
    Event::UnitClosed { unit_id: unit(number) }
}

/// Units 1 to `levels`, each part of the one before.
fn chain(levels: usize) -> Vec<Event> {
    let levels = levels as u128;
    let units = (1..=levels).map(|n| added(n, (n > 1).then(|| n - 1)));
    std::iter::once(created()).chain(units).collect()
}

#[test]
fn samples_are_frozen() {
    frozen::<Organization>([
        created(),
        Event::Renamed { name: "Muster Gruppe".into() },
        Event::Suspended { reason: "unpaid".into() },
        Event::Reactivated,
        Event::UnitAdded {
            unit_id: unit(2),
            kind: UnitKind::Branch,
            code: "BE-1".into(),
            name: "Bern".into(),
            parent_id: Some(unit(1)),
            time_zone: Some("Europe/Zurich".into()),
        },
        Event::UnitMoved { unit_id: unit(2), parent_id: Some(unit(3)) },
        Event::UnitRenamed { unit_id: unit(2), name: "Bern West".into() },
        closed(2),
        requested(1),
        confirmed(2),
        Event::PurgeCancelled,
        Event::Purged,
    ]);
}

#[test]
fn creates_an_organisation_once() {
    given::<Organization>([]).when(Command::Create(create())).then([created()]);
    given::<Organization>([created()]).when(Command::Create(create())).refused(Rejection::Exists);
}

#[test]
fn refuses_everything_before_it_exists() {
    for command in [
        Command::Rename(Rename { name: "x".into() }),
        Command::Suspend(Suspend { reason: "x".into() }),
        Command::Reactivate,
        Command::AddUnit(add(1, None)),
        move_to(1, None),
        Command::RenameUnit(RenameUnit { unit_id: unit(1), name: "x".into() }),
        close(1),
    ] {
        given::<Organization>([]).when(command).refused(Rejection::Unknown);
    }
}

#[test]
fn spells_what_it_stores_in_the_usual_way() {
    let create = Create {
        name: "  Muster AG ".into(),
        slug: "MUSTER".into(),
        time_zone: "europe/zurich".into(),
        locale: "DE-ch".into(),
        currency: "chf".into(),
    };
    given::<Organization>([]).when(Command::Create(create)).then([created()]);
}

#[test]
fn refuses_slugs_that_do_not_fit_an_address() {
    let long = "a".repeat(SLUG_MAX_CHARS + 1);
    for slug in ["", "a", "-ab", "ab-", "a_b", "a b", "müster", "a.b", long.as_str()] {
        let create = Create { slug: slug.into(), ..create() };
        given::<Organization>([]).when(Command::Create(create)).refused(Rejection::SlugInvalid);
    }
    for slug in ["ab", "a-1", &long[1..]] {
        let create = Create { slug: slug.into(), ..create() };
        assert!(given::<Organization>([]).when(Command::Create(create)).result().is_ok(), "{slug}");
    }
}

#[test]
fn refuses_an_unusable_name_zone_locale_or_currency() {
    let refused = |create, rejection| {
        given::<Organization>([]).when(Command::Create(create)).refused(rejection);
    };
    refused(Create { name: " ".into(), ..create() }, Rejection::NameInvalid(Fault::Empty));
    refused(Create { name: "a\0".into(), ..create() }, Rejection::NameInvalid(Fault::Control));
    refused(
        Create { name: "a".repeat(NAME_MAX_CHARS + 1), ..create() },
        Rejection::NameInvalid(Fault::TooLong(NAME_MAX_CHARS)),
    );
    refused(Create { time_zone: "Zurich".into(), ..create() }, Rejection::TimeZoneUnknown);
    refused(Create { locale: "de_CH".into(), ..create() }, Rejection::LocaleInvalid);
    refused(Create { currency: "EURO".into(), ..create() }, Rejection::CurrencyUnknown);
}

#[test]
fn takes_its_slug_in_the_whole_installation() {
    let claims = created().claims("");
    assert_eq!(claims, [Claim::take(SLUG, "muster").global()]);
    assert_eq!(claims[0].scope, ClaimScope::Global);
    assert_eq!(CLAIMS[0].0, SLUG);
    assert!(added(1, None).claims("").is_empty());
}

#[test]
fn renames_only_to_another_name() {
    let rename = |name: &str| Command::Rename(Rename { name: name.into() });
    given::<Organization>([created()])
        .when(rename("Muster Gruppe"))
        .then([Event::Renamed { name: "Muster Gruppe".into() }]);
    given::<Organization>([created()]).when(rename(" Muster AG")).then([]);
    given::<Organization>([created()])
        .when(rename(""))
        .refused(Rejection::NameInvalid(Fault::Empty));
}

#[test]
fn adds_units_below_units() {
    given::<Organization>([created()]).when(Command::AddUnit(add(1, None))).then([added(1, None)]);
    given::<Organization>(chain(1))
        .when(Command::AddUnit(add(2, Some(1))))
        .then([added(2, Some(1))]);
}

#[test]
fn gives_a_unit_its_own_time_zone_when_it_is_one() {
    let at =
        |zone: &str| Command::AddUnit(AddUnit { time_zone: Some(zone.into()), ..add(1, None) });
    given::<Organization>([created()]).when(at("Nowhere")).refused(Rejection::TimeZoneUnknown);
    let events = given::<Organization>([created()]).when(at("asia/tokyo")).result().unwrap();
    let Event::UnitAdded { time_zone, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(time_zone.as_deref(), Some("Asia/Tokyo"));
}

#[test]
fn refuses_a_unit_that_exists() {
    let add = AddUnit { code: "other".into(), ..add(1, None) };
    given::<Organization>(chain(1)).when(Command::AddUnit(add)).refused(Rejection::UnitExists);
}

#[test]
fn uses_a_code_once_whatever_its_case_even_after_closing() {
    let again = || Command::AddUnit(AddUnit { code: " u1".into(), ..add(9, None) });
    given::<Organization>(chain(1)).when(again()).refused(Rejection::UnitCodeTaken);
    given::<Organization>([created(), added(1, None), closed(1)])
        .when(again())
        .refused(Rejection::UnitCodeTaken);
}

#[test]
fn refuses_unusable_codes_and_names_of_units() {
    let coded = |code: &str| Command::AddUnit(AddUnit { code: code.into(), ..add(1, None) });
    let refused = |command, rejection| {
        given::<Organization>([created()]).when(command).refused(rejection);
    };
    refused(coded(""), Rejection::UnitCodeInvalid(Fault::Empty));
    refused(coded("a\tb"), Rejection::UnitCodeInvalid(Fault::Control));
    refused(coded(&"x".repeat(33)), Rejection::UnitCodeInvalid(Fault::TooLong(CODE_MAX_CHARS)));
    let unnamed = Command::AddUnit(AddUnit { name: String::new(), ..add(1, None) });
    refused(unnamed, Rejection::NameInvalid(Fault::Empty));
}

#[test]
fn refuses_a_parent_that_is_unknown_or_closed() {
    let below = |parent| Command::AddUnit(add(9, Some(parent)));
    given::<Organization>(chain(1)).when(below(5)).refused(Rejection::ParentUnknown);
    let past = || [created(), added(1, None), closed(1), added(2, None)];
    given::<Organization>(past()).when(below(1)).refused(Rejection::ParentClosed);
    given::<Organization>(past()).when(move_to(2, Some(1))).refused(Rejection::ParentClosed);
    given::<Organization>(past()).when(move_to(2, Some(5))).refused(Rejection::ParentUnknown);
}

#[test]
fn nests_units_to_a_limit() {
    let deepest = TREE_MAX_LEVELS as u128;
    let below = |parent| Command::AddUnit(add(99, Some(parent)));
    given::<Organization>(chain(TREE_MAX_LEVELS))
        .when(below(deepest))
        .refused(Rejection::TreeTooDeep);
    assert!(
        given::<Organization>(chain(TREE_MAX_LEVELS)).when(below(deepest - 1)).result().is_ok()
    );

    let mut past = chain(TREE_MAX_LEVELS - 1);
    past.extend([added(50, None), added(51, Some(50))]);
    let to = |parent| move_to(50, Some(parent));
    given::<Organization>(past.clone()).when(to(deepest - 1)).refused(Rejection::TreeTooDeep);
    assert!(given::<Organization>(past).when(to(deepest - 2)).result().is_ok());
}

#[test]
fn holds_units_to_a_limit() {
    let mut organization = Organization::default();
    organization.evolve(&created());
    for number in 1..=TREE_MAX_UNITS as u128 {
        organization.evolve(&added(number, None));
    }
    let full = organization.decide(Command::AddUnit(add(0, None)), &Facts::default(), &context());
    assert_eq!(full, Err(Rejection::TreeFull));
}

#[test]
fn moves_a_unit_with_what_is_part_of_it() {
    let past = [created(), added(1, None), added(2, None), added(3, Some(2))];
    given::<Organization>(past.clone())
        .when(move_to(2, Some(1)))
        .then([Event::UnitMoved { unit_id: unit(2), parent_id: Some(unit(1)) }]);
    given::<Organization>(past.clone())
        .when(move_to(3, None))
        .then([Event::UnitMoved { unit_id: unit(3), parent_id: None }]);
    given::<Organization>(past.clone()).when(move_to(3, Some(2))).then([]);
    given::<Organization>(past).when(move_to(9, None)).refused(Rejection::UnitUnknown);
}

#[test]
fn keeps_the_tree_acyclic() {
    given::<Organization>(chain(3)).when(move_to(1, Some(1))).refused(Rejection::UnitCycle);
    given::<Organization>(chain(3)).when(move_to(1, Some(3))).refused(Rejection::UnitCycle);
}

#[test]
fn renames_units() {
    let rename = |number, name: &str| {
        Command::RenameUnit(RenameUnit { unit_id: unit(number), name: name.into() })
    };
    given::<Organization>(chain(1))
        .when(rename(1, "Bern"))
        .then([Event::UnitRenamed { unit_id: unit(1), name: "Bern".into() }]);
    given::<Organization>(chain(1)).when(rename(1, "Werk 1")).then([]);
    given::<Organization>(chain(1)).when(rename(2, "Bern")).refused(Rejection::UnitUnknown);
    given::<Organization>(chain(1))
        .when(rename(1, ""))
        .refused(Rejection::NameInvalid(Fault::Empty));
}

#[test]
fn closes_a_unit_when_its_parts_are_closed() {
    given::<Organization>(chain(2)).when(close(1)).refused(Rejection::UnitHasOpenParts);
    given::<Organization>(chain(2)).when(close(2)).then([closed(2)]);
    let past = || chain(2).into_iter().chain([closed(2)]);
    given::<Organization>(past()).when(close(1)).then([closed(1)]);
    given::<Organization>(past()).when(close(2)).then([]);
    given::<Organization>(past()).when(close(9)).refused(Rejection::UnitUnknown);
}

#[test]
fn leaves_a_closed_unit_as_it_is() {
    let past = || [created(), added(1, None), added(2, None), closed(2)];
    given::<Organization>(past()).when(move_to(2, Some(1))).refused(Rejection::UnitClosed);
    let rename = Command::RenameUnit(RenameUnit { unit_id: unit(2), name: "x".into() });
    given::<Organization>(past()).when(rename).refused(Rejection::UnitClosed);
}

#[test]
fn knows_the_path_of_a_unit() {
    let mut organization = Organization::default();
    for event in chain(3) {
        organization.evolve(&event);
    }
    assert_eq!(organization.path(unit(3)), [unit(3), unit(2), unit(1)]);
    assert_eq!(organization.path(unit(1)), [unit(1)]);
    assert_eq!(organization.path(unit(9)), []);
    organization.evolve(&Event::UnitMoved { unit_id: unit(3), parent_id: None });
    assert_eq!(organization.path(unit(3)), [unit(3)]);
}

fn any_unit() -> impl Strategy<Value = u128> {
    1..24_u128
}

fn any_parent() -> impl Strategy<Value = Option<u128>> {
    proptest::option::weighted(0.9, any_unit())
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => (any_unit(), any_parent()).prop_map(|(unit, parent)| Command::AddUnit(add(unit, parent))),
        4 => (any_unit(), any_parent()).prop_map(|(unit, parent)| move_to(unit, parent)),
        1 => any_unit().prop_map(close),
    ]
}

proptest! {
    #[test]
    fn stays_a_tree_whatever_is_asked(commands in prop::collection::vec(any_command(), 0..150)) {
        let mut organization = Organization::default();
        organization.evolve(&created());
        for command in commands {
            for event in organization.decide(command, &Facts::default(), &context()).unwrap_or_default() {
                organization.evolve(&event);
            }
        }
        for (id, unit) in &organization.units {
            let path = organization.path(*id);
            prop_assert!(path.len() <= TREE_MAX_LEVELS);
            prop_assert_eq!(organization.units[path.last().unwrap()].parent_id, None);
            let parent = unit.parent_id.map(|parent| &organization.units[&parent]);
            prop_assert!(unit.closed || parent.is_none_or(|parent| !parent.closed));
        }
    }
}

#[test]
fn nothing_changes_while_it_is_suspended() {
    let suspend = |reason: &str| Command::Suspend(Suspend { reason: reason.into() });
    let suspended = || Event::Suspended { reason: "unpaid".into() };
    given::<Organization>([created()]).when(suspend(" unpaid ")).then([suspended()]);
    given::<Organization>([created()])
        .when(suspend(""))
        .refused(Rejection::ReasonInvalid(Fault::Empty));
    given::<Organization>([created()]).when(Command::Reactivate).then([]);
    let past = || [created(), suspended()];
    given::<Organization>(past()).when(suspend("again")).then([]);
    for command in [
        Command::Rename(Rename { name: "x".into() }),
        Command::AddUnit(add(1, None)),
        move_to(1, None),
        close(1),
    ] {
        given::<Organization>(past()).when(command).refused(Rejection::Suspended);
    }
    given::<Organization>(past()).when(Command::Reactivate).then([Event::Reactivated]);
}

const WEEK: u32 = 7 * 24 * 3600;

fn requested(by: u128) -> Event {
    Event::PurgeRequested { by: id(by), lapses_at: at("2026-01-31T12:00:00Z") }
}

fn confirmed(by: u128) -> Event {
    Event::PurgeConfirmed { by: id(by), effective_at: at("2026-01-08T12:00:00Z") }
}

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
