//! The months of the trail that are archived, one row each, and whether they are still in the trail.

use events::audit::ledger::{Archive, Event, Ledger};
use events::{Decider as _, FileId, TenantId};
use jiff::Timestamp;

use crate::model::{Fact, FoldError, ReadModel, Rows, Table, row};

pub(super) struct Archives;

row!(Row {
    tenant_id: TenantId = Uuid,
    ledger_id: String = Text,
    month: String = Text,
    file_id: FileId = Uuid,
    sha256: String = Text,
    size_bytes: u64 = Bigint,
    rows: u64 = Bigint,
    first_seq: u64 = Bigint,
    last_seq: u64 = Bigint,
    checkpoint_size: u64 = Bigint,
    checkpoint_root: String = Text,
    archived_at: Timestamp = Timestamptz,
    dropped_at: Option<Timestamp> = Timestamptz,
    version: i64 = Bigint,
    created_at: Timestamp = Timestamptz,
    changed_at: Timestamp = Timestamptz,
});

impl ReadModel for Archives {
    const TABLE: Table = Table {
        name: "audit_archives",
        schema: "read",
        table: "audit_archives",
        key: &["tenant_id", "month"],
        group: "ledger_id",
        resource: ("audit.archive", "month"),
        columns: Row::COLUMNS,
        reads: &[Ledger::TYPE],
    };
    const BUILD: i32 = 1;
    type Row = Row;

    fn group(fact: &Fact) -> Result<Option<String>, FoldError> {
        Ok(fact.recorded.is::<Ledger>().then(|| fact.recorded.aggregate_id.clone()))
    }

    fn fold(rows: &mut Rows<Row>, fact: &Fact) -> Result<(), FoldError> {
        match fact.of::<Ledger>()? {
            None | Some(Event::ArchiveRequested { .. } | Event::SigningRefused(_)) => {}
            Some(Event::Archived(archive)) => rows.insert(archived(archive, fact)),
            Some(Event::MonthDropped { month }) => {
                let month = month.to_string();
                let row = rows.change(|row| row.month == month);
                let row = row.ok_or_else(|| FoldError::absent("archive of", &month))?;
                row.dropped_at = Some(fact.at());
                row.version = fact.version();
                row.changed_at = fact.at();
            }
        }
        Ok(())
    }
}

fn archived(archive: &Archive, fact: &Fact) -> Row {
    Row {
        tenant_id: fact.tenant(),
        ledger_id: fact.recorded.aggregate_id.clone(),
        month: archive.month.to_string(),
        file_id: archive.file_id,
        sha256: archive.sha256.clone(),
        size_bytes: archive.size_bytes,
        rows: archive.rows,
        first_seq: archive.first_seq,
        last_seq: archive.last_seq,
        checkpoint_size: archive.checkpoint_size,
        checkpoint_root: archive.checkpoint_root.clone(),
        archived_at: fact.at(),
        dropped_at: None,
        version: fact.version(),
        created_at: fact.at(),
        changed_at: fact.at(),
    }
}
