//! Archiving the trail: asked for by people, reported by workers, and only then dropped, by people again; and what the notary
//! refuses to sign.

use events::audit::ledger::{Archive, Command, Ledger, SigningRefusal};
use events::{FileId, Module, Permission};
use jiff::Timestamp;
use jiff::civil::Date;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// Which months to archive.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// The first day of the first month that stays.
    #[schemars(with = "String")]
    older_than: Date,
}

/// A month that is in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Archived {
    /// Its first day.
    #[schemars(with = "String")]
    month: Date,
    /// The file.
    file_id: FileId,
    /// SHA-256 in hexadecimal digits.
    sha256: String,
    /// Its size.
    size_bytes: u64,
    /// The entries in it.
    rows: u64,
    /// The number of the first.
    first_seq: u64,
    /// The number of the last.
    last_seq: u64,
    /// Of how many events the checkpoint is that covers them.
    checkpoint_size: u64,
    /// Its root in base64.
    checkpoint_root: String,
}

/// Why the log is not signed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refused {
    /// The epoch of the log.
    epoch: u32,
    /// When the notary began to refuse.
    since: Timestamp,
    /// The first event that is not as it was recorded, where that can be told.
    #[serde(default)]
    tenant_seq: Option<u64>,
    /// Its id, if it is there.
    #[serde(default)]
    event_id: Option<Uuid>,
    /// What is wrong.
    reason: String,
}

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<Ask, Ledger>(
        Route::post("/audit-logs/archive", Module::Audit, "audit_ledger_request_archive")
            .summary("have all sealed months before a date written into files; nothing is dropped")
            .needs(Permission::AuditTrailArchive),
        |call| {
            let older_than = call.body.older_than;
            Ok(target(call, Command::RequestArchive { older_than }))
        },
    );
    registry.command::<Archived, Ledger>(
        Route::post("/audit-logs/archived", Module::Audit, "audit_ledger_record_archive")
            .summary("a worker has written a month into a file and read it back")
            .needs(Permission::AuditArchivesMake),
        |call| Ok(target(call, Command::RecordArchive(archive(&call.body)))),
    );
    registry.command::<Refused, Ledger>(
        Route::post("/audit-logs/refusals", Module::Audit, "audit_ledger_record_signing_refusal")
            .summary("the notary refuses to sign the log, because it is not what was recorded")
            .needs(Permission::AuditArchivesMake),
        |call| {
            let Refused { epoch, since, tenant_seq, event_id, ref reason } = call.body;
            let reason = reason.clone();
            let refusal = SigningRefusal { epoch, since, tenant_seq, event_id, reason };
            Ok(target(call, Command::RecordSigningRefusal(refusal)))
        },
    );
    registry.command::<Nothing, Ledger>(
        Route::post("/audit-logs/archives/{month}/drop", Module::Audit, "audit_ledger_drop_month")
            .summary("take an archived month out of the trail; the log and the file keep it")
            .needs(Permission::AuditTrailArchive),
        |call| {
            let month: Date = call.text("month").parse().map_err(|_| {
                let detail = "month in the path is its first day, for example 2026-01-01";
                Problem::bad_request("PATH_INVALID", detail)
            })?;
            Ok(target(call, Command::DropMonth { month }))
        },
    );
}

/// An organisation has one ledger, under its own id.
fn target<B>(call: &Call<B>, command: Command) -> Target<Ledger> {
    Target::new(call.tenant(), command).at("/audit-logs/archives")
}

fn archive(body: &Archived) -> Archive {
    Archive {
        month: body.month,
        file_id: body.file_id,
        sha256: body.sha256.clone(),
        size_bytes: body.size_bytes,
        rows: body.rows,
        first_seq: body.first_seq,
        last_seq: body.last_seq,
        checkpoint_size: body.checkpoint_size,
        checkpoint_root: body.checkpoint_root.clone(),
    }
}
