//! Background work of every kind, one row each: whoever adds a stream that is work says so here.

use events::backups::backup::Backup;
use events::exports::batch::Batch;
use events::exports::export::Export;
use events::job::{State, Step, Work};
use events::{Decider as _, TenantId, UserId};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Jobs;

row!(Row {
    tenant_id: TenantId = Uuid,
    job_id: Uuid = Uuid,
    kind: String = Text,
    label: String = Text,
    requested_by: Option<UserId> = Uuid,
    state: State = Text,
    attempts: u32 = Integer,
    worker: Option<String> = Text,
    done: Option<u64> = Bigint,
    total: Option<u64> = Bigint,
    unit: Option<String> = Text,
    error_code: Option<String> = Text,
    error_message: Option<String> = Text,
    retryable: Option<bool> = Boolean,
    started_at: Option<Timestamp> = Timestamptz,
    ended_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Jobs {
    const TABLE: Table = Table {
        name: "exports_jobs",
        schema: "read",
        table: "exports_jobs",
        key: &["tenant_id", "job_id"],
        group: "job_id",
        resource: ("exports.job", "job_id"),
        columns: Row::COLUMNS,
        reads: &[Export::TYPE, Batch::TYPE, Backup::TYPE],
    };
    const BUILD: i32 = 2;
    const READS_METADATA: bool = true;
    const ECHOES: bool = true;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        let of = &fact.recorded;
        let work = of.is::<Export>() || of.is::<Batch>() || of.is::<Backup>();
        Ok(work.then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        follow::<Export>(rows, fact)?;
        follow::<Batch>(rows, fact)?;
        follow::<Backup>(rows, fact)
    }
}

/// Takes the step that the event is, if it is one of this kind of work.
fn follow<W: Work>(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
    let Some(step) = fact.of::<W>()?.and_then(W::step) else { return Ok(()) };
    if let Step::Asked { label, requested_by } = step {
        rows.insert(asked::<W>(label, requested_by, fact)?);
        return Ok(());
    }
    let id = &fact.recorded.aggregate_id;
    let row = rows.only().ok_or_else(|| FoldError::absent(W::KIND, id))?;
    row.version = fact.version();
    row.changed_at = fact.at();
    take(row, &step, fact.at());
    Ok(())
}

fn asked<W: Work>(label: &str, by: Option<UserId>, fact: &Fact) -> Result<Row, FoldError> {
    let caller = || fact.actor_id().and_then(|id| id.parse().ok());
    Ok(Row {
        tenant_id: fact.tenant(),
        job_id: fact.stream_id()?,
        kind: W::KIND.into(),
        label: label.into(),
        requested_by: by.or_else(caller),
        state: State::Queued,
        attempts: 0,
        worker: None,
        done: W::UNIT.map(|_| 0),
        total: None,
        unit: W::UNIT.map(Into::into),
        error_code: None,
        error_message: None,
        retryable: None,
        started_at: None,
        ended_at: None,
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
    })
}

fn take(row: &mut Row, step: &Step<'_>, at: Timestamp) {
    let end = |row: &mut Row, state| {
        row.state = state;
        row.ended_at = Some(at);
    };
    match *step {
        Step::Asked { .. } => {}
        Step::Started { attempt, worker } => {
            row.state = State::Running;
            row.attempts = attempt;
            row.worker = Some(worker.to_owned());
            row.started_at = Some(at);
            row.done = row.unit.as_ref().map(|_| 0);
            (row.total, row.ended_at) = (None, None);
            (row.error_code, row.error_message, row.retryable) = (None, None, None);
        }
        Step::Progressed { done, total } => (row.done, row.total) = (Some(done), total),
        Step::Succeeded { done } => {
            end(row, State::Succeeded);
            (row.done, row.total) = (done, done);
        }
        Step::Failed { code, message, retryable } => {
            end(row, State::Failed);
            row.error_code = Some(code.to_owned());
            row.error_message = Some(message.to_owned());
            row.retryable = Some(retryable);
        }
        Step::CancelRequested => row.state = State::Cancelling,
        Step::Cancelled => end(row, State::Cancelled),
        Step::Retried { attempts } => {
            row.state = State::Queued;
            row.attempts = attempts;
            (row.worker, row.ended_at) = (None, None);
        }
        Step::Expired => row.state = State::Expired,
    }
}

#[cfg(test)]
mod tests {
    use events::backups::backup::{Event as Backed, Scope};
    use events::exports::export::{Event as Exported, Format};
    use events::testing::id;
    use events::{BackupId, ExportId};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Past;

    fn export(events: impl IntoIterator<Item = Exported>) -> Value {
        let requested = Exported::Requested {
            format: Format::Csv,
            dataset: "rbac.roles".into(),
            columns: vec!["name".into()],
            filter: None,
            sort: Vec::new(),
            title: None,
            locale: "en".into(),
            time_zone: "UTC".into(),
            requested_by: id(1),
            wishes: Box::default(),
            options: Box::default(),
        };
        let events = [requested].into_iter().chain(events);
        Past::default().with::<Export>(id::<ExportId>(3), events).row::<Jobs>()
    }

    fn backup(events: impl IntoIterator<Item = Backed>) -> Value {
        let requested = Backed::Requested { name: "nightly".into(), scope: Scope::Tenant };
        let events = [requested].into_iter().chain(events);
        Past::default().with::<Backup>(id::<BackupId>(4), events).row::<Jobs>()
    }

    fn started(attempt: u32) -> Exported {
        Exported::Started { attempt, worker: "w1".into() }
    }

    #[test]
    fn work_says_what_it_is_and_for_whom() {
        let row = export([]);
        assert_eq!((&row["kind"], &row["label"]), (&json!("export"), &json!("rbac.roles")));
        assert_eq!(row["requested_by"], json!(id::<UserId>(1)));
        let row = backup([]);
        assert_eq!((&row["kind"], &row["label"]), (&json!("backup"), &json!("nightly")));
        assert_eq!((&row["done"], &row["unit"]), (&json!(null), &json!(null)));
    }

    #[test]
    fn work_that_is_counted_says_how_far_it_is_and_begins_anew_with_every_attempt() {
        let progressed = Exported::Progressed { rows_done: 50, rows_total: Some(80) };
        let row = export([started(1), progressed.clone()]);
        assert_eq!((&row["done"], &row["total"]), (&json!(50), &json!(80)));
        assert_eq!((&row["state"], &row["unit"]), (&json!("running"), &json!("rows")));
        let row = export([started(1), progressed, started(2)]);
        assert_eq!((&row["done"], &row["total"]), (&json!(0), &json!(null)));
        assert_eq!(row["attempts"], 2);
    }

    #[test]
    fn work_that_failed_waits_again_once_it_is_retried() {
        let failed = Backed::Failed { code: "disk_full".into(), message: "no room".into() };
        let row = backup([Backed::Started { attempt: 1, worker: "w".into() }, failed.clone()]);
        assert_eq!((&row["state"], &row["retryable"]), (&json!("failed"), &json!(true)));
        assert_eq!(row["error_code"], "disk_full");
        let again = Backed::Retried { attempts: 1, scope: Scope::Tenant };
        let row = backup([failed, again]);
        assert_eq!((&row["state"], &row["ended_at"]), (&json!("queued"), &json!(null)));
    }

    #[test]
    fn running_work_is_cancelling_until_its_worker_let_go() {
        assert_eq!(export([started(1), Exported::CancelRequested])["state"], "cancelling");
        let row = export([started(1), Exported::CancelRequested, Exported::Cancelled]);
        assert_eq!((&row["state"], row["ended_at"].is_string()), (&json!("cancelled"), true));
    }
}
