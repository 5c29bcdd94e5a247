//! One file per question, each answered by a report.

pub(crate) mod commands;
pub(crate) mod store;

use crate::bed::Bed;
use crate::pgbench::Pgbench;

/// pgbench inserting one row a transaction, with what the last event of the log holds.
async fn row_like_ours(bed: &Bed) -> anyhow::Result<Pgbench> {
    sqlx::query(
        "create table public.bench_rows (
           id bigint generated always as identity primary key, tenant_id uuid not null, aggregate_type text not null,
           aggregate_id text not null, sequence bigint not null, event_id uuid not null, event_type text not null,
           event_version text not null, payload json not null, metadata json not null,
           recorded_at timestamptz not null, chain bytea not null)",
    )
    .execute(&bed.owner)
    .await?;
    let (payload, metadata): (String, String) = sqlx::query_as(
        "select payload::text, metadata::text from log.events order by position desc limit 1",
    )
    .fetch_one(&bed.owner)
    .await?;
    let script = "insert into public.bench_rows (tenant_id, aggregate_type, aggregate_id, sequence, event_id, event_type, \
         event_version, payload, metadata, recorded_at, chain) values ('0199c200-1d2a-7e10-8f1e-000000000001', \
         'notifications.notification', '0199c200-1d2a-7e10-8f1e-000000000002', 1, gen_random_uuid(), \
         'notifications.notification.created', '1', :payload, :metadata, clock_timestamp(), \
         decode(repeat('ab', 32), 'hex'));\n";
    Pgbench::new(bed.url(), script, vec![("payload", payload), ("metadata", metadata)])
}
