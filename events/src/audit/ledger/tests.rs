//! What may be archived and dropped of a trail.

use jiff::civil::{Date, date};

use super::{Archive, Command, Event, Ledger, Rejection, SigningRefusal};
use crate::testing::{at, frozen, given, id};

fn october() -> Date {
    date(2025, 10, 1)
}

fn archive() -> Archive {
    Archive {
        month: october(),
        file_id: id(9),
        sha256: "ab".repeat(32),
        size_bytes: 2_048,
        rows: 90,
        first_seq: 11,
        last_seq: 100,
        checkpoint_size: 120,
        checkpoint_root: "w0sKbVvXm1Yv3SnxLyjAOeQPNLUvDT4JRHnLAT0MlBE=".to_owned(),
    }
}

fn requested() -> Event {
    Event::ArchiveRequested { older_than: date(2026, 1, 1) }
}

/// All before October.
fn september() -> Archive {
    Archive { month: date(2025, 9, 1), rows: 10, first_seq: 1, last_seq: 10, ..archive() }
}

fn begun() -> Vec<Event> {
    vec![requested(), Event::Archived(september())]
}

fn archived() -> Vec<Event> {
    [begun(), vec![Event::Archived(archive())]].concat()
}

#[test]
fn months_that_are_over_can_be_asked_for() {
    // The caller of these tests lives at noon on 2026-01-01.
    let ask = |older_than| given::<Ledger>([]).when(Command::RequestArchive { older_than });
    ask(date(2026, 1, 1)).then([requested()]);
    ask(date(2026, 2, 1)).refused(Rejection::MonthNotOver);
    ask(date(2025, 12, 31)).refused(Rejection::MonthInvalid("older_than"));
}

#[test]
fn a_month_that_was_asked_for_and_is_sealed_is_archived_once() {
    let record = |archive| Command::RecordArchive(archive);
    given::<Ledger>(begun()).when(record(archive())).then([Event::Archived(archive())]);
    given::<Ledger>([]).when(record(archive())).refused(Rejection::NotRequested);
    let later = Archive { month: date(2026, 1, 1), ..archive() };
    given::<Ledger>([requested()]).when(record(later)).refused(Rejection::NotRequested);
    given::<Ledger>(archived()).when(record(archive())).then([]);
    let other = Archive { sha256: "cd".repeat(32), ..archive() };
    given::<Ledger>(archived()).when(record(other)).refused(Rejection::ArchivedOtherwise);
}

#[test]
fn an_archived_month_joins_the_one_before_and_the_first_begins_with_the_first_entry() {
    let refused = |given_events: Vec<Event>, archive, first, last| {
        let record = Command::RecordArchive(archive);
        let why = Rejection::NotJoined { first, last };
        given::<Ledger>(given_events).when(record).refused(why);
    };
    let first = || Command::RecordArchive(september());
    given::<Ledger>([requested()]).when(first()).then([Event::Archived(september())]);
    refused(vec![requested()], archive(), 11, 0);
    refused(begun(), Archive { rows: 89, first_seq: 12, ..archive() }, 12, 10);
    refused(begun(), Archive { rows: 91, first_seq: 10, ..archive() }, 10, 10);
    // A month in which nothing happened is no month of the trail.
    let december = Archive { month: date(2025, 12, 1), ..archive() };
    let record = Command::RecordArchive(december.clone());
    given::<Ledger>(begun()).when(record).then([Event::Archived(december)]);
}

#[test]
fn what_no_checkpoint_covers_is_not_archived() {
    let unsealed = Archive { checkpoint_size: 99, ..archive() };
    let record = Command::RecordArchive(unsealed);
    given::<Ledger>([requested()]).when(record).refused(Rejection::NotSealed);
}

#[test]
fn an_archive_that_contradicts_itself_is_refused() {
    let refused = |archive, why| {
        given::<Ledger>([requested()]).when(Command::RecordArchive(archive)).refused(why);
    };
    refused(Archive { rows: 89, ..archive() }, Rejection::CountInvalid);
    refused(Archive { first_seq: 0, ..archive() }, Rejection::CountInvalid);
    refused(Archive { first_seq: 101, ..archive() }, Rejection::CountInvalid);
    refused(Archive { sha256: "x".to_owned(), ..archive() }, Rejection::DigestInvalid);
    refused(Archive { checkpoint_root: String::new(), ..archive() }, Rejection::RootInvalid);
    refused(Archive { month: date(2025, 10, 2), ..archive() }, Rejection::MonthInvalid("month"));
}

#[test]
fn only_an_archived_month_is_dropped_and_only_once() {
    let drop = || Command::DropMonth { month: october() };
    given::<Ledger>([requested()]).when(drop()).refused(Rejection::NotArchived);
    let dropped = Event::MonthDropped { month: october() };
    given::<Ledger>(archived()).when(drop()).then([dropped.clone()]);
    given::<Ledger>([archived(), vec![dropped]].concat()).when(drop()).then([]);
    let second = Command::DropMonth { month: date(2025, 10, 2) };
    given::<Ledger>(archived()).when(second).refused(Rejection::MonthInvalid("month"));
}

fn refusal(since: &str) -> SigningRefusal {
    SigningRefusal {
        epoch: 1,
        since: at(since),
        tenant_seq: Some(17),
        event_id: Some(id(5)),
        reason: "the chain does not hold".to_owned(),
    }
}

#[test]
fn a_refusal_to_sign_is_recorded_once_until_the_notary_has_signed_again() {
    let first = || refusal("2026-01-01T11:00:00Z");
    let record = Command::RecordSigningRefusal;
    let refused = || [Event::SigningRefused(first())];
    given::<Ledger>([]).when(record(first())).then(refused());
    given::<Ledger>(refused()).when(record(first())).then([]);
    // The reason may become plainer meanwhile.
    let other = SigningRefusal { tenant_seq: None, reason: "it is gone".to_owned(), ..first() };
    given::<Ledger>(refused()).when(record(other)).then([]);
    let again = refusal("2026-01-01T11:30:00Z");
    let told = Event::SigningRefused(again.clone());
    given::<Ledger>(refused()).when(record(again)).then([told]);
    let long = SigningRefusal { reason: "x".repeat(2_000), ..first() };
    let cut = SigningRefusal { reason: "x".repeat(1_000), ..first() };
    given::<Ledger>([]).when(record(long)).then([Event::SigningRefused(cut)]);
}

#[test]
fn stored_facts_keep_their_shape() {
    frozen::<Ledger>([
        requested(),
        Event::Archived(archive()),
        Event::MonthDropped { month: october() },
        Event::SigningRefused(refusal("2026-01-01T11:00:00Z")),
    ]);
}
