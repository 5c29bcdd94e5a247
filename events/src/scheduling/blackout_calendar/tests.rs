//! The rules of a calendar of blackouts, by example.

use super::*;
use crate::scheduling::{Blackout, Recurring};
use crate::testing::{frozen, given, id};
use crate::text::Fault;

fn christmas() -> Blackout {
    Blackout {
        from: "2026-12-24".parse().unwrap(),
        to: "2026-12-26".parse().unwrap(),
        label: "Christmas".into(),
        recurring: Recurring::Yearly,
    }
}

fn defined() -> Event {
    Event::Defined { name: "Holidays".into() }
}

fn added() -> Event {
    Event::BlackoutAdded { blackout_id: id(1), blackout: christmas() }
}

fn add(number: u128, blackout: Blackout) -> Command {
    Command::Add { blackout_id: id(number), blackout }
}

fn rename() -> Command {
    Command::Rename { name: " Feiertage ".into() }
}

#[test]
fn samples_are_frozen() {
    frozen::<BlackoutCalendar>([
        defined(),
        Event::Renamed { name: "Feiertage".into() },
        added(),
        Event::BlackoutRemoved { blackout_id: id(1) },
        Event::Retired,
    ]);
}

#[test]
fn is_defined_once_and_renamed() {
    let define = || Command::Define { name: "Holidays".into() };
    given::<BlackoutCalendar>([]).when(define()).then([defined()]);
    given::<BlackoutCalendar>([defined()]).when(define()).refused(Rejection::Exists);
    let renamed = Event::Renamed { name: "Feiertage".into() };
    given::<BlackoutCalendar>([defined()]).when(rename()).then([renamed.clone()]);
    given::<BlackoutCalendar>([defined(), renamed]).when(rename()).then([]);
    let nameless = Command::Define { name: " ".into() };
    given::<BlackoutCalendar>([]).when(nameless).refused(Rejection::NameInvalid(Fault::Empty));
}

#[test]
fn refuses_everything_before_it_is_defined() {
    for command in
        [rename(), add(1, christmas()), Command::Remove { blackout_id: id(1) }, Command::Retire]
    {
        given::<BlackoutCalendar>([]).when(command).refused(Rejection::Unknown);
    }
}

#[test]
fn days_are_added_once_and_removed() {
    given::<BlackoutCalendar>([defined()]).when(add(1, christmas())).then([added()]);
    given::<BlackoutCalendar>([defined(), added()]).when(add(1, christmas())).then([]);
    let other = Blackout { label: "Advent".into(), ..christmas() };
    given::<BlackoutCalendar>([defined(), added()])
        .when(add(1, other))
        .refused(Rejection::EntryExists);
    let remove = || Command::Remove { blackout_id: id(1) };
    given::<BlackoutCalendar>([defined(), added()])
        .when(remove())
        .then([Event::BlackoutRemoved { blackout_id: id(1) }]);
    given::<BlackoutCalendar>([defined()]).when(remove()).refused(Rejection::EntryUnknown);
}

#[test]
fn days_are_well_formed_and_not_too_many() {
    let refused = |blackout, rejection| {
        given::<BlackoutCalendar>([defined()]).when(add(1, blackout)).refused(rejection);
    };
    let before = "2026-12-23".parse().unwrap();
    refused(Blackout { to: before, ..christmas() }, Rejection::DaysInvalid);
    let next_year = "2027-12-24".parse().unwrap();
    refused(Blackout { to: next_year, ..christmas() }, Rejection::DaysInvalid);
    let label = String::new();
    refused(Blackout { label, ..christmas() }, Rejection::LabelInvalid(Fault::Empty));
    let entries = (0..500)
        .map(|number| Event::BlackoutAdded { blackout_id: id(number), blackout: christmas() });
    let full: Vec<Event> = [defined()].into_iter().chain(entries).collect();
    given::<BlackoutCalendar>(full).when(add(500, christmas())).refused(Rejection::Full);
}

#[test]
fn a_retired_calendar_closes_nothing_and_stays_as_it_is() {
    let past = [defined(), added(), Event::Retired];
    given::<BlackoutCalendar>(past.clone()).when(Command::Retire).then([]);
    for command in [rename(), add(2, christmas()), Command::Remove { blackout_id: id(1) }] {
        given::<BlackoutCalendar>(past.clone()).when(command).refused(Rejection::Retired);
    }
    let mut calendar = BlackoutCalendar::default();
    for event in &past[..2] {
        calendar.evolve(event);
    }
    assert_eq!(calendar.closes().count(), 1);
    calendar.evolve(&Event::Retired);
    assert_eq!(calendar.closes().count(), 0);
}
