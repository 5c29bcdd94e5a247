//! The rules of a file, by example.

use super::*;
use crate::aggregate::{Claim, Context, Event as _};
use crate::files::Purpose;
use crate::files::archive::{Archive, Listed};
use crate::files::content::{Finding, Unfit};
use crate::files::name::NameFault;
use crate::ids::UserId;
use crate::subject::{Subject, SubjectKind};
use crate::testing::{at, context, frozen, given, id};

const END: &str = "2026-01-02T12:00:00Z";
const MOST: u64 = 100 * 1024 * 1024;

fn initiate() -> Initiate {
    Initiate {
        name: "büro.png".into(),
        media_type: "image/png".into(),
        size_bytes: Some(1000),
        purpose: Purpose::Attachment,
        uploaded_by: id(1),
    }
}

fn initiated_for(purpose: Purpose) -> Event {
    Event::Initiated {
        name: "büro.png".into(),
        media_type: "image/png".into(),
        size_bytes: Some(1000),
        purpose,
        uploaded_by: id(1),
        expires_at: at(END),
    }
}

fn initiated() -> Event {
    initiated_for(Purpose::Attachment)
}

fn found() -> Finding {
    let begins_as = Some("image/png".into());
    Finding { begins_as, pixels: Some((10, 10)), ..Finding::default() }
}

fn complete() -> Complete {
    Complete {
        blob_id: id(9),
        sha256: "0f".repeat(32),
        expected_sha256: None,
        size_bytes: 1000,
        found: found(),
    }
}

fn content() -> Content {
    Content {
        blob_id: id(9),
        sha256: "0f".repeat(32),
        size_bytes: 1000,
        media_type: "image/png".into(),
        uploaded_by: id(1),
    }
}

fn stored() -> Event {
    Event::Stored { content: content(), keep_until: None }
}

fn deleted() -> Event {
    Event::Deleted { content: content() }
}

fn of_user(number: u128) -> Subject {
    Subject { kind: SubjectKind::User, id: id(number) }
}

fn linked(subject: Subject) -> Event {
    Event::Linked { subject, role: "photo".into() }
}

fn link(subject: Subject, role: &str) -> Command {
    Command::Link { subject, role: role.into() }
}

fn known() -> Facts {
    Facts { subject_exists: true, ..Facts::default() }
}

fn later(now: &str) -> Context {
    Context { now: at(now), ..context() }
}

#[test]
fn samples_are_frozen() {
    let unlinked = Event::Unlinked { subject: of_user(1), keep_until: Some(at(END)) };
    frozen::<File>([
        initiated(),
        stored(),
        linked(of_user(1)),
        unlinked,
        Event::Flagged { reason: "not ours".into() },
        Event::FlagLifted,
        Event::Downloaded { by: id(1) },
        deleted(),
        Event::Refused { reason: Unfit::Mismatched },
        Event::Aborted,
        Event::Expired,
    ]);
}

#[test]
fn is_announced_once_by_whoever_uploads_it() {
    let command = || Command::Initiate(initiate());
    given::<File>([]).when(command()).then([initiated()]);
    given::<File>([initiated()]).when(command()).refused(Rejection::Exists);
    let of_another = Initiate { uploaded_by: id(2), ..initiate() };
    given::<File>([]).when(Command::Initiate(of_another)).refused(Rejection::UploaderMismatch);
}

#[test]
fn an_announcement_that_cannot_be_kept_is_refused() {
    let refused = |initiate, rejection| {
        given::<File>([]).when(Command::Initiate(initiate)).refused(rejection);
    };
    let name = "../x.png".into();
    refused(Initiate { name, ..initiate() }, Rejection::NameInvalid(NameFault::Path));
    refused(Initiate { media_type: "png".into(), ..initiate() }, Rejection::MediaTypeInvalid);
    refused(Initiate { size_bytes: Some(0), ..initiate() }, Rejection::Empty);
    refused(Initiate { size_bytes: Some(MOST + 1), ..initiate() }, Rejection::TooLarge(MOST));
    let page = Initiate { media_type: "text/html".into(), purpose: Purpose::Photo, ..initiate() };
    refused(page, Rejection::ContentUnfit(Unfit::Unserving));
}

#[test]
fn what_was_sent_is_stored_once() {
    let command = || Command::Complete(complete());
    given::<File>([initiated()]).when(command()).then([stored()]);
    given::<File>([initiated(), stored()]).when(command()).then([]);
    let other = Complete { sha256: "f0".repeat(32), ..complete() };
    given::<File>([initiated(), stored()])
        .when(Command::Complete(other))
        .refused(Rejection::NotUploading("stored"));
    given::<File>([]).when(command()).refused(Rejection::Unknown);
    let end = "2026-01-02T12:00:00Z";
    given::<File>([initiated()])
        .context(later(end))
        .when(command())
        .refused(Rejection::NotUploading("expired"));
}

#[test]
fn what_was_sent_is_what_was_announced() {
    let refused = |complete, rejection| {
        given::<File>([initiated()]).when(Command::Complete(complete)).refused(rejection);
    };
    refused(Complete { size_bytes: 999, ..complete() }, Rejection::SizeMismatch(1000));
    let expected_sha256 = Some("f0".repeat(32));
    refused(Complete { expected_sha256, ..complete() }, Rejection::DigestMismatch);
    let begins_as = Some("application/pdf".into());
    let pdf = Complete { found: Finding { begins_as, ..found() }, ..complete() };
    refused(pdf.clone(), Rejection::ContentUnfit(Unfit::Mismatched));
    let reason = Unfit::Mismatched;
    given::<File>([initiated()]).when(Command::Refuse(pdf)).then([Event::Refused { reason }]);
    given::<File>([initiated()]).when(Command::Refuse(complete())).refused(Rejection::ContentFit);
}

#[test]
fn the_purpose_decides_what_an_archive_may_unpack_to() {
    let media_type = "application/vnd.oasis.opendocument.spreadsheet";
    let begins_as = Some("application/zip".into());
    let unpacks_to = |unpacked_bytes| {
        let listed = Listed { entries_count: 1, unpacked_bytes, ..Listed::default() };
        let found = Finding {
            begins_as: begins_as.clone(),
            archive: Archive::Listed(listed),
            ..Finding::default()
        };
        Command::Complete(Complete { found, ..complete() })
    };
    for purpose in [Purpose::Attachment, Purpose::Import] {
        let past = Event::Initiated {
            name: "table.ods".into(),
            media_type: media_type.into(),
            size_bytes: None,
            purpose,
            uploaded_by: id(1),
            expires_at: at(END),
        };
        let most = 20 * purpose.max_bytes();
        let unfit = || Rejection::ContentUnfit(Unfit::TooLargeUnpacked);
        given::<File>([past.clone()]).when(unpacks_to(most + 1)).refused(unfit());
        let Command::Complete(complete) = unpacks_to(most) else { unreachable!("it was built so") };
        given::<File>([past]).when(Command::Refuse(complete)).refused(Rejection::ContentFit);
    }
}

#[test]
fn nobody_takes_more_room_than_there_is() {
    let room = |of_user, of_organization| {
        let room = Room { of_user, user_most: 5000, of_organization, organization_most: 9000 };
        Facts { room, ..Facts::default() }
    };
    let try_it =
        |facts| given::<File>([initiated()]).facts(facts).when(Command::Complete(complete()));
    try_it(room(4000, 8000)).then([stored()]);
    try_it(room(4001, 8000)).refused(Rejection::UserQuotaExceeded(5000));
    try_it(room(0, 8001)).refused(Rejection::OrganizationQuotaExceeded(9000));
    given::<File>([])
        .facts(room(4001, 4001))
        .when(Command::Initiate(initiate()))
        .refused(Rejection::UserQuotaExceeded(5000));
}

#[test]
fn a_linked_file_is_not_deleted() {
    let past = [initiated(), stored(), linked(of_user(1)), linked(of_user(2))];
    given::<File>(past.clone()).when(Command::Delete).refused(Rejection::Linked(2));
    let unlinked = |number| Event::Unlinked { subject: of_user(number), keep_until: None };
    given::<File>(past.clone()).when(Command::Unlink { subject: of_user(1) }).then([unlinked(1)]);
    let free = past.into_iter().chain([unlinked(1), unlinked(2)]);
    given::<File>(free).when(Command::Delete).then([deleted()]);
    given::<File>([initiated(), stored(), deleted()]).when(Command::Delete).then([]);
}

#[test]
fn links_name_records_that_there_are_and_are_bounded() {
    let past = [initiated(), stored()];
    let try_it = |facts, command| given::<File>(past.clone()).facts(facts).when(command);
    try_it(known(), link(of_user(1), "photo")).then([linked(of_user(1))]);
    try_it(Facts::default(), link(of_user(1), "photo")).refused(Rejection::SubjectUnknown);
    try_it(known(), link(of_user(1), "My photo")).refused(Rejection::RoleInvalid);
    let again = || given::<File>([initiated(), stored(), linked(of_user(1))]).facts(known());
    again().when(link(of_user(1), "photo")).then([]);
    again().when(link(of_user(1), "proof")).refused(Rejection::LinkExists);
    again().when(Command::Unlink { subject: of_user(2) }).refused(Rejection::LinkUnknown);
    given::<File>([initiated()])
        .facts(known())
        .when(link(of_user(1), "photo"))
        .refused(Rejection::NotStored("uploading"));
    let many = (0..100).map(|number| linked(of_user(number)));
    given::<File>(past.iter().cloned().chain(many))
        .facts(known())
        .when(link(of_user(100), "photo"))
        .refused(Rejection::LinksFull);
}

#[test]
fn a_flagged_file_is_fetched_by_its_keepers_alone() {
    let flagged = Event::Flagged { reason: "not ours".into() };
    let fetch = |keeper| Command::RecordDownload { by: id(2), keeper };
    let past = [initiated(), stored(), flagged.clone()];
    given::<File>(past.clone()).when(fetch(false)).refused(Rejection::Held);
    given::<File>(past.clone()).when(fetch(true)).then([Event::Downloaded { by: id(2) }]);
    given::<File>(past.clone()).when(Command::Flag { reason: " not ours ".into() }).then([]);
    given::<File>(past).when(Command::LiftFlag).then([Event::FlagLifted]);
    given::<File>([initiated(), stored()])
        .when(Command::Flag { reason: "a\nb".into() })
        .refused(Rejection::ReasonInvalid);
}

#[test]
fn final_states_are_final() {
    let ends = [Event::Aborted, Event::Expired, Event::Refused { reason: Unfit::Mismatched }];
    for (end, name) in ends.into_iter().zip(["aborted", "expired", "refused"]) {
        let past = [initiated(), end];
        given::<File>(past.clone())
            .when(Command::Complete(complete()))
            .refused(Rejection::NotUploading(name));
        given::<File>(past.clone())
            .facts(known())
            .when(link(of_user(1), "photo"))
            .refused(Rejection::NotStored(name));
        given::<File>(past).when(Command::Expire).then([]);
    }
    let gone = [initiated(), stored(), deleted()];
    given::<File>(gone.clone()).when(Command::Abort).refused(Rejection::NotUploading("deleted"));
    given::<File>(gone)
        .when(Command::RecordDownload { by: id(1), keeper: true })
        .refused(Rejection::NotStored("deleted"));
}

#[test]
fn an_upload_ends_by_the_clock_and_a_photo_that_nobody_wants_too() {
    given::<File>([initiated()]).when(Command::Expire).refused(Rejection::NotExpired(at(END)));
    given::<File>([initiated()]).context(later(END)).when(Command::Expire).then([Event::Expired]);
    given::<File>([initiated(), stored()])
        .context(later(END))
        .when(Command::Expire)
        .refused(Rejection::Endless);
    let keep = "2026-04-01T12:00:00Z";
    let kept = || Event::Stored { content: content(), keep_until: Some(at(keep)) };
    let photo = || initiated_for(Purpose::Photo);
    given::<File>([photo()]).when(Command::Complete(complete())).then([kept()]);
    let expire = |past: Vec<Event>| given::<File>(past).context(later(keep)).when(Command::Expire);
    expire(vec![photo(), kept()]).then([deleted()]);
    expire(vec![photo(), kept(), linked(of_user(1))]).refused(Rejection::Endless);
    let subject = of_user(1);
    given::<File>([photo(), kept(), linked(subject)])
        .when(Command::Unlink { subject })
        .then([Event::Unlinked { subject, keep_until: Some(at(keep)) }]);
}

#[test]
fn whoever_is_forgotten_leaves_no_file_that_is_theirs_alone() {
    let withdraw = |number| Command::Withdraw { user: id::<UserId>(number) };
    let role = Subject { kind: SubjectKind::Role, id: id(7) };
    let unlinked = Event::Unlinked { subject: of_user(1), keep_until: None };
    given::<File>([initiated(), stored()]).when(withdraw(1)).then([deleted()]);
    given::<File>([initiated(), stored()]).when(withdraw(2)).then([]);
    given::<File>([initiated()]).when(withdraw(1)).then([Event::Aborted]);
    given::<File>([initiated(), stored(), linked(of_user(1))])
        .when(withdraw(1))
        .then([unlinked.clone(), deleted()]);
    given::<File>([initiated(), stored(), linked(of_user(1)), linked(role)])
        .when(withdraw(1))
        .then([unlinked]);
    given::<File>([initiated(), stored(), linked(role)]).when(withdraw(1)).then([]);
}

#[test]
fn stored_content_is_claimed_until_it_is_deleted() {
    let file = "0190d0c8-7e34-7c51-9c2e-000000000001";
    let key = content().claim_key(file);
    assert_eq!(stored().claims(file), [Claim::take(CONTENT, key.clone())]);
    assert_eq!(deleted().claims(file), [Claim::release(CONTENT, key)]);
    assert!(initiated().claims(file).is_empty());
}
