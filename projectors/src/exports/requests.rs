//! The exports, one row each, from the request to the end of the file.

use events::exports::export::{Event, Export, File, Format, Sort};
use events::job::State;
use events::{BatchId, Decider as _, ExportId, FileId, TemplateId, TenantId, UserId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Exports;

row!(Row {
    tenant_id: TenantId = Uuid,
    export_id: ExportId = Uuid,
    requested_by: UserId = Uuid,
    format: Format = Text,
    dataset: String = Text,
    columns: Vec<String> = Jsonb,
    filter: Option<String> = Text,
    sort: Vec<Sort> = Jsonb,
    title: Option<String> = Text,
    locale: String = Text,
    time_zone: String = Text,
    status: State = Text,
    attempts: u32 = Integer,
    worker: Option<String> = Text,
    rows_done: u64 = Bigint,
    rows_total: Option<u64> = Bigint,
    file_id: Option<FileId> = Uuid,
    file_name: Option<String> = Text,
    size_bytes: Option<u64> = Bigint,
    sha256: Option<String> = Text,
    rows: Option<u64> = Bigint,
    as_of_position: Option<i64> = Bigint,
    expires_at: Option<Timestamp> = Timestamptz,
    error_code: Option<String> = Text,
    error_message: Option<String> = Text,
    retryable: Option<bool> = Boolean,
    downloads: i64 = Bigint,
    started_at: Option<Timestamp> = Timestamptz,
    ended_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
    template_id: Option<TemplateId> = Uuid,
    archived_at: Option<Timestamp> = Timestamptz,
    deleted_at: Option<Timestamp> = Timestamptz,
    deleted_by: Option<UserId> = Uuid,
    batch_id: Option<BatchId> = Uuid,
    shared_with: Vec<UserId> = Jsonb,
    incremental: bool = Boolean,
});

impl ReadModel for Exports {
    const TABLE: Table = Table {
        name: "exports_exports",
        schema: "read",
        table: "exports_exports",
        key: &["tenant_id", "export_id"],
        group: "export_id",
        resource: ("exports.export", "export_id"),
        columns: Row::COLUMNS,
        reads: &[Export::TYPE],
    };
    const BUILD: i32 = 4;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Export>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Export>()? else { return Ok(()) };
        if let Event::Requested { .. } = event {
            rows.insert(requested(event, fact)?);
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("export", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        change(row, event, fact.at());
        Ok(())
    }
}

fn requested(event: &Event, fact: &Fact) -> Result<Row, FoldError> {
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
        wishes,
        options,
    } = event
    else {
        return Err(FoldError("an export begins with its request".into()));
    };
    Ok(Row {
        tenant_id: fact.tenant(),
        export_id: fact.stream_id()?,
        requested_by: *requested_by,
        format: *format,
        dataset: dataset.clone(),
        columns: columns.clone(),
        filter: filter.clone(),
        sort: sort.clone(),
        title: title.clone(),
        locale: locale.clone(),
        time_zone: time_zone.clone(),
        status: State::Queued,
        attempts: 0,
        worker: None,
        rows_done: 0,
        rows_total: None,
        file_id: None,
        file_name: None,
        size_bytes: None,
        sha256: None,
        rows: None,
        as_of_position: None,
        expires_at: None,
        error_code: None,
        error_message: None,
        retryable: None,
        downloads: 0,
        started_at: None,
        ended_at: None,
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
        template_id: wishes.template_id,
        archived_at: None,
        deleted_at: None,
        deleted_by: None,
        batch_id: wishes.batch_id,
        shared_with: Vec::new(),
        incremental: options.changes.is_some(),
    })
}

fn change(row: &mut Row, event: &Event, at: Timestamp) {
    let end = |row: &mut Row, status| {
        row.status = status;
        row.ended_at = Some(at);
    };
    match event {
        Event::Requested { .. } => {}
        Event::Started { attempt, worker } => {
            row.status = State::Running;
            row.attempts = *attempt;
            row.worker = Some(worker.clone());
            row.started_at = Some(at);
            (row.rows_done, row.rows_total, row.ended_at) = (0, None, None);
            (row.error_code, row.error_message, row.retryable) = (None, None, None);
        }
        Event::Progressed { rows_done, rows_total } => {
            (row.rows_done, row.rows_total) = (*rows_done, *rows_total);
        }
        Event::Completed(file) => {
            end(row, State::Succeeded);
            complete(row, file);
        }
        Event::Failed { code, message, retryable } => {
            end(row, State::Failed);
            row.error_code = Some(code.clone());
            row.error_message = Some(message.clone());
            row.retryable = Some(*retryable);
        }
        Event::CancelRequested => row.status = State::Cancelling,
        Event::Cancelled => end(row, State::Cancelled),
        Event::Retried { attempts } => {
            row.status = State::Queued;
            row.attempts = *attempts;
            (row.worker, row.ended_at) = (None, None);
        }
        Event::Downloaded { .. } => row.downloads += 1,
        // When it would have expired is of no consequence any more.
        Event::Delivered { recipients, .. } | Event::Emailed { recipients, .. } => {
            let new = recipients.iter().filter(|user| !row.shared_with.contains(user));
            row.shared_with = row.shared_with.iter().chain(new).copied().collect();
        }
        Event::Archived { .. } => (row.archived_at, row.expires_at) = (Some(at), None),
        Event::Deleted { by } => {
            row.status = State::Expired;
            (row.deleted_at, row.deleted_by) = (Some(at), Some(*by));
        }
        Event::Expired => row.status = State::Expired,
    }
}

fn complete(row: &mut Row, file: &File) {
    row.file_id = Some(file.file_id);
    row.file_name = Some(file.file_name.clone());
    row.size_bytes = Some(file.size_bytes);
    row.sha256 = Some(file.sha256.clone());
    row.rows = Some(file.rows);
    row.rows_done = file.rows;
    row.rows_total = Some(file.rows);
    row.as_of_position = Some(file.position);
    row.expires_at = Some(file.expires_at);
}

#[cfg(test)]
mod tests {
    use events::exports::export::Wishes;
    use events::testing::{at, id};
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn after(events: impl IntoIterator<Item = Event>) -> serde_json::Value {
        let requested = Event::Requested {
            format: Format::Csv,
            dataset: "rbac.roles".into(),
            columns: vec!["name".into()],
            filter: None,
            sort: vec![Sort { column: "name".into(), descending: true }],
            title: None,
            locale: "en".into(),
            time_zone: "UTC".into(),
            requested_by: id(1),
            wishes: Box::new(Wishes { template_id: Some(id(7)), ..Wishes::default() }),
            options: Box::default(),
        };
        let events = [requested].into_iter().chain(events);
        Past::default().with::<Export>(id::<ExportId>(3), events).row::<Exports>()
    }

    fn started(attempt: u32) -> Event {
        Event::Started { attempt, worker: "w1".into() }
    }

    #[test]
    fn an_export_waits_then_shows_its_progress() {
        assert_eq!(after([])["status"], "queued");
        let row = after([started(1), Event::Progressed { rows_done: 50, rows_total: Some(80) }]);
        assert_eq!(row["status"], "running");
        assert_eq!((&row["rows_done"], &row["rows_total"]), (&json!(50), &json!(80)));
    }

    #[test]
    fn a_finished_file_can_be_fetched_until_it_expires() {
        let file = File {
            file_id: id(8),
            file_name: "roles.csv".into(),
            size_bytes: 10,
            sha256: "ab".into(),
            rows: 2,
            position: 9,
            expires_at: at("2026-01-02T00:00:00Z"),
            units: Vec::new(),
            manifest: None,
        };
        let events = [started(1), Event::Completed(file), Event::Downloaded { by: id(1) }];
        let row = after(events.clone());
        assert_eq!((&row["status"], &row["downloads"]), (&json!("succeeded"), &json!(1)));
        assert_eq!(row["file_name"], "roles.csv");
        assert_eq!(row["template_id"], json!(id::<TemplateId>(7)));
        assert_eq!(after(events.clone().into_iter().chain([Event::Expired]))["status"], "expired");
        let row = after(events.clone().into_iter().chain([Event::Archived { by: id(1) }]));
        assert_eq!((&row["status"], &row["expires_at"]), (&json!("succeeded"), &json!(null)));
        assert_eq!(row["archived_at"], row["changed_at"]);
        let row = after(events.into_iter().chain([Event::Deleted { by: id(2) }]));
        assert_eq!(
            (&row["status"], &row["deleted_by"]),
            (&json!("expired"), &json!(id::<UserId>(2)))
        );
    }

    #[test]
    fn a_retried_export_waits_again_and_begins_without_its_old_error() {
        let failed =
            Event::Failed { code: "BOOM".into(), message: "it broke".into(), retryable: true };
        let row = after([started(1), failed.clone()]);
        assert_eq!((&row["status"], &row["error_code"]), (&json!("failed"), &json!("BOOM")));
        let row = after([started(1), failed.clone(), Event::Retried { attempts: 1 }]);
        assert_eq!((&row["status"], &row["error_code"]), (&json!("queued"), &json!("BOOM")));
        let row = after([started(1), failed, Event::Retried { attempts: 1 }, started(2)]);
        assert_eq!((&row["status"], &row["error_code"]), (&json!("running"), &json!(null)));
    }

    #[test]
    fn a_cancelled_export_is_over() {
        assert_eq!(after([started(1), Event::CancelRequested])["status"], "cancelling");
        let row = after([Event::Cancelled]);
        assert_eq!(row["status"], "cancelled");
        assert_eq!(row["ended_at"], "2026-01-01T12:00:02Z");
    }
}
