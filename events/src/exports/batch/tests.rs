//! The rules of a batch, by example.

use super::*;
use crate::aggregate::{Actor, ActorKind, Context};
use crate::exports::Report;
use crate::exports::export::{Dialect, Format, Options};
use crate::testing::{at, context, frozen, given, id};

fn item(format: Format) -> Item {
    let report =
        Report { dataset: "rbac.roles".into(), columns: vec!["name".into()], ..Report::default() };
    Item { format, report, template_id: None }
}

fn request() -> Request {
    Request {
        title: Some(" Month end ".into()),
        items: vec![item(Format::Csv), item(Format::Pdf)],
        run_at: Some(at("2026-01-02T12:00:00Z")),
        requested_by: id(1),
    }
}

fn requested() -> Event {
    Event::Requested {
        title: Some("Month end".into()),
        items: vec![item(Format::Csv), item(Format::Pdf)],
        run_at: Some(at("2026-01-02T12:00:00Z")),
        requested_by: id(1),
    }
}

fn started() -> Event {
    Event::Started { attempt: 1, items: vec![0, 1] }
}

fn asked(item: u32) -> Event {
    Event::ItemRequested { item, export_id: id(u128::from(item) + 10) }
}

fn refused(item: u32, ended: u32) -> Event {
    Event::ItemRefused { item, code: "FORBIDDEN".into(), detail: "no".into(), ended }
}

fn finished(item: u32, made: bool, ended: u32) -> Event {
    Event::ItemFinished { item, export_id: id(u128::from(item) + 10), made, ended }
}

fn finish(item: u32, made: bool) -> Command {
    Command::FinishItem { export_id: id(u128::from(item) + 10), made }
}

fn refuse(item: u32) -> Command {
    let came = Came::Refused { code: "FORBIDDEN".into(), detail: "no".into() };
    Command::RecordItem { item, came }
}

fn failed() -> Event {
    let message = "none of the files could be made: see why, and retry".into();
    Event::Failed { code: "no_file".into(), message }
}

fn completed(made: u32, failed: u32) -> Event {
    Event::Completed { made, failed }
}

#[test]
fn samples_are_frozen() {
    frozen::<Batch>([
        requested(),
        started(),
        asked(0),
        refused(1, 1),
        finished(0, true, 2),
        completed(1, 1),
        failed(),
        Event::Cancelled,
        Event::Retried { attempts: 1 },
        Event::Downloaded { by: id(1) },
    ]);
}

#[test]
fn several_files_are_asked_for_as_one() {
    given::<Batch>([]).when(Command::Request(request())).then([requested()]);
    given::<Batch>([requested()]).when(Command::Request(request())).refused(Rejection::Exists);
    given::<Batch>([]).when(Command::Start).refused(Rejection::Unknown);
}

#[test]
fn a_batch_is_well_formed_and_ones_own() {
    let refused = |change: fn(&mut Request), rejection| {
        let mut request = request();
        change(&mut request);
        given::<Batch>([]).when(Command::Request(request)).refused(rejection);
    };
    refused(|it| it.items.clear(), Rejection::ItemsInvalid);
    refused(|it| it.items = vec![item(Format::Csv); 51], Rejection::ItemsInvalid);
    refused(|it| it.items[1].report.columns.clear(), Rejection::ItemInvalid);
    let dialect = |it: &mut Request| {
        it.items[1].report.options = Options { dialect: Some(Dialect::Raw), ..Options::default() };
    };
    refused(dialect, Rejection::ItemInvalid); // a PDF has none
    refused(|it| it.run_at = Some(at("2026-01-01T00:00:00Z")), Rejection::RunAtPast);
    refused(|it| it.title = Some(" ".into()), Rejection::TitleInvalid(crate::text::Fault::Empty));
    let somebody = Actor { kind: ActorKind::User, id: "x".into(), ..context().actor };
    given::<Batch>([])
        .context(Context { actor: somebody, ..context() })
        .when(Command::Request(request()))
        .refused(Rejection::RequesterMismatch);
}

#[test]
fn its_items_are_asked_for_once_and_it_ends_with_the_last_of_them() {
    given::<Batch>([requested()]).when(Command::Start).then([started()]);
    given::<Batch>([requested(), started()]).when(Command::Start).then([]);
    let requested_item = Command::RecordItem { item: 0, came: Came::Requested(id(10)) };
    given::<Batch>([requested(), started()]).when(requested_item.clone()).then([asked(0)]);
    given::<Batch>([requested(), started(), asked(0)]).when(requested_item).then([]);
    let busy = [requested(), started(), asked(0), asked(1)];
    given::<Batch>(busy.clone()).when(finish(1, true)).then([finished(1, true, 1)]);
    let more = busy.iter().cloned().chain([finished(1, true, 1)]);
    let last = [finished(0, false, 2), completed(1, 1)];
    given::<Batch>(more.clone()).when(finish(0, false)).then(last.clone());
    let over: Vec<Event> = more.chain(last).collect();
    given::<Batch>(over.clone()).when(finish(0, false)).then([]);
    // Tried again by itself, it is among the others then.
    given::<Batch>(over.clone()).when(finish(0, true)).then([finished(0, true, 2)]);
    given::<Batch>(over).when(finish(7, true)).then([]);
    given::<Batch>([requested(), started()])
        .when(Command::RecordItem { item: 2, came: Came::Requested(id(12)) })
        .refused(Rejection::ItemUnknown);
}

#[test]
fn a_batch_without_a_file_failed_and_asks_again_for_what_is_missing() {
    let one = [requested(), started(), refused(0, 1)];
    given::<Batch>(one.clone()).when(refuse(1)).then([refused(1, 2), failed()]);
    let over: Vec<Event> = one.into_iter().chain([refused(1, 2), failed()]).collect();
    given::<Batch>(over.clone()).when(Command::Retry).then([Event::Retried { attempts: 1 }]);
    let again: Vec<Event> = over.into_iter().chain([Event::Retried { attempts: 1 }]).collect();
    let second = Event::Started { attempt: 2, items: vec![0, 1] };
    given::<Batch>(again.clone()).when(Command::Start).then([second.clone()]);
    let busy = again.into_iter().chain([second, asked(0), asked(1), finished(0, true, 1)]);
    given::<Batch>(busy).when(finish(1, true)).then([finished(1, true, 2), completed(2, 0)]);
    given::<Batch>([requested()]).when(Command::Retry).refused(Rejection::NotFailed("queued"));
}

#[test]
fn one_whose_file_came_after_all_has_not_failed() {
    let all = [requested(), started(), asked(0), refused(1, 1), finished(0, false, 2), failed()];
    given::<Batch>(all).when(finish(0, true)).then([finished(0, true, 2), completed(1, 1)]);
}

#[test]
fn what_is_cancelled_stays_so_whatever_comes_of_its_items() {
    given::<Batch>([requested()]).when(Command::Cancel).then([Event::Cancelled]);
    let cancelled = [requested(), started(), asked(0), Event::Cancelled];
    given::<Batch>(cancelled.clone()).when(Command::Cancel).then([]);
    given::<Batch>(cancelled.clone()).when(finish(0, true)).then([]);
    given::<Batch>(cancelled.clone()).when(refuse(1)).then([]);
    given::<Batch>(cancelled).when(Command::Start).then([]);
    let over = [requested(), started(), asked(0), refused(1, 1), finished(0, true, 2)];
    let over = over.into_iter().chain([completed(1, 1)]);
    given::<Batch>(over).when(Command::Cancel).refused(Rejection::Finished("succeeded"));
}

#[test]
fn its_files_are_fetched_once_it_is_over() {
    let by = id(1);
    let fetch = Command::RecordDownload { by };
    given::<Batch>([requested()]).when(fetch.clone()).refused(Rejection::NotDownloadable("queued"));
    let over = [requested(), started(), asked(0), refused(1, 1), completed(1, 1)];
    given::<Batch>(over).when(fetch).then([Event::Downloaded { by }]);
}
