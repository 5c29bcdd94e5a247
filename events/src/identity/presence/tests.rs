//! The rules of a user's presence, by example.

use super::*;
use crate::ids::SessionId;
use crate::testing::{Given, frozen, given, id};

fn opened(session: u128, ended: &[u128], displaced: &[u128]) -> Event {
    let ids = |numbers: &[u128]| numbers.iter().map(|number| id(*number)).collect();
    Event::SessionOpened { session_id: id(session), ended: ids(ended), displaced: ids(displaced) }
}

fn open(session: u128) -> Command {
    Command::Open(Open { session_id: id::<SessionId>(session), place_sha256: None })
}

fn digest(place: u128) -> String {
    format!("{place:064x}")
}

fn open_from(place: u128, session: u128) -> Command {
    let place_sha256 = Some(digest(place));
    Command::Open(Open { session_id: id::<SessionId>(session), place_sha256 })
}

fn seen(place: u128, session: u128, known: u32) -> Event {
    Event::PlaceFirstSeen { place_sha256: digest(place), session_id: id(session), known }
}

/// Sessions 1 to `count` are open, and the user may have `most`.
fn with(count: u128, most: usize, ended: &[u128]) -> Given<Presence> {
    let ended = ended.iter().map(|number| id(*number)).collect();
    let past = (1..=count).map(|number| opened(number, &[], &[]));
    given::<Presence>(past).facts(Facts { most, ended })
}

#[test]
fn samples_are_frozen() {
    frozen::<Presence>([opened(3, &[1], &[2]), seen(9, 3, 1)]);
}

#[test]
fn a_session_takes_its_place_once() {
    with(0, 2, &[]).when(open(1)).then([opened(1, &[], &[])]);
    with(1, 2, &[]).when(open(1)).then([]);
    with(1, 2, &[]).when(open(2)).then([opened(2, &[], &[])]);
}

#[test]
fn the_oldest_session_ends_when_there_are_as_many_as_may_be() {
    with(2, 2, &[]).when(open(3)).then([opened(3, &[], &[1])]);
    with(5, 2, &[]).when(open(6)).then([opened(6, &[], &[1, 2, 3, 4])]);
    with(1, 1, &[]).when(open(2)).then([opened(2, &[], &[1])]);
}

#[test]
fn sessions_that_have_ended_take_no_place() {
    with(2, 2, &[2]).when(open(3)).then([opened(3, &[2], &[])]);
    with(3, 2, &[2]).when(open(4)).then([opened(4, &[2], &[1])]);
}

#[test]
fn there_is_room_for_one_at_least() {
    with(0, 0, &[]).when(open(1)).refused(Rejection::NoRoom);
}

/// Session 1 opened from place 1.
fn at_home() -> Given<Presence> {
    let past = [opened(1, &[], &[]), seen(1, 1, 0)];
    given::<Presence>(past).facts(Facts { most: 5, ended: Vec::new() })
}

#[test]
fn a_place_is_new_once() {
    with(0, 5, &[]).when(open_from(1, 1)).then([opened(1, &[], &[]), seen(1, 1, 0)]);
    at_home().when(open_from(1, 2)).then([opened(2, &[], &[])]);
    at_home().when(open_from(2, 2)).then([opened(2, &[], &[]), seen(2, 2, 1)]);
    at_home().when(open(2)).then([opened(2, &[], &[])]);
    at_home().when(open_from(2, 1)).then([]);
}

#[test]
fn so_many_places_are_known_and_the_oldest_is_new_again() {
    let past = || (1..=33).map(|place| seen(place, 1, u32::try_from(place).unwrap() - 1));
    let facts = || Facts { most: 5, ended: Vec::new() };
    let open_from = |place| given::<Presence>(past()).facts(facts()).when(open_from(place, 2));
    open_from(2).then([opened(2, &[], &[])]);
    open_from(1).then([opened(2, &[], &[]), seen(1, 2, 32)]);
}
