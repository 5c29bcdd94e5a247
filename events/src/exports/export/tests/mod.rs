//! The rules of an export, by example.

mod delivery;
mod keeping;

use super::*;
use crate::aggregate::{Actor, ActorKind, Context, Rejection as _};
use crate::exports::Layout;
use crate::exports::template::Status;
use crate::testing::{at, context, frozen, given, id};
use crate::text::Fault;

const TOMORROW: &str = "2026-01-02T12:00:00Z";

pub(super) fn request() -> Request {
    Request {
        format: Format::Xlsx,
        dataset: "rbac.roles".into(),
        columns: vec!["name".into(), "level".into()],
        filter: Some("level > 3".into()),
        sort: vec![Sort { column: "name".into(), descending: true }],
        title: Some("Rollen".into()),
        locale: "de-CH".into(),
        time_zone: "Europe/Zurich".into(),
        requested_by: id(1),
        wishes: Box::default(),
        options: Options::default(),
    }
}

pub(super) fn requested() -> Event {
    Event::Requested {
        format: Format::Xlsx,
        dataset: "rbac.roles".into(),
        columns: vec!["name".into(), "level".into()],
        filter: Some("level > 3".into()),
        sort: vec![Sort { column: "name".into(), descending: true }],
        title: Some("Rollen".into()),
        locale: "de-CH".into(),
        time_zone: "Europe/Zurich".into(),
        requested_by: id(1),
        wishes: Box::default(),
        options: Box::default(),
    }
}

fn started(attempt: u32) -> Event {
    Event::Started { attempt, worker: "worker-1".into() }
}

fn start(attempt: u32) -> Command {
    Command::Start(Start { attempt, worker: "worker-1".into() })
}

fn progressed(rows_done: u64) -> Event {
    Event::Progressed { rows_done, rows_total: Some(100) }
}

fn progress(attempt: u32, rows_done: u64) -> Command {
    Command::ReportProgress(ReportProgress { attempt, rows_done, rows_total: Some(100) })
}

fn file() -> File {
    File {
        file_id: id(9),
        file_name: "Rollen.xlsx".into(),
        size_bytes: 4_096,
        sha256: "0f".repeat(32),
        rows: 100,
        position: 4_711,
        expires_at: at(TOMORROW),
        units: Vec::new(),
        manifest: None,
    }
}

fn complete(attempt: u32) -> Command {
    Command::Complete(Complete { attempt, file: file() })
}

fn failed(retryable: bool) -> Event {
    Event::Failed {
        code: "permission_revoked".into(),
        message: "no longer yours".into(),
        retryable,
    }
}

fn fail(attempt: u32, retryable: bool) -> Command {
    Command::Fail(Fail {
        attempt,
        code: "permission_revoked".into(),
        message: "no longer yours".into(),
        retryable,
    })
}

fn download() -> Command {
    Command::RecordDownload(RecordDownload { by: id(1) })
}

fn on(time: &str) -> Context {
    Context { now: at(time), ..context() }
}

/// A past that ends in each status in turn, from queued on.
fn pasts() -> [Vec<Event>; 6] {
    let running = vec![requested(), started(1)];
    let then = |event: Event| running.iter().cloned().chain([event]).collect::<Vec<_>>();
    let completed = then(Event::Completed(file()));
    let expired = completed.iter().cloned().chain([Event::Expired]).collect();
    [
        vec![requested()],
        running.clone(),
        completed,
        then(failed(true)),
        then(Event::Cancelled),
        expired,
    ]
}

#[test]
fn samples_are_frozen() {
    frozen::<Export>([
        requested(),
        started(2),
        progressed(50),
        Event::Completed(file()),
        failed(false),
        Event::Cancelled,
        Event::Retried { attempts: 2 },
        Event::Downloaded { by: id(1) },
        Event::Expired,
        Event::CancelRequested,
        Event::Archived { by: id(1) },
        Event::Deleted { by: id(1) },
        Event::Delivered { recipients: vec![id(2)], left_out: vec![id(3)] },
        Event::Emailed { recipients: vec![id(2)], by: id(1) },
    ]);
}

#[test]
fn every_format_keeps_its_stored_name() {
    let names = <Format as strum::VariantArray>::VARIANTS;
    assert_eq!(serde_json::to_string(names).unwrap(), r#"["csv","xlsx","pdf","ndjson","parquet"]"#);
}

#[test]
fn is_requested_once() {
    given::<Export>([]).when(Command::Request(request())).then([requested()]);
    for past in pasts() {
        given::<Export>(past).when(Command::Request(request())).refused(Rejection::Exists);
    }
}

#[test]
fn is_requested_for_oneself_or_by_a_service_for_somebody() {
    let other = Request { requested_by: id(2), ..request() };
    given::<Export>([]).when(Command::Request(other.clone())).refused(Rejection::RequesterMismatch);
    let service = |on_behalf_of| Context {
        actor: Actor {
            kind: ActorKind::Service,
            id: "schedules".into(),
            session_id: None,
            on_behalf_of,
            api_key_id: None,
        },
        ..context()
    };
    let by = |context| given::<Export>([]).context(context).when(Command::Request(other.clone()));
    assert!(by(service(Some(id(2)))).result().is_ok());
    by(service(None)).refused(Rejection::RequesterMismatch);
}

#[test]
fn refuses_everything_before_it_is_requested() {
    for command in [
        start(1),
        progress(1, 1),
        complete(1),
        fail(1, true),
        Command::Cancel,
        Command::ConfirmCancel,
        Command::Retry,
        download(),
        Command::Expire,
        Command::Withdraw,
    ] {
        given::<Export>([]).when(command).refused(Rejection::Unknown);
    }
}

#[test]
fn refuses_a_request_that_is_not_well_formed() {
    let refused = |request, rejection| {
        given::<Export>([]).when(Command::Request(request)).refused(rejection);
    };
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    refused(Request { dataset: "Roles!".into(), ..request() }, Rejection::DatasetInvalid);
    for bad in [&[][..], &["a", "a"], &["a;drop"], &[""]] {
        refused(Request { columns: columns(bad), ..request() }, Rejection::ColumnsInvalid);
    }
    let many = (0..=COLUMNS_MAX_COUNT).map(|n| format!("c{n}")).collect();
    refused(Request { columns: many, ..request() }, Rejection::ColumnsInvalid);
    let sort = |n: usize| Sort { column: format!("c{n}"), descending: false };
    refused(Request { sort: vec![sort(1), sort(1)], ..request() }, Rejection::SortInvalid);
    refused(Request { sort: (0..=8).map(sort).collect(), ..request() }, Rejection::SortInvalid);
    refused(
        Request { filter: Some("x".repeat(2_049)), ..request() },
        Rejection::FilterInvalid(Fault::TooLong(FILTER_MAX_CHARS)),
    );
    refused(
        Request { title: Some("a\nb".into()), ..request() },
        Rejection::TitleInvalid(Fault::Control),
    );
    refused(Request { locale: "?".into(), ..request() }, Rejection::LocaleInvalid);
    refused(Request { time_zone: "Bern".into(), ..request() }, Rejection::TimeZoneUnknown);
}

#[test]
fn starts_with_a_new_attempt_each_time() {
    given::<Export>([requested()]).when(start(1)).then([started(1)]);
    given::<Export>([requested()]).when(start(3)).then([started(3)]);
    given::<Export>([requested()]).when(start(0)).refused(Rejection::AttemptStale(0));
    given::<Export>([requested(), started(1)]).when(start(2)).then([started(2)]);
    given::<Export>([requested(), started(2)]).when(start(2)).refused(Rejection::AttemptStale(2));
    let nameless = Command::Start(Start { attempt: 1, worker: String::new() });
    given::<Export>([requested()]).when(nameless).refused(Rejection::WorkerInvalid(Fault::Empty));
}

#[test]
fn lets_only_the_latest_attempt_report() {
    let past = || [requested(), started(1), started(2)];
    for (old, new) in [
        (progress(1, 5), progress(2, 5)),
        (complete(1), complete(2)),
        (fail(1, true), fail(2, true)),
    ] {
        given::<Export>(past()).when(old.clone()).refused(Rejection::AttemptStale(2));
        given::<Export>([requested()]).when(old).refused(Rejection::NotRunning("queued"));
        assert!(given::<Export>(past()).when(new).result().is_ok());
    }
}

#[test]
fn reports_progress_that_goes_forward() {
    let past = || [requested(), started(1), progressed(50)];
    given::<Export>(past()).when(progress(1, 60)).then([progressed(60)]);
    given::<Export>(past()).when(progress(1, 50)).then([]);
    given::<Export>(past()).when(progress(1, 49)).refused(Rejection::ProgressInvalid);
    given::<Export>(past()).when(progress(1, 101)).refused(Rejection::ProgressInvalid);
    given::<Export>(past().into_iter().chain([started(2)]))
        .when(progress(2, 1))
        .then([progressed(1)]);
}

#[test]
fn completes_with_a_file() {
    given::<Export>([requested(), started(1)]).when(complete(1)).then([Event::Completed(file())]);
}

#[test]
fn refuses_a_file_that_is_not_well_described() {
    let refused = |file, rejection| {
        given::<Export>([requested(), started(1)])
            .when(Command::Complete(Complete { attempt: 1, file }))
            .refused(rejection);
    };
    for name in ["", "../passwd", "a\\b", ".env", "a\nb", " a"] {
        refused(File { file_name: name.into(), ..file() }, Rejection::FileNameInvalid);
    }
    refused(File { sha256: "x".into(), ..file() }, Rejection::DigestInvalid);
    refused(File { position: -1, ..file() }, Rejection::PositionInvalid);
    refused(File { expires_at: context().now, ..file() }, Rejection::ExpiryInvalid);
}

#[test]
fn fails_with_a_code_and_as_much_of_the_message_as_fits() {
    given::<Export>([requested(), started(1)]).when(fail(1, false)).then([failed(false)]);
    let with = |code: &str, message: String| {
        let fail = Fail { attempt: 1, code: code.into(), message, retryable: true };
        given::<Export>([requested(), started(1)]).when(Command::Fail(fail))
    };
    with("No Code", String::new()).refused(Rejection::FailureCodeInvalid);
    let events = with("disk_full", "x".repeat(5_000)).result().unwrap();
    let Event::Failed { message, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(message.len(), FAILURE_MESSAGE_MAX_CHARS);
}

#[test]
fn stays_as_it_ended() {
    let [_, _, completed, failed, cancelled, expired] = pasts();
    for (past, name) in [
        (completed, "succeeded"),
        (failed, "failed"),
        (cancelled, "cancelled"),
        (expired, "expired"),
    ] {
        for command in [start(2), progress(1, 60), complete(1), fail(1, true)] {
            given::<Export>(past.clone()).when(command).refused(Rejection::Finished(name));
        }
        let cancel = given::<Export>(past).when(Command::Cancel);
        if name == "cancelled" {
            cancel.then([]);
        } else {
            cancel.refused(Rejection::Finished(name));
        }
    }
}

#[test]
fn is_cancelled_at_once_while_it_waits_and_once_its_worker_let_go_while_it_runs() {
    let [queued, running, completed, ..] = pasts();
    given::<Export>(queued.clone()).when(Command::Cancel).then([Event::Cancelled]);
    given::<Export>(queued).when(Command::ConfirmCancel).refused(Rejection::Wanted);
    given::<Export>(running.clone()).when(Command::Cancel).then([Event::CancelRequested]);
    let past = || running.iter().cloned().chain([Event::CancelRequested]);
    given::<Export>(past()).when(Command::Cancel).then([]);
    for command in [start(2), progress(1, 60), complete(1), fail(1, true)] {
        given::<Export>(past()).when(command).refused(Rejection::Cancelling);
    }
    given::<Export>(past()).when(Command::ConfirmCancel).then([Event::Cancelled]);
    let cancelled = || past().chain([Event::Cancelled]);
    given::<Export>(cancelled()).when(Command::ConfirmCancel).then([]);
    given::<Export>(completed)
        .when(Command::ConfirmCancel)
        .refused(Rejection::Finished("succeeded"));
}

#[test]
fn is_retried_when_that_can_help_and_goes_on_counting() {
    let [queued, running, completed, retryable, cancelled, expired] = pasts();
    let retried = Event::Retried { attempts: 1 };
    given::<Export>(retryable.clone()).when(Command::Retry).then([retried.clone()]);
    let again = || retryable.iter().cloned().chain([retried.clone()]);
    given::<Export>(again()).when(start(1)).refused(Rejection::AttemptStale(1));
    given::<Export>(again()).when(start(2)).then([started(2)]);
    given::<Export>([requested(), started(1), failed(false)])
        .when(Command::Retry)
        .refused(Rejection::NotRetryable);
    for (past, name) in [
        (queued, "queued"),
        (running, "running"),
        (completed, "succeeded"),
        (cancelled, "cancelled"),
        (expired, "expired"),
    ] {
        given::<Export>(past).when(Command::Retry).refused(Rejection::NotFailed(name));
    }
}

#[test]
fn is_downloadable_only_when_completed_and_not_expired() {
    let [queued, running, completed, failed, cancelled, expired] = pasts();
    given::<Export>(completed.clone()).when(download()).then([Event::Downloaded { by: id(1) }]);
    for (past, name) in
        [(queued, "queued"), (running, "running"), (failed, "failed"), (cancelled, "cancelled")]
    {
        given::<Export>(past).when(download()).refused(Rejection::NotDownloadable(name));
    }
    given::<Export>(expired).when(download()).refused(Rejection::FileExpired);
    given::<Export>(completed.clone())
        .context(on(TOMORROW))
        .when(download())
        .refused(Rejection::FileExpired);

    let mut export = Export::default();
    assert_eq!(export.downloadable(context().now), Err(Rejection::Unknown));
    for event in &completed {
        export.evolve(event);
    }
    assert_eq!(export.downloadable(context().now), Ok(&file()));
}

#[test]
fn expires_when_its_time_is_over() {
    let [queued, running, completed, failed, cancelled, expired] = pasts();
    given::<Export>(completed.clone())
        .context(on(TOMORROW))
        .when(Command::Expire)
        .then([Event::Expired]);
    given::<Export>(completed).when(Command::Expire).refused(Rejection::NotExpired(at(TOMORROW)));
    given::<Export>(expired).when(Command::Expire).then([]);
    for (past, name) in
        [(queued, "queued"), (running, "running"), (failed, "failed"), (cancelled, "cancelled")]
    {
        given::<Export>(past).when(Command::Expire).refused(Rejection::NotDownloadable(name));
    }
}

#[test]
fn a_file_is_withdrawn_before_its_time_but_not_before_it_is_made() {
    let [queued, running, completed, failed, cancelled, expired] = pasts();
    given::<Export>(completed).when(Command::Withdraw).then([Event::Expired]);
    for past in [failed, cancelled, expired] {
        given::<Export>(past).when(Command::Withdraw).then([]);
    }
    for (past, name) in [(queued, "queued"), (running, "running")] {
        given::<Export>(past).when(Command::Withdraw).refused(Rejection::NotDownloadable(name));
    }
}

#[test]
fn names_its_refusals() {
    let stale = Rejection::AttemptStale(2);
    assert_eq!((stale.code(), stale.pointer()), ("EXPORT_ATTEMPT_STALE", Some("/attempt")));
    assert_eq!(
        stale.to_string(),
        "attempt is not the latest, which is 2: leave the export to its worker"
    );
}

#[test]
fn a_request_by_a_template_needs_one_that_is_defined() {
    let wishes = Wishes {
        template_id: Some(id(5)),
        layout: Layout { footer: Some(" Acme ".into()), ..Layout::default() },
        ..Wishes::default()
    };
    let by_template = Command::Request(Request { wishes: Box::new(wishes.clone()), ..request() });
    let with = |template| {
        given::<Export>([]).facts(Facts { template }).context(context()).when(by_template.clone())
    };
    let layout = Layout { footer: Some("Acme".into()), ..Layout::default() };
    let Event::Requested {
        format,
        dataset,
        columns,
        filter,
        sort,
        title,
        locale,
        time_zone,
        requested_by,
        ..
    } = requested()
    else {
        panic!("a request")
    };
    let wishes = Box::new(Wishes { layout, ..wishes });
    with(Some(Status::Defined)).then([Event::Requested {
        format,
        dataset,
        columns,
        filter,
        sort,
        title,
        locale,
        time_zone,
        requested_by,
        wishes,
        options: Box::default(),
    }]);
    with(Some(Status::Retired)).refused(Rejection::TemplateRetired);
    with(Some(Status::Absent)).refused(Rejection::TemplateUnknown);
    with(None).refused(Rejection::TemplateUnknown);
}

#[test]
fn what_is_wished_besides_is_stored_beside_the_rest() {
    let wishes = Wishes { template_id: Some(id(5)), ..Wishes::default() };
    let mut stored = serde_json::to_value(requested()).unwrap();
    assert_eq!(stored.get("template_id"), None);
    stored["template_id"] = serde_json::to_value(wishes.template_id).unwrap();
    let Event::Requested { wishes: read, .. } = serde_json::from_value(stored).unwrap() else {
        panic!("a request")
    };
    assert_eq!(*read, wishes);
}

#[test]
fn what_a_file_is_can_be_verified_after_it_is_gone() {
    let file = File { manifest: Some("a note".into()), ..file() };
    let mut export = Export::default();
    for event in [requested(), started(1), Event::Completed(file.clone()), Event::Expired] {
        export.evolve(&event);
    }
    assert_eq!((export.file, export.manifest.as_deref()), (None, Some("a note")));
    let long = File { manifest: Some("x".repeat(MANIFEST_MAX_BYTES + 1)), ..file };
    given::<Export>([requested(), started(1)])
        .when(Command::Complete(Complete { attempt: 1, file: long }))
        .refused(Rejection::ManifestInvalid);
}
