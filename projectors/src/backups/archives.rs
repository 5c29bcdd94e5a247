//! The backups, one row each, with what the latest verification found.

use events::backups::backup::{Archive, Backup, Event, Scope, Verification};
use events::job::State;
use events::{BackupId, Decider as _, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Backups;

row!(Row {
    tenant_id: TenantId = Uuid,
    backup_id: BackupId = Uuid,
    name: String = Text,
    scope: Scope = Text,
    requested_by: Option<String> = Text,
    status: State = Text,
    attempts: u32 = Integer,
    worker: Option<String> = Text,
    to_position: Option<i64> = Bigint,
    events: Option<u64> = Bigint,
    size_bytes: Option<u64> = Bigint,
    location: Option<String> = Text,
    manifest_sha256: Option<String> = Text,
    key_id: Option<String> = Text,
    error_code: Option<String> = Text,
    error_message: Option<String> = Text,
    verification: Verification = Text,
    verified_at: Option<Timestamp> = Timestamptz,
    checks: Option<u64> = Bigint,
    verification_errors: Vec<String> = Jsonb,
    started_at: Option<Timestamp> = Timestamptz,
    ended_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Backups {
    const TABLE: Table = Table {
        name: "backups_backups",
        schema: "read",
        table: "backups_backups",
        key: &["tenant_id", "backup_id"],
        group: "backup_id",
        resource: ("backups.backup", "backup_id"),
        columns: Row::COLUMNS,
        reads: &[Backup::TYPE],
    };
    const BUILD: i32 = 2;
    const READS_METADATA: bool = true;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Backup>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        let Some(event) = fact.of::<Backup>()? else { return Ok(()) };
        if let Event::Requested { name, scope } = event {
            rows.insert(requested(name, *scope, fact)?);
            return Ok(());
        }
        let id = &fact.recorded.aggregate_id;
        let row = rows.only().ok_or_else(|| FoldError::absent("backup", id))?;
        row.version = fact.version();
        row.changed_at = fact.at();
        change(row, event, fact.at());
        Ok(())
    }
}

fn requested(name: &str, scope: Scope, fact: &Fact) -> Result<Row, FoldError> {
    Ok(Row {
        tenant_id: fact.tenant(),
        backup_id: fact.stream_id()?,
        name: name.to_owned(),
        scope,
        requested_by: fact.actor_id(),
        status: State::Queued,
        attempts: 0,
        worker: None,
        to_position: None,
        events: None,
        size_bytes: None,
        location: None,
        manifest_sha256: None,
        key_id: None,
        error_code: None,
        error_message: None,
        verification: Verification::None,
        verified_at: None,
        checks: None,
        verification_errors: Vec::new(),
        started_at: None,
        ended_at: None,
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
    })
}

fn change(row: &mut Row, event: &Event, at: Timestamp) {
    match event {
        Event::Requested { .. } => {}
        Event::Started { attempt, worker } => {
            row.status = State::Running;
            row.attempts = *attempt;
            row.worker = Some(worker.clone());
            row.started_at = Some(at);
            row.ended_at = None;
            (row.error_code, row.error_message) = (None, None);
        }
        Event::Completed(archive) => {
            row.status = State::Succeeded;
            row.ended_at = Some(at);
            complete(row, archive);
        }
        Event::Failed { code, message } => {
            row.status = State::Failed;
            row.ended_at = Some(at);
            row.error_code = Some(code.clone());
            row.error_message = Some(message.clone());
        }
        Event::CancelRequested => row.status = State::Cancelling,
        Event::Cancelled => {
            row.status = State::Cancelled;
            row.ended_at = Some(at);
        }
        Event::Retried { attempts, .. } => {
            row.status = State::Queued;
            row.attempts = *attempts;
            (row.worker, row.ended_at) = (None, None);
        }
        Event::Expired => {
            row.status = State::Expired;
            row.location = None;
        }
        Event::VerificationRequested => row.verification = Verification::Requested,
        Event::Verified { checks } => verified(row, Verification::Passed, (*checks, &[]), at),
        Event::VerificationFailed { checks, errors } => {
            verified(row, Verification::Failed, (*checks, errors), at);
        }
    }
}

fn complete(row: &mut Row, archive: &Archive) {
    row.to_position = Some(archive.to_position);
    row.events = Some(archive.events);
    row.size_bytes = Some(archive.size_bytes);
    row.location = Some(archive.location.clone());
    row.manifest_sha256 = Some(archive.manifest_sha256.clone());
    row.key_id = Some(archive.key_id.clone());
}

fn verified(
    row: &mut Row,
    verification: Verification,
    (checks, errors): (u64, &[String]),
    at: Timestamp,
) {
    row.verification = verification;
    row.verified_at = Some(at);
    row.checks = Some(checks);
    row.verification_errors = errors.to_vec();
}

#[cfg(test)]
mod tests {
    use events::testing::id;
    use serde_json::json;

    use super::*;
    use crate::testing::Past;

    fn after(events: impl IntoIterator<Item = Event>) -> serde_json::Value {
        let requested = Event::Requested { name: "nightly".into(), scope: Scope::Tenant };
        let events = [requested].into_iter().chain(events);
        Past::default().with::<Backup>(id::<BackupId>(4), events).row::<Backups>()
    }

    fn completed() -> Event {
        Event::Completed(Archive {
            to_position: 100,
            events: 90,
            size_bytes: 1234,
            location: "backups/x".into(),
            manifest_sha256: "ab".into(),
            key_id: "k1".into(),
        })
    }

    #[test]
    fn a_backup_says_who_asked_and_what_is_in_it() {
        let row = after([Event::Started { attempt: 1, worker: "w".into() }, completed()]);
        assert_eq!(
            (&row["status"], &row["requested_by"]),
            (&json!("succeeded"), &json!("somebody"))
        );
        assert_eq!((&row["events"], &row["size_bytes"]), (&json!(90), &json!(1234)));
    }

    #[test]
    fn the_latest_verification_counts() {
        let broken = Event::VerificationFailed { checks: 3, errors: vec!["chunk 2".into()] };
        let row = after([completed(), Event::VerificationRequested, broken.clone()]);
        assert_eq!(row["verification"], "failed");
        assert_eq!(row["verification_errors"], json!(["chunk 2"]));
        let row = after([completed(), broken, Event::Verified { checks: 5 }]);
        assert_eq!((&row["verification"], &row["checks"]), (&json!("passed"), &json!(5)));
        assert_eq!(row["verification_errors"], json!([]));
    }
}
