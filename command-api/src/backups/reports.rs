//! How our workers report on the making of a backup: with the same commands as anybody, under a permission only they have.

use events::backups::backup::{
    Archive, Backup, Command, Complete, Fail, RecordVerification, Start,
};
use events::{Module, Permission};
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use super::target;
use crate::registry::{Nothing, Registry};

/// A worker begins.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Begin {
    /// Which attempt this is, from 1.
    attempt: u32,
    /// The worker's name.
    worker: String,
}

/// A finished backup.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Finished {
    /// The attempt that reports.
    attempt: u32,
    /// The last position of the log that it covers.
    to_position: i64,
    /// The events in it.
    events: u64,
    /// Its size as stored.
    size_bytes: u64,
    /// Where it is stored.
    location: String,
    /// SHA-256 of its manifest, in hexadecimal digits.
    manifest_sha256: String,
    /// The key that opens it.
    key_id: String,
}

/// Why there is no backup.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Failure {
    /// The attempt that reports; 0 ends a backup that no worker began.
    attempt: u32,
    /// For programs.
    code: String,
    /// For people.
    message: String,
}

/// Whether a backup can be read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Verification {
    /// Whether it can, and is what was written.
    ok: bool,
    /// How many things were checked.
    checks: u64,
    /// What is wrong, if it is not.
    #[serde(default)]
    errors: Vec<String>,
}

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<Begin, Backup>(
        report(
            "/backups/{backup_id}/start",
            "backups_backup_start",
            "a worker begins to make the backup",
        ),
        |call| {
            let Begin { attempt, worker } = &call.body;
            target(call, Command::Start(Start { attempt: *attempt, worker: worker.clone() }))
        },
    );
    registry.command::<Finished, Backup>(
        report(
            "/backups/{backup_id}/complete",
            "backups_backup_complete",
            "the backup is complete",
        ),
        |call| {
            let body = &call.body;
            let archive = Archive {
                to_position: body.to_position,
                events: body.events,
                size_bytes: body.size_bytes,
                location: body.location.clone(),
                manifest_sha256: body.manifest_sha256.clone(),
                key_id: body.key_id.clone(),
            };
            target(call, Command::Complete(Complete { attempt: body.attempt, archive }))
        },
    );
    registry.command::<Nothing, Backup>(
        report(
            "/backups/{backup_id}/confirm-cancel",
            "backups_backup_confirm_cancel",
            "the worker has let go of a backup that nobody wants any more",
        ),
        |call| target(call, Command::ConfirmCancel),
    );
    registry.command::<Failure, Backup>(
        report("/backups/{backup_id}/fail", "backups_backup_fail", "the backup could not be made"),
        |call| {
            let Failure { attempt, code, message } = &call.body;
            let (code, message) = (code.clone(), message.clone());
            target(call, Command::Fail(Fail { attempt: *attempt, code, message }))
        },
    );
    afterwards(registry);
}

/// What is said of a backup once it is made.
fn afterwards(registry: &mut Registry) {
    registry.command::<Nothing, Backup>(
        report(
            "/backups/{backup_id}/expire",
            "backups_backup_expire",
            "the backup was kept long enough, and its file goes",
        ),
        |call| target(call, Command::Expire),
    );
    registry.command::<Verification, Backup>(
        report(
            "/backups/{backup_id}/verification",
            "backups_backup_record_verification",
            "say whether a backup can be read",
        ),
        |call| {
            let Verification { ok, checks, errors } = &call.body;
            let errors = errors.clone();
            let command = RecordVerification { ok: *ok, checks: *checks, errors };
            target(call, Command::RecordVerification(command))
        },
    );
}

fn report(path: &'static str, operation: &'static str, summary: &'static str) -> Route {
    Route::post(path, Module::Backups, operation)
        .summary(summary)
        .needs(Permission::BackupsArchivesMake)
}
