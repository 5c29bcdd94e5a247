//! How our workers report on the making of an export: with the same commands as anybody, under a permission only they have.

use events::exports::export::{Command, Complete, Export, Fail, File, ReportProgress, Start};
use events::{ExportId, FileId, Module, Permission, UnitId};
use jiff::Timestamp;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// A worker begins.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Begin {
    /// Which attempt this is, from 1.
    attempt: u32,
    /// The worker's name.
    worker: String,
}

/// How far a worker is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Progress {
    /// The attempt that reports.
    attempt: u32,
    /// Rows in the file.
    rows_done: u64,
    /// Rows there will be.
    #[serde(default)]
    rows_total: Option<u64>,
}

/// The finished file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Finished {
    /// The attempt that reports.
    attempt: u32,
    /// Where it is stored.
    file_id: FileId,
    /// The name to save it under.
    file_name: String,
    /// Its size.
    size_bytes: u64,
    /// SHA-256 in hexadecimal digits.
    sha256: String,
    /// The rows in it.
    rows: u64,
    /// The position of the log that its rows stand at.
    position: i64,
    /// When it can no longer be fetched.
    expires_at: Timestamp,
    /// The units whose rows are in it, with all below them; of the organisation as a whole when absent.
    #[serde(default)]
    units: Vec<UnitId>,
    /// What the file is and is made of, as a signed note.
    #[serde(default)]
    manifest: Option<String>,
}

/// Why there is no file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Failure {
    /// The attempt that reports.
    attempt: u32,
    /// For programs.
    code: String,
    /// For people.
    message: String,
    /// Whether it can help to try again.
    retryable: bool,
}

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<Begin, Export>(
        report(
            "/exports/{export_id}/start",
            "exports_export_start",
            "a worker begins to make the file",
        ),
        |call| {
            let Begin { attempt, worker } = &call.body;
            target(call, Command::Start(Start { attempt: *attempt, worker: worker.clone() }))
        },
    );
    registry.command::<Progress, Export>(
        report(
            "/exports/{export_id}/progress",
            "exports_export_report_progress",
            "the worker got further",
        ),
        |call| {
            let Progress { attempt, rows_done, rows_total } = call.body;
            target(call, Command::ReportProgress(ReportProgress { attempt, rows_done, rows_total }))
        },
    );
    registry.command::<Finished, Export>(
        report("/exports/{export_id}/complete", "exports_export_complete", "the file is ready"),
        |call| {
            let body = &call.body;
            let file = File {
                file_id: body.file_id,
                file_name: body.file_name.clone(),
                size_bytes: body.size_bytes,
                sha256: body.sha256.clone(),
                rows: body.rows,
                position: body.position,
                expires_at: body.expires_at,
                units: body.units.clone(),
                manifest: body.manifest.clone(),
            };
            target(call, Command::Complete(Complete { attempt: body.attempt, file }))
        },
    );
    registry.command::<Nothing, Export>(
        report(
            "/exports/{export_id}/confirm-cancel",
            "exports_export_confirm_cancel",
            "the worker has let go of a file that nobody wants any more",
        ),
        |call| target(call, Command::ConfirmCancel),
    );
    registry.command::<Failure, Export>(
        report("/exports/{export_id}/fail", "exports_export_fail", "the file could not be made"),
        |call| {
            let body = &call.body;
            let fail = Fail {
                attempt: body.attempt,
                code: body.code.clone(),
                message: body.message.clone(),
                retryable: body.retryable,
            };
            target(call, Command::Fail(fail))
        },
    );
    endings(registry);
}

fn endings(registry: &mut Registry) {
    registry.command::<Nothing, Export>(
        report("/exports/{export_id}/expire", "exports_export_expire", "the file's time is over"),
        |call| target(call, Command::Expire),
    );
    registry.command::<Nothing, Export>(
        report(
            "/exports/{export_id}/clean-up",
            "exports_export_clean_up",
            "the file is older than the organisation wants to keep",
        ),
        |call| target(call, Command::CleanUp),
    );
    registry.command::<Nothing, Export>(
        report(
            "/exports/{export_id}/call-off",
            "exports_export_call_off",
            "nobody wants the file any more, because what it was to be part of is cancelled",
        ),
        |call| target(call, Command::CallOff),
    );
    registry.command::<Nothing, Export>(
        report(
            "/exports/{export_id}/withdraw",
            "exports_export_withdraw",
            "the file is gone before its time: it may hold what was erased",
        ),
        |call| target(call, Command::Withdraw),
    );
}

fn report(path: &'static str, operation: &'static str, summary: &'static str) -> Route {
    Route::post(path, Module::Exports, operation)
        .summary(summary)
        .needs(Permission::ExportsFilesMake)
}

fn target<B>(call: &Call<B>, command: Command) -> Result<Target<Export>, Problem> {
    let id: ExportId = call.id("export_id")?;
    Ok(Target::new(id, command))
}
