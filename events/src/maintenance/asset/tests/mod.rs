//! The rules of an asset, by example.

mod sharing;
mod usage;
mod warranty;

use super::*;
use crate::aggregate::{Claim, Event as _};
use crate::money::{Flaw, Money};
use crate::testing::{at, frozen, given, id};
use crate::text::Fault;

fn day(text: &str) -> jiff::civil::Date {
    text.parse().unwrap()
}

fn price(amount: &str) -> Money {
    Money { amount: amount.into(), currency: "EUR".into() }
}

/// The caller is let in so far, and every unit is open.
fn as_far_as(level: Level) -> Facts {
    Facts { reach: Some(level), place: Place::Open, ..Facts::default() }
}

fn manager() -> Facts {
    as_far_as(Level::Manage)
}

fn wanted() -> Register {
    Register {
        tag: " P-7 ".into(),
        name: "Pump".into(),
        category: Some("pumps".into()),
        serial: Some("SN 12".into()),
        unit_id: Some(id(3)),
        acquired_on: Some(day("2025-03-01")),
        warranty_until: Some(day("2028-02-29")),
        cost: Some(price("1250.5")),
    }
}

fn register(register: Register) -> Command {
    Command::Register(register)
}

fn registered() -> Event {
    Event::Registered {
        tag: "P-7".into(),
        name: "Pump".into(),
        category: Some("pumps".into()),
        serial: Some("SN 12".into()),
        unit_id: Some(id(3)),
        acquired_on: Some(day("2025-03-01")),
        warranty_until: Some(day("2028-02-29")),
        cost: Some(price("1250.50")),
    }
}

fn retagged() -> Event {
    Event::Retagged { previous: "P-7".into(), tag: "P-8".into() }
}

fn moved() -> Event {
    Event::Moved { from: Some(id(3)), unit_id: Some(id(4)) }
}

fn change(change: Change) -> Command {
    Command::Change(change)
}

/// One command of each kind that an asset takes once it is there.
fn every_command() -> Vec<Command> {
    vec![
        change(Change { name: Some("Old pump".into()), ..Change::default() }),
        usage::value("hours", "12"),
        Command::ResetCounter { counter: "hours".into(), reason: "new meter".into() },
        Command::SetSharing { visibility: Visibility::Unit, shares: vec![] },
        Command::Move { unit_id: Some(id(4)) },
        Command::Retire,
    ]
}

#[test]
fn samples_are_frozen() {
    let amended = Amended {
        name: Some("Main pump".into()),
        category: Some(None),
        serial: Some(Some("SN 13".into())),
        acquired_on: None,
        warranty_until: Some(Some(day("2029-01-31"))),
        cost: Some(None),
    };
    frozen::<Asset>([
        registered(),
        retagged(),
        Event::Amended(amended),
        usage::read("hours", ("12.5", "12.5", "12.5")),
        Event::CounterReset {
            counter: "hours".into(),
            previous: "12.5".parse().unwrap(),
            reason: "new meter".into(),
            at: at("2026-01-01T12:00:00Z"),
        },
        Event::VisibilityChosen { visibility: Visibility::Unit },
        Event::Shared { with: With::User(id(2)), level: Level::Work },
        Event::Unshared { with: With::User(id(2)) },
        moved(),
        Event::WarrantyEndAnnounced { warranty_until: day("2029-01-31"), days: 30 },
        Event::Retired,
    ]);
}

#[test]
fn is_registered_once_with_its_texts_and_amounts_in_their_usual_spelling() {
    given::<Asset>([]).facts(manager()).when(register(wanted())).then([registered()]);
    given::<Asset>([registered()])
        .facts(manager())
        .when(register(wanted()))
        .refused(Rejection::Exists);
    let plain = Register { tag: "T".into(), name: "Tool".into(), ..Register::default() };
    let begun = given::<Asset>([]).facts(manager()).when(register(plain)).result().unwrap();
    assert_eq!(begun.len(), 1);
}

#[test]
fn what_cannot_be_used_is_refused_by_the_name_of_its_member() {
    let cases = [
        (Register { tag: " ".into(), ..wanted() }, Rejection::TagInvalid(Fault::Empty)),
        (Register { tag: "x".repeat(65), ..wanted() }, Rejection::TagInvalid(Fault::TooLong(64))),
        (Register { name: "a\nb".into(), ..wanted() }, Rejection::NameInvalid(Fault::Control)),
        (
            Register { category: Some(String::new()), ..wanted() },
            Rejection::CategoryInvalid(Fault::Empty),
        ),
        (
            Register { serial: Some("x".repeat(101)), ..wanted() },
            Rejection::SerialInvalid(Fault::TooLong(100)),
        ),
        (
            Register { warranty_until: Some(day("2025-02-28")), ..wanted() },
            Rejection::WarrantyInvalid,
        ),
        (
            Register { cost: Some(price("1.005")), ..wanted() },
            Rejection::CostInvalid(Flaw::Digits(2)),
        ),
    ];
    for (wanted, rejection) in cases {
        given::<Asset>([]).facts(manager()).when(register(wanted)).refused(rejection);
    }
}

#[test]
fn belongs_to_a_unit_that_is_there_and_open() {
    for (place, rejection) in
        [(Place::Unknown, Rejection::UnitUnknown), (Place::Closed, Rejection::UnitClosed)]
    {
        let facts = Facts { place, ..manager() };
        given::<Asset>([]).facts(facts.clone()).when(register(wanted())).refused(rejection.clone());
        let move_it = Command::Move { unit_id: Some(id(4)) };
        given::<Asset>([registered()]).facts(facts).when(move_it).refused(rejection);
    }
    let move_to = |unit| Command::Move { unit_id: unit };
    given::<Asset>([registered()]).facts(manager()).when(move_to(Some(id(4)))).then([moved()]);
    given::<Asset>([registered(), moved()]).facts(manager()).when(move_to(Some(id(4)))).then([]);
    let to_nobody = Event::Moved { from: Some(id(3)), unit_id: None };
    given::<Asset>([registered()]).facts(manager()).when(move_to(None)).then([to_nobody]);
}

#[test]
fn a_change_tells_only_what_is_other_than_before() {
    let nothing = Change {
        tag: Some("P-7".into()),
        name: Some(" Pump ".into()),
        category: Some(Some("pumps".into())),
        cost: Some(Some(price("1250.500"))),
        ..Change::default()
    };
    given::<Asset>([registered()]).facts(manager()).when(change(nothing)).then([]);
    let some = Change {
        tag: Some("P-8".into()),
        name: Some("Main pump".into()),
        category: Some(None),
        serial: Some(Some("SN 12".into())),
        ..Change::default()
    };
    let amended =
        Amended { name: Some("Main pump".into()), category: Some(None), ..Amended::default() };
    given::<Asset>([registered()])
        .facts(manager())
        .when(change(some))
        .then([retagged(), Event::Amended(amended)]);
    let before = Change { acquired_on: Some(Some(day("2028-03-01"))), ..Change::default() };
    given::<Asset>([registered()])
        .facts(manager())
        .when(change(before))
        .refused(Rejection::WarrantyInvalid);
    let nameless = Change { name: Some(String::new()), ..Change::default() };
    given::<Asset>([registered()])
        .facts(manager())
        .when(change(nameless))
        .refused(Rejection::NameInvalid(Fault::Empty));
}

#[test]
fn what_was_corrected_is_known_as_it_is_now() {
    let amended = Amended {
        name: Some("Main pump".into()),
        serial: Some(None),
        warranty_until: Some(Some(day("2029-01-31"))),
        ..Amended::default()
    };
    let mut asset = Asset::default();
    for event in [registered(), retagged(), Event::Amended(amended), moved()] {
        asset.evolve(&event);
    }
    assert_eq!((&*asset.tag, &*asset.name, &asset.serial), ("P-8", "Main pump", &None));
    assert_eq!(asset.category.as_deref(), Some("pumps"));
    assert_eq!(asset.warranty_until, Some(day("2029-01-31")));
    assert_eq!(asset.unit_id, Some(id(4)));
}

#[test]
fn a_tag_is_claimed_whatever_its_case_and_kept_by_what_is_retired() {
    let claims = |event: Event| event.claims("");
    assert_eq!(claims(registered()), [Claim::take(TAG, "p-7")]);
    assert_eq!(claims(retagged()), [Claim::release(TAG, "p-7"), Claim::take(TAG, "p-8")]);
    let respelled = Event::Retagged { previous: "P-7".into(), tag: "p-7".into() };
    assert_eq!(claims(respelled), []);
    assert_eq!(claims(Event::Retired), []);
}

#[test]
fn nothing_is_asked_of_what_is_not_there() {
    for command in every_command() {
        given::<Asset>([]).facts(manager()).when(command).refused(Rejection::Unknown);
    }
}

#[test]
fn what_is_retired_stays_as_it_is() {
    for command in every_command() {
        let then =
            given::<Asset>([registered(), Event::Retired]).facts(manager()).when(command.clone());
        if command == Command::Retire {
            then.then([]);
        } else {
            then.refused(Rejection::Retired);
        }
    }
}

#[test]
fn each_command_takes_its_level_and_to_whom_nothing_is_shown_there_is_nothing() {
    let past = || [registered(), usage::read("hours", ("5", "5", "5"))];
    for command in every_command() {
        let needed = command.needs().unwrap();
        given::<Asset>(past())
            .facts(Facts { reach: None, ..manager() })
            .when(command.clone())
            .refused(Rejection::Unknown);
        for level in Level::ALL {
            let then = given::<Asset>(past()).facts(as_far_as(*level)).when(command.clone());
            if *level < needed {
                then.refused(Rejection::BeyondLevel(needed));
            } else {
                assert!(then.result().is_ok(), "{command:?} by {level}");
            }
        }
    }
    assert_eq!(usage::value("hours", "12").needs(), Some(Level::Work));
}
