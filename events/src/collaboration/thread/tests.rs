//! The rules of comments, by example.

use std::collections::BTreeMap;

use jiff::ToSpan as _;

use super::*;
use crate::aggregate::{Actor, ActorKind, Claim, Context, Event as _};
use crate::collaboration::mention::HANDLES_MAX_COUNT;
use crate::ids::{CommentId, UserId};
use crate::personal;
use crate::subject::{Subject, SubjectKind};
use crate::testing::{at, context, frozen, given, id};
use crate::text::Fault;

const END: &str = "2026-01-01T12:15:00Z";
const ANNA: u128 = 2;
const BOB: u128 = 3;

fn subject() -> Subject {
    Subject { kind: SubjectKind::Role, id: id(7) }
}

/// Of user 1, who calls these.
fn said(comment: u128, parent: Option<u128>, (body, called): (&str, &[u128])) -> Event {
    Event::CommentPosted {
        comment_id: id(comment),
        subject: subject(),
        author_id: id(1),
        body: body.into(),
        mentions: users(called),
        parent_id: parent.map(id),
        editable_until: at(END),
    }
}

fn posted(comment: u128, body: &str, called: &[u128]) -> Event {
    said(comment, None, (body, called))
}

fn answered(comment: u128, parent: u128) -> Event {
    said(comment, Some(parent), ("yes", &[]))
}

fn edited(comment: u128, body: &str, (called, added): (&[u128], &[u128])) -> Event {
    Event::CommentEdited {
        comment_id: id(comment),
        author_id: id(1),
        body: body.into(),
        mentions: users(called),
        mentions_added: users(added),
    }
}

fn deleted(comment: u128) -> Event {
    Event::CommentDeleted { comment_id: id(comment) }
}

fn users(numbers: &[u128]) -> Vec<UserId> {
    numbers.iter().map(|number| id(*number)).collect()
}

fn new(comment: u128, body: &str) -> Post {
    let (comment_id, author_id) = (id(comment), id(1));
    Post { comment_id, subject: subject(), author_id, body: body.into(), parent_id: None }
}

fn post(comment: u128, body: &str) -> Command {
    Command::Post(new(comment, body))
}

fn answer(comment: u128, parent: u128) -> Command {
    Command::Post(Post { parent_id: Some(id(parent)), ..new(comment, "yes") })
}

fn edit(comment: u128, body: &str) -> Command {
    Command::Edit { comment_id: id(comment), body: body.into() }
}

fn delete(comment: u128) -> Command {
    Command::Delete { comment_id: id(comment) }
}

/// The record is there, and so are Anna and Bob.
fn known() -> Facts {
    let users = [("anna", ANNA), ("bob", BOB)];
    let users = users.map(|(handle, user)| (handle.to_owned(), id(user)));
    Facts { subject_exists: true, users: BTreeMap::from(users), ..Facts::default() }
}

fn moderator() -> Facts {
    Facts { moderator: true, ..known() }
}

fn by(user: u128) -> Context {
    let actor = Actor { id: id::<UserId>(user).to_string(), ..context().actor };
    Context { actor, ..context() }
}

fn later(now: &str) -> Context {
    Context { now: at(now), ..context() }
}

#[test]
fn samples_are_frozen() {
    frozen::<Thread>([
        said(5, Some(4), ("See @anna", &[ANNA])),
        edited(5, "See @anna and @bob", (&[ANNA, BOB], &[BOB])),
        deleted(5),
    ]);
}

#[test]
fn a_record_has_one_thread_in_its_organisation() {
    let thread = Thread::of(id(0), &subject());
    assert_eq!(thread, Thread::of(id(0), &subject()));
    assert_eq!(thread.0.get_version_num(), 5);
    let other = Subject { kind: SubjectKind::User, ..subject() };
    for other in [Thread::of(id(1), &subject()), Thread::of(id(0), &other)] {
        assert_ne!(thread, other);
    }
}

#[test]
fn a_comment_is_posted_once_by_whoever_writes_it() {
    let command = || post(4, "  Fine.\r\nGo on. ");
    given::<Thread>([]).facts(known()).when(command()).then([posted(4, "Fine.\nGo on.", &[])]);
    given::<Thread>([posted(4, "Fine", &[])])
        .facts(known())
        .when(command())
        .refused(Rejection::Exists);
    given::<Thread>([])
        .facts(known())
        .context(by(2))
        .when(command())
        .refused(Rejection::AuthorMismatch);
    let service = Actor { kind: ActorKind::Service, id: "workers".into(), ..context().actor };
    given::<Thread>([])
        .facts(known())
        .context(Context { actor: service, ..context() })
        .when(command())
        .refused(Rejection::AuthorMismatch);
    given::<Thread>([]).when(command()).refused(Rejection::SubjectUnknown);
}

#[test]
fn what_a_comment_says_is_bounded() {
    let long = "x".repeat(BODY_MAX_CHARS);
    given::<Thread>([]).facts(known()).when(post(4, &long)).then([posted(4, &long, &[])]);
    for (body, fault) in [
        (" \n ", Fault::Empty),
        (&*format!("{long}x"), Fault::TooLong(BODY_MAX_CHARS)),
        ("a\u{202e}b", Fault::Control),
    ] {
        let refused = || Rejection::BodyInvalid(fault);
        given::<Thread>([]).facts(known()).when(post(4, body)).refused(refused());
        let past = [posted(4, "Fine", &[])];
        given::<Thread>(past).facts(known()).when(edit(4, body)).refused(refused());
    }
}

#[test]
fn a_record_has_so_many_comments_and_no_more() {
    let first = 1_000;
    let past = || (0..COMMENTS_MAX_COUNT - 1).map(|n| posted(first + n as u128, "x", &[]));
    given::<Thread>(past()).facts(known()).when(post(4, "x")).then([posted(4, "x", &[])]);
    let full = past().chain([posted(4, "x", &[]), deleted(first)]);
    given::<Thread>(full).facts(known()).when(post(5, "x")).refused(Rejection::ThreadFull);
}

#[test]
fn answers_are_one_level_deep() {
    let past = || [posted(4, "Why?", &[]), answered(5, 4)];
    given::<Thread>(past()).facts(known()).when(answer(6, 4)).then([answered(6, 4)]);
    for (past, parent, rejection) in [
        (past().to_vec(), 5, Rejection::ParentIsReply),
        (past().to_vec(), 9, Rejection::ParentUnknown),
        ([past().to_vec(), vec![deleted(4)]].concat(), 4, Rejection::ParentDeleted),
    ] {
        given::<Thread>(past).facts(known()).when(answer(6, parent)).refused(rejection);
    }
}

#[test]
fn who_wrote_a_comment_edits_it_for_a_quarter_of_an_hour() {
    let past = || [posted(4, "Fine", &[])];
    let after = || [edited(4, "Good", (&[], &[]))];
    for now in ["2026-01-01T12:00:00Z", "2026-01-01T12:14:59.999Z"] {
        given::<Thread>(past())
            .facts(known())
            .context(later(now))
            .when(edit(4, "Good"))
            .then(after());
    }
    for now in [END, "2026-02-01T00:00:00Z"] {
        given::<Thread>(past())
            .facts(known())
            .context(later(now))
            .when(edit(4, "Good"))
            .refused(Rejection::EditTimeOver(at(END)));
        given::<Thread>(past())
            .facts(moderator())
            .context(later(now))
            .when(edit(4, "Good"))
            .then(after());
    }
    given::<Thread>(past()).facts(known()).when(edit(4, " Fine ")).then([]);
    assert_eq!(context().now + EDITABLE, at(END));
    assert_eq!(context().now + 15.minutes(), at(END));
}

#[test]
fn others_edit_and_delete_only_as_moderators() {
    let past = || [posted(4, "Fine", &[])];
    for command in [edit(4, "Good"), delete(4)] {
        given::<Thread>(past())
            .facts(known())
            .context(by(2))
            .when(command)
            .refused(Rejection::AuthorOnly);
    }
    given::<Thread>(past()).facts(moderator()).context(by(2)).when(edit(4, "Good")).then([edited(
        4,
        "Good",
        (&[], &[]),
    )]);
    given::<Thread>(past()).facts(moderator()).context(by(2)).when(delete(4)).then([deleted(4)]);
}

#[test]
fn a_deleted_comment_stays_as_it_is_and_so_do_the_answers_to_it() {
    let past = || [posted(4, "Why?", &[]), answered(5, 4), deleted(4)];
    let end = "2026-02-01T00:00:00Z";
    given::<Thread>(past()[..2].to_vec()).context(later(end)).when(delete(4)).then([deleted(4)]);
    given::<Thread>(past()).when(delete(4)).then([]);
    given::<Thread>(past()).facts(known()).when(edit(4, "x")).refused(Rejection::Deleted);
    given::<Thread>(past()).facts(known()).when(edit(5, "no")).then([edited(5, "no", (&[], &[]))]);
    given::<Thread>(past()).when(delete(9)).refused(Rejection::Unknown);
    given::<Thread>(past()).when(edit(9, "x")).refused(Rejection::Unknown);
}

#[test]
fn what_somebody_forgotten_wrote_is_not_written_anew() {
    let past = || [posted(4, "erased", &[])];
    let facts = || Facts { author_erased: true, ..moderator() };
    given::<Thread>(past())
        .facts(facts())
        .context(by(2))
        .when(edit(4, "x"))
        .refused(Rejection::AuthorErased);
    given::<Thread>(past()).facts(facts()).context(by(2)).when(delete(4)).then([deleted(4)]);
}

#[test]
fn who_is_called_is_known_by_handle_and_once() {
    let body = "@Anna, @anna and @nobody: see `@bob`";
    given::<Thread>([]).facts(known()).when(post(4, body)).then([posted(4, body, &[ANNA])]);
}

#[test]
fn editing_names_only_whom_the_comment_never_called() {
    let past = || vec![posted(4, "See @anna", &[ANNA])];
    given::<Thread>(past()).facts(known()).when(edit(4, "See @bob, @anna")).then([edited(
        4,
        "See @bob, @anna",
        (&[BOB, ANNA], &[BOB]),
    )]);
    let without = [past(), vec![edited(4, "See", (&[], &[]))]].concat();
    given::<Thread>(without).facts(known()).when(edit(4, "See @anna!")).then([edited(
        4,
        "See @anna!",
        (&[ANNA], &[]),
    )]);
    let with_bob = [past(), vec![edited(4, "See @bob", (&[BOB], &[BOB]))]].concat();
    given::<Thread>(with_bob).facts(known()).when(edit(4, "@anna @bob")).then([edited(
        4,
        "@anna @bob",
        (&[ANNA, BOB], &[]),
    )]);
}

#[test]
fn a_comment_calls_so_many_and_no_more() {
    let many = |count: usize| (0..count).map(|n| format!("@u{n}")).collect::<Vec<_>>().join(" ");
    let body = many(HANDLES_MAX_COUNT);
    given::<Thread>([]).facts(known()).when(post(4, &body)).then([posted(4, body.trim(), &[])]);
    let body = many(HANDLES_MAX_COUNT + 1);
    let refused = || Rejection::MentionsTooMany;
    given::<Thread>([]).facts(known()).when(post(4, &body)).refused(refused());
    let past = [posted(4, "Fine", &[])];
    given::<Thread>(past).facts(known()).when(edit(4, &body)).refused(refused());
}

#[test]
fn a_comment_is_claimed_for_good_and_personal_to_whoever_wrote_it() {
    let claim = Claim::take(COMMENT, id::<CommentId>(4).to_string());
    assert_eq!(posted(4, "Fine", &[]).claims(""), [claim]);
    assert_eq!(deleted(4).claims(""), []);
    for event_type in ["collaboration.thread.comment_posted", "collaboration.thread.comment_edited"]
    {
        let personal = personal::of(event_type).unwrap();
        assert_eq!(personal.members, ["body"]);
        assert_eq!(personal.subject, personal::Subject::Member("author_id"));
    }
}
