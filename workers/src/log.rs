//! Reading events of the log as they stand there.

use events::TenantId;
use events::envelope::Recorded;
use sqlx::Row;
use sqlx::postgres::PgRow;

/// A query over the log, written from `where` or `order by` on, whose rows [`recorded`] reads.
macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "select position, tenant_id, tenant_seq, aggregate_type, aggregate_id, sequence, event_id, \
             event_type, event_version, payload::text as payload, metadata::text as metadata, \
             recorded_at, chain from log.events ",
            $rest
        )
    };
}
pub(crate) use select_events;

/// An event from a row of such a query.
pub(crate) fn recorded(row: &PgRow) -> Result<Recorded, sqlx::Error> {
    let recorded_at: jiff_sqlx::Timestamp = row.try_get("recorded_at")?;
    Ok(Recorded {
        position: row.try_get("position")?,
        tenant_id: TenantId(row.try_get("tenant_id")?),
        tenant_seq: row.try_get("tenant_seq")?,
        aggregate_type: row.try_get("aggregate_type")?,
        aggregate_id: row.try_get("aggregate_id")?,
        sequence: row.try_get("sequence")?,
        event_id: row.try_get("event_id")?,
        event_type: row.try_get("event_type")?,
        event_version: row.try_get("event_version")?,
        payload: row.try_get("payload")?,
        metadata: row.try_get("metadata")?,
        recorded_at: recorded_at.to_jiff(),
        chain: row.try_get("chain")?,
    })
}
