//! Several files that were asked for as one, one row each, with what became of every file.

use events::exports::batch::{Batch, Event, Item, Stage};
use events::exports::export::Format;
use events::job::State;
use events::{BatchId, Decider as _, ExportId, TenantId, UserId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Batches;

row!(Row {
    tenant_id: TenantId = Uuid,
    batch_id: BatchId = Uuid,
    requested_by: UserId = Uuid,
    title: Option<String> = Text,
    items: Vec<Listed> = Jsonb,
    run_at: Option<Timestamp> = Timestamptz,
    status: State = Text,
    attempts: u32 = Integer,
    total: u32 = Integer,
    made: u32 = Integer,
    failed: u32 = Integer,
    downloads: i64 = Bigint,
    started_at: Option<Timestamp> = Timestamptz,
    ended_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

/// One file of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Listed {
    format: Format,
    dataset: String,
    title: Option<String>,
    export_id: Option<ExportId>,
    stage: Stage,
    error_code: Option<String>,
    error_message: Option<String>,
}

impl Listed {
    fn of(item: &Item) -> Self {
        Self {
            format: item.format,
            dataset: item.report.dataset.clone(),
            title: item.report.title.clone(),
            export_id: None,
            stage: Stage::Waiting,
            error_code: None,
            error_message: None,
        }
    }
}

impl ReadModel for Batches {
    const TABLE: Table = Table {
        name: "exports_batches",
        schema: "read",
        table: "exports_batches",
        key: &["tenant_id", "batch_id"],
        group: "batch_id",
        resource: ("exports.batch", "batch_id"),
        columns: Row::COLUMNS,
        reads: &[Batch::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Batch>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Batch>()? else { return Ok(()) };
        if let Event::Requested { .. } = event {
            rows.insert(requested(event, fact)?);
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("batch", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        change(row, event, fact.at());
        let count = |stage| row.items.iter().filter(|item| item.stage == stage).count();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        (row.made, row.failed) = (number(count(Stage::Made)), number(count(Stage::Failed)));
        Ok(())
    }
}

fn requested(event: &Event, fact: &Fact) -> Result<Row, FoldError> {
    let Event::Requested { title, items, run_at, requested_by } = event else {
        return Err(FoldError("a batch begins with its request".into()));
    };
    Ok(Row {
        tenant_id: fact.tenant(),
        batch_id: fact.stream_id()?,
        requested_by: *requested_by,
        title: title.clone(),
        items: items.iter().map(Listed::of).collect(),
        run_at: *run_at,
        status: State::Queued,
        attempts: 0,
        total: u32::try_from(items.len()).unwrap_or(u32::MAX),
        made: 0,
        failed: 0,
        downloads: 0,
        started_at: None,
        ended_at: None,
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
    })
}

fn change(row: &mut Row, event: &Event, at: Timestamp) {
    let item = |row: &mut Row, number: u32, change: &dyn Fn(&mut Listed)| {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        row.items.get_mut(place).into_iter().for_each(change);
    };
    let end = |row: &mut Row, status| (row.status, row.ended_at) = (status, Some(at));
    match event {
        Event::Requested { .. } => {}
        Event::Started { attempt, items } => {
            (row.status, row.attempts, row.started_at) = (State::Running, *attempt, Some(at));
            row.ended_at = None;
            for number in items {
                item(row, *number, &|it| it.stage = Stage::Waiting);
            }
        }
        Event::ItemRequested { item: number, export_id } => item(row, *number, &|it| {
            (it.export_id, it.stage) = (Some(*export_id), Stage::Asked);
            (it.error_code, it.error_message) = (None, None);
        }),
        Event::ItemRefused { item: number, code, detail, .. } => item(row, *number, &|it| {
            it.stage = Stage::Failed;
            it.error_code = Some(code.clone());
            it.error_message = Some(detail.clone());
        }),
        Event::ItemFinished { item: number, made, .. } => item(row, *number, &|it| {
            it.stage = if *made { Stage::Made } else { Stage::Failed };
        }),
        Event::Completed { .. } => end(row, State::Succeeded),
        Event::Failed { .. } => end(row, State::Failed),
        Event::Cancelled => end(row, State::Cancelled),
        Event::Retried { .. } => (row.status, row.ended_at) = (State::Queued, None),
        Event::Downloaded { .. } => row.downloads += 1,
    }
}

#[cfg(test)]
mod tests {
    use events::exports::Report;
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    #[test]
    fn a_batch_shows_what_became_of_every_file() {
        let item = |format, title: &str| Item {
            format,
            report: Report {
                dataset: "rbac.roles".into(),
                columns: vec!["name".into()],
                title: Some(title.into()),
                ..Report::default()
            },
            template_id: None,
        };
        let items = vec![item(Format::Csv, "One"), item(Format::Pdf, "Other")];
        let events = [
            Event::Requested { title: None, items, run_at: None, requested_by: id(1) },
            Event::Started { attempt: 1, items: vec![0, 1] },
            Event::ItemRequested { item: 0, export_id: id(10) },
            Event::ItemRefused { item: 1, code: "NO".into(), detail: "never".into(), ended: 1 },
            Event::ItemFinished { item: 0, export_id: id(10), made: true, ended: 2 },
            Event::Completed { made: 1, failed: 1 },
            Event::Downloaded { by: id(1) },
        ];
        let row = Past::default().with::<Batch>(id::<BatchId>(9), events).row::<Batches>();
        assert_eq!((&row["status"], &row["total"]), (&json!("succeeded"), &json!(2)));
        assert_eq!((&row["made"], &row["failed"]), (&json!(1), &json!(1)));
        assert_eq!(row["items"][0]["export_id"], json!(id::<ExportId>(10)));
        assert_eq!(row["items"][0]["stage"], "made");
        assert_eq!(row["items"][1]["error_code"], "NO");
        assert_eq!(row["downloads"], 1);
    }
}
