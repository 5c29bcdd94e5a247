//! The rules of an organisation, by example.

mod purge;
mod units;

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

fn requested(by: u128) -> Event {
    Event::PurgeRequested { by: id(by), lapses_at: at("2026-01-31T12:00:00Z") }
}

fn confirmed(by: u128) -> Event {
    Event::PurgeConfirmed { by: id(by), effective_at: at("2026-01-08T12:00:00Z") }
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
