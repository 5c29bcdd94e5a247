//! Whom a file is for besides whoever asked, by example.

use super::*;
use crate::ids::UserId;

fn people(numbers: &[u128]) -> Vec<UserId> {
    numbers.iter().map(|number| id(*number)).collect()
}

fn for_people(numbers: &[u128], skip_if_empty: bool) -> Wishes {
    let deliver = Delivery { recipients: people(numbers), skip_if_empty };
    Wishes { deliver: Some(deliver), ..Wishes::default() }
}

/// A finished file of so many rows that is for two people.
fn made(rows: u64, skip_if_empty: bool) -> Vec<Event> {
    let mut first = requested();
    if let Event::Requested { wishes, .. } = &mut first {
        **wishes = for_people(&[2, 3], skip_if_empty);
    }
    vec![first, started(1), Event::Completed(File { rows, ..file() })]
}

fn delivered(recipients: &[u128], left_out: &[u128]) -> Event {
    Event::Delivered { recipients: people(recipients), left_out: people(left_out) }
}

#[test]
fn whom_a_file_is_for_is_said_once_each() {
    for wrong in [vec![], vec![2, 2], (1..=51).collect()] {
        let wishes = Box::new(for_people(&wrong, false));
        let request = Command::Request(Request { wishes, ..request() });
        given::<Export>([]).when(request).refused(Rejection::DeliveryInvalid);
        let email = Command::Email { recipients: people(&wrong), by: id(1) };
        given::<Export>(made(1, false)).when(email).refused(Rejection::RecipientsInvalid);
    }
    let request =
        Command::Request(Request { wishes: Box::new(for_people(&[2, 3], false)), ..request() });
    given::<Export>([]).when(request).then([made(1, false).remove(0)]);
}

#[test]
fn those_a_file_is_for_are_told_once_but_for_whom_it_is_not_any_more() {
    let deliver = |left_out: &[u128]| Command::Deliver { left_out: people(left_out) };
    given::<Export>(made(1, true)).when(deliver(&[])).then([delivered(&[2, 3], &[])]);
    given::<Export>(made(1, true)).when(deliver(&[3, 7])).then([delivered(&[2], &[3])]);
    let again = made(1, true).into_iter().chain([delivered(&[2], &[3])]);
    given::<Export>(again).when(deliver(&[])).then([]);
    given::<Export>(made(0, true)).when(deliver(&[])).then([]);
    given::<Export>(made(0, false)).when(deliver(&[])).then([delivered(&[2, 3], &[])]);
    let unfinished = made(1, false).into_iter().take(2);
    given::<Export>(unfinished).when(deliver(&[])).refused(Rejection::NotDownloadable("running"));
    let nobody = [requested(), started(1), Event::Completed(file())];
    given::<Export>(nobody).when(deliver(&[])).then([]);
}

#[test]
fn the_address_of_a_file_is_sent_while_there_is_one() {
    let email = || Command::Email { recipients: people(&[2]), by: id(1) };
    let emailed = Event::Emailed { recipients: people(&[2]), by: id(1) };
    given::<Export>(made(1, false)).when(email()).then([emailed.clone()]);
    let again = made(1, false).into_iter().chain([emailed.clone()]);
    given::<Export>(again).when(email()).then([emailed]); // whoever lost the letter gets another
    given::<Export>([requested()]).when(email()).refused(Rejection::NotDownloadable("queued"));
}
