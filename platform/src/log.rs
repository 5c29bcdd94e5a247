//! Events as they stand in the log: which columns are read, and what a row of them says.

use events::TenantId;
use events::envelope::Recorded;
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

macro_rules! columns {
    ($metadata:literal, $chain:literal) => {
        concat!(
            "e.position, e.tenant_id, e.tenant_seq, e.aggregate_type, e.aggregate_id, e.sequence, \
             e.event_id, e.event_type, e.event_version, e.recorded_at, e.payload::text, ",
            $metadata,
            ", ",
            $chain
        )
    };
}

/// The columns of `log.events e` that make a [`Record`], in this order and before any others.
pub const COLUMNS: &str = columns!("e.metadata::text", "e.chain");

/// The same with an empty chain: no fold needs it, and it is a tenth of what would be sent.
pub const UNCHAINED: &str = columns!("e.metadata::text", "''::bytea");

/// The same with an empty chain and no metadata.
pub const BARE: &str = columns!("'{}'::text", "''::bytea");

/// Where among these columns the payload stands.
pub const PAYLOAD: usize = 10;

/// One event as it stands in the log, borrowed from what was read; its texts stay texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Global place in the log.
    pub position: i64,
    /// The organisation.
    pub tenant_id: Uuid,
    /// Place in the organisation's own sequence.
    pub tenant_seq: i64,
    /// Stream name.
    pub aggregate_type: &'a str,
    /// Stream id.
    pub aggregate_id: &'a str,
    /// Version of the stream after this event.
    pub sequence: i64,
    /// The event's own id.
    pub event_id: Uuid,
    /// Stored name.
    pub event_type: &'a str,
    /// Schema version of the payload.
    pub event_version: &'a str,
    /// When it was committed.
    pub recorded_at: Timestamp,
    /// The payload's exact text, as hashed.
    pub payload: &'a str,
    /// The metadata's exact text, as hashed.
    pub metadata: &'a str,
    /// Tamper-evidence chain of the organisation after this event.
    pub chain: &'a [u8],
}

/// By place, not by name: a rebuild reads hundreds of thousands of rows a second.
impl<'r> FromRow<'r, PgRow> for Record<'r> {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            position: row.try_get(0)?,
            tenant_id: row.try_get(1)?,
            tenant_seq: row.try_get(2)?,
            aggregate_type: row.try_get(3)?,
            aggregate_id: row.try_get(4)?,
            sequence: row.try_get(5)?,
            event_id: row.try_get(6)?,
            event_type: row.try_get(7)?,
            event_version: row.try_get(8)?,
            recorded_at: row.try_get::<jiff_sqlx::Timestamp, _>(9)?.to_jiff(),
            payload: row.try_get(PAYLOAD)?,
            metadata: row.try_get(11)?,
            chain: row.try_get(12)?,
        })
    }
}

/// An event of its own, from a row that begins with [`COLUMNS`].
pub fn recorded(row: &PgRow) -> Result<Recorded, sqlx::Error> {
    let record = Record::from_row(row)?;
    Ok(Recorded {
        position: record.position,
        tenant_id: TenantId(record.tenant_id),
        tenant_seq: record.tenant_seq,
        aggregate_type: record.aggregate_type.to_owned(),
        aggregate_id: record.aggregate_id.to_owned(),
        sequence: record.sequence,
        event_id: record.event_id,
        event_type: record.event_type.to_owned(),
        event_version: record.event_version.to_owned(),
        payload: record.payload.to_owned(),
        metadata: record.metadata.to_owned(),
        recorded_at: record.recorded_at,
        chain: record.chain.to_vec(),
    })
}
