//! The rules of a user's presence, by example.

use super::*;
use crate::ids::SessionId;
use crate::testing::{Given, frozen, given, id};

fn opened(session: u128, ended: &[u128], displaced: &[u128]) -> Event {
    let ids = |numbers: &[u128]| numbers.iter().map(|number| id(*number)).collect();
    Event::SessionOpened { session_id: id(session), ended: ids(ended), displaced: ids(displaced) }
}

fn open(session: u128) -> Command {
    Command::Open(Open { session_id: id::<SessionId>(session) })
}

/// Sessions 1 to `count` are open, and the user may have `most`.
fn with(count: u128, most: usize, ended: &[u128]) -> Given<Presence> {
    let ended = ended.iter().map(|number| id(*number)).collect();
    let past = (1..=count).map(|number| opened(number, &[], &[]));
    given::<Presence>(past).facts(Facts { most, ended })
}

#[test]
fn samples_are_frozen() {
    frozen::<Presence>([opened(3, &[1], &[2])]);
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
