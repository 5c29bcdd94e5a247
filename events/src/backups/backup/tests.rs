//! The rules of a backup, by example.

use super::*;
use crate::aggregate::{Claim, Event as _, Rejection as _};
use crate::testing::{frozen, given};
use crate::text::Fault;

fn request(scope: Scope) -> Command {
    Command::Request(Request { name: "before the move".into(), scope })
}

fn requested() -> Event {
    Event::Requested { name: "before the move".into(), scope: Scope::Tenant }
}

fn started(attempt: u32) -> Event {
    Event::Started { attempt, worker: "worker-1".into() }
}

fn start(attempt: u32) -> Command {
    Command::Start(Start { attempt, worker: "worker-1".into() })
}

fn archive() -> Archive {
    Archive {
        to_position: 4_711,
        events: 4_000,
        size_bytes: 65_536,
        location: "backups/0190/full".into(),
        manifest_sha256: "0f".repeat(32),
        key_id: "backup-2026".into(),
    }
}

fn complete(attempt: u32) -> Command {
    Command::Complete(Complete { attempt, archive: archive() })
}

fn failed() -> Event {
    Event::Failed { code: "disk_full".into(), message: "no room left".into() }
}

fn fail(attempt: u32) -> Command {
    let (code, message) = ("disk_full".into(), "no room left".into());
    Command::Fail(Fail { attempt, code, message })
}

fn record(ok: bool, errors: &[&str]) -> Command {
    let errors = errors.iter().map(|error| (*error).to_owned()).collect();
    Command::RecordVerification(RecordVerification { ok, checks: 12, errors })
}

fn completed() -> [Event; 3] {
    [requested(), started(1), Event::Completed(archive())]
}

#[test]
fn samples_are_frozen() {
    frozen::<Backup>([
        requested(),
        started(2),
        Event::Completed(archive()),
        failed(),
        Event::VerificationRequested,
        Event::Verified { checks: 12 },
        Event::VerificationFailed { checks: 12, errors: vec!["chunk 3 is altered".into()] },
        Event::Expired,
        Event::CancelRequested,
        Event::Cancelled,
        Event::Retried { attempts: 2, scope: Scope::Tenant },
    ]);
}

#[test]
fn goes_when_it_was_kept_long_enough_and_only_what_is_there_goes() {
    given::<Backup>(completed()).when(Command::Expire).then([Event::Expired]);
    let expired = || completed().into_iter().chain([Event::Expired]);
    given::<Backup>(expired()).when(Command::Expire).then([]);
    given::<Backup>(expired())
        .when(Command::RequestVerification)
        .refused(Rejection::NotCompleted("expired"));
    given::<Backup>([requested(), started(1)])
        .when(Command::Expire)
        .refused(Rejection::NotCompleted("running"));
    given::<Backup>([]).when(Command::Expire).refused(Rejection::Unknown);
}

#[test]
fn every_scope_keeps_its_stored_name() {
    let names = <Scope as strum::VariantArray>::VARIANTS;
    assert_eq!(serde_json::to_string(names).unwrap(), r#"["tenant","everything"]"#);
}

#[test]
fn is_requested_once() {
    given::<Backup>([]).when(request(Scope::Tenant)).then([requested()]);
    for past in [vec![requested()], completed().to_vec(), vec![requested(), failed()]] {
        given::<Backup>(past).when(request(Scope::Tenant)).refused(Rejection::Exists);
    }
    let nameless = Command::Request(Request { name: "\n".into(), scope: Scope::Tenant });
    given::<Backup>([]).when(nameless).refused(Rejection::NameInvalid(Fault::Empty));
}

#[test]
fn covers_the_organisation_unless_told_otherwise() {
    let request: Request = serde_json::from_str(r#"{"name":"nightly"}"#).unwrap();
    assert_eq!(request.scope, Scope::Tenant);
}

#[test]
fn refuses_everything_before_it_is_requested() {
    for command in [start(1), complete(1), fail(0), Command::RequestVerification, record(true, &[])]
    {
        given::<Backup>([]).when(command).refused(Rejection::Unknown);
    }
    assert_eq!(Backup::default().archive(), Err(Rejection::Unknown));
}

#[test]
fn claims_its_scope_from_the_request_to_the_end() {
    let tenant = requested().claims("");
    assert_eq!(tenant, [Claim::take(UNDER_WAY, "tenant")]);
    let everything = Event::Requested { name: "x".into(), scope: Scope::Everything }.claims("");
    assert_eq!(everything, [Claim::take(UNDER_WAY, "everything").global()]);
    let retried = Event::Retried { attempts: 1, scope: Scope::Tenant }.claims("");
    assert_eq!(retried, [Claim::take(UNDER_WAY, "tenant")]);
    for end in [Event::Completed(archive()), failed(), Event::Cancelled] {
        let released =
            [Claim::release(UNDER_WAY, "tenant"), Claim::release(UNDER_WAY, "everything").global()];
        assert_eq!(end.claims(""), released);
    }
    assert!(started(1).claims("").is_empty());
    assert_eq!(CLAIMS[0].0, UNDER_WAY);
}

#[test]
fn starts_with_a_new_attempt_each_time() {
    given::<Backup>([requested()]).when(start(1)).then([started(1)]);
    given::<Backup>([requested(), started(1)]).when(start(2)).then([started(2)]);
    given::<Backup>([requested(), started(2)]).when(start(2)).refused(Rejection::AttemptStale(2));
    let nameless = Command::Start(Start { attempt: 1, worker: String::new() });
    given::<Backup>([requested()]).when(nameless).refused(Rejection::WorkerInvalid(Fault::Empty));
}

#[test]
fn lets_only_the_latest_attempt_report() {
    let past = || [requested(), started(1), started(2)];
    given::<Backup>(past()).when(complete(1)).refused(Rejection::AttemptStale(2));
    given::<Backup>(past()).when(fail(1)).refused(Rejection::AttemptStale(2));
    given::<Backup>(past()).when(complete(2)).then([Event::Completed(archive())]);
    given::<Backup>(past()).when(fail(2)).then([failed()]);
    given::<Backup>([requested()]).when(complete(0)).refused(Rejection::NotRunning("queued"));
}

#[test]
fn fails_also_before_any_worker_began() {
    given::<Backup>([requested()]).when(fail(0)).then([failed()]);
    given::<Backup>([requested()]).when(fail(1)).refused(Rejection::AttemptStale(0));
}

#[test]
fn refuses_a_backup_that_is_not_well_described() {
    let refused = |archive, rejection| {
        given::<Backup>([requested(), started(1)])
            .when(Command::Complete(Complete { attempt: 1, archive }))
            .refused(rejection);
    };
    refused(Archive { to_position: -1, ..archive() }, Rejection::PositionInvalid);
    refused(
        Archive { location: String::new(), ..archive() },
        Rejection::LocationInvalid(Fault::Empty),
    );
    refused(Archive { key_id: "a\0".into(), ..archive() }, Rejection::KeyInvalid(Fault::Control));
    refused(Archive { manifest_sha256: "x".into(), ..archive() }, Rejection::DigestInvalid);
}

#[test]
fn refuses_a_failure_without_a_code() {
    let fail = Fail { attempt: 1, code: "?".into(), message: String::new() };
    given::<Backup>([requested(), started(1)])
        .when(Command::Fail(fail))
        .refused(Rejection::FailureCodeInvalid);
}

#[test]
fn stays_as_it_ended() {
    for (end, name) in [(Event::Completed(archive()), "succeeded"), (failed(), "failed")] {
        for command in [start(2), complete(1), fail(1)] {
            given::<Backup>([requested(), started(1), end.clone()])
                .when(command)
                .refused(Rejection::Finished(name));
        }
    }
}

#[test]
fn is_cancelled_at_once_while_it_waits_and_once_its_worker_let_go_while_it_runs() {
    given::<Backup>([requested()]).when(Command::Cancel).then([Event::Cancelled]);
    let past = || [requested(), started(1), Event::CancelRequested];
    given::<Backup>([requested(), started(1)]).when(Command::Cancel).then([Event::CancelRequested]);
    given::<Backup>(past()).when(Command::Cancel).then([]);
    given::<Backup>(past()).when(complete(1)).refused(Rejection::Cancelling);
    given::<Backup>(past()).when(Command::ConfirmCancel).then([Event::Cancelled]);
    given::<Backup>([requested()]).when(Command::ConfirmCancel).refused(Rejection::Wanted);
    given::<Backup>(completed()).when(Command::Cancel).refused(Rejection::Finished("succeeded"));
}

#[test]
fn is_retried_after_a_failure_and_claims_its_scope_again() {
    let past = || [requested(), started(1), failed()];
    let retried = Event::Retried { attempts: 1, scope: Scope::Tenant };
    given::<Backup>(past()).when(Command::Retry).then([retried.clone()]);
    let again = || past().into_iter().chain([retried.clone()]);
    given::<Backup>(again()).when(start(1)).refused(Rejection::AttemptStale(1));
    given::<Backup>(again()).when(start(2)).then([started(2)]);
    given::<Backup>(completed()).when(Command::Retry).refused(Rejection::NotFailed("succeeded"));
}

#[test]
fn is_verified_when_completed_as_often_as_asked() {
    let requested_again = || Event::VerificationRequested;
    given::<Backup>(completed())
        .when(Command::RequestVerification)
        .then([Event::VerificationRequested]);
    given::<Backup>(completed().into_iter().chain([requested_again()]))
        .when(Command::RequestVerification)
        .then([Event::VerificationRequested]);
    for (past, name) in [
        (vec![requested()], "queued"),
        (vec![requested(), started(1)], "running"),
        (vec![requested(), failed()], "failed"),
    ] {
        for command in [Command::RequestVerification, record(true, &[])] {
            given::<Backup>(past.clone()).when(command).refused(Rejection::NotCompleted(name));
        }
    }
}

#[test]
fn records_what_a_verification_found() {
    given::<Backup>(completed()).when(record(true, &[])).then([Event::Verified { checks: 12 }]);
    given::<Backup>(completed())
        .when(record(false, &["chunk 3\n"]))
        .then([Event::VerificationFailed { checks: 12, errors: vec!["chunk 3".into()] }]);
    for command in [record(true, &["chunk 3"]), record(false, &[])] {
        given::<Backup>(completed()).when(command).refused(Rejection::VerificationInvalid);
    }
}

#[test]
fn keeps_as_many_errors_as_fit() {
    let result = given::<Backup>(completed()).when(record(false, &["x"; 1_000])).result().unwrap();
    let Event::VerificationFailed { errors, .. } = &result[0] else { panic!("{result:?}") };
    assert_eq!(errors.len(), ERRORS_MAX_COUNT);
}

#[test]
fn knows_its_archive_and_the_latest_verification() {
    let mut backup = Backup::default();
    for event in completed() {
        backup.evolve(&event);
    }
    assert_eq!(backup.archive(), Ok(&archive()));
    assert_eq!(backup.verification, Verification::None);
    for (event, latest) in [
        (Event::VerificationRequested, Verification::Requested),
        (Event::Verified { checks: 1 }, Verification::Passed),
        (Event::VerificationFailed { checks: 1, errors: vec![] }, Verification::Failed),
    ] {
        backup.evolve(&event);
        assert_eq!(backup.verification, latest);
    }
}

#[test]
fn names_its_refusals() {
    assert_eq!(Rejection::AttemptStale(1).code(), "BACKUP_ATTEMPT_STALE");
    assert_eq!(Rejection::DigestInvalid.pointer(), Some("/manifest_sha256"));
}
