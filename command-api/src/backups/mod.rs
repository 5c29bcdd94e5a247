//! Routes of backups: asking for them and for their verification, and how our workers report on them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use events::backups::backup::{
    Archive, Backup, Command, Complete, Fail, RecordVerification, Request, Scope, Start,
};
use events::{Actor, ActorKind, BackupId, Context, Module, Permission, TenantId};
use platform::clock;
use platform::problem::Problem;
use platform::routes::{Access, Route};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::Answer;
use crate::app::App;
use crate::pipeline::{Ask, Target};
use crate::registry::{COMMAND, Call, Incoming, Nothing, Registry, answered};

/// A backup to make.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewBackup {
    /// The backup's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<BackupId>,
    /// What to call it.
    name: String,
}

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

pub(crate) fn routes(registry: &mut Registry) {
    registry.command::<NewBackup, Backup>(
        Route::post("/backups", Module::Backups, "backups_backup_request")
            .summary("make an encrypted backup of the organisation")
            .needs(Permission::BackupsArchivesRequest)
            .works()
            .answers::<()>(201),
        |call| Ok(request(&call.body, Scope::Tenant)),
    );
    registry.command::<Nothing, Backup>(
        Route::post("/backups/{backup_id}/verify", Module::Backups, "backups_backup_verify")
            .summary("read a backup back and check every byte of it")
            .needs(Permission::BackupsArchivesRead),
        |call| target(call, Command::RequestVerification),
    );
    let installation =
        Route::post("/installation/backups", Module::Backups, "backups_backup_request_everything")
            .summary("make an encrypted backup of the whole installation")
            .access(Access::Bootstrap)
            .takes::<NewBackup>()
            .parameters(COMMAND)
            .works()
            .answers::<Answer>(201);
    registry.special(installation, |State(app): State<Arc<App>>, incoming: Incoming| async move {
        request_everything(&app, &incoming).await
    });
    reports(registry);
}

fn reports(registry: &mut Registry) {
    let report = |path, operation, summary| {
        Route::post(path, Module::Backups, operation)
            .summary(summary)
            .needs(Permission::BackupsArchivesMake)
    };
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
    registry.command::<Failure, Backup>(
        report("/backups/{backup_id}/fail", "backups_backup_fail", "the backup could not be made"),
        |call| {
            let Failure { attempt, code, message } = &call.body;
            let (code, message) = (code.clone(), message.clone());
            target(call, Command::Fail(Fail { attempt: *attempt, code, message }))
        },
    );
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

fn request(body: &NewBackup, scope: Scope) -> Target<Backup> {
    let id: BackupId = body.id.unwrap_or_else(clock::new_id);
    let command = Command::Request(Request { name: body.name.clone(), scope });
    Target::create(id, command).at("/backups/{id}").working()
}

fn target<B>(call: &Call<B>, command: Command) -> Result<Target<Backup>, Problem> {
    let id: BackupId = call.id("backup_id")?;
    Ok(Target::new(id, command))
}

/// The whole installation belongs to no organisation, so its backups are kept under the nil tenant.
async fn request_everything(app: &App, incoming: &Incoming) -> Result<Response, Problem> {
    app.check_bootstrap(
        &incoming.headers,
        "the installation is backed up with the bootstrap token",
    )?;
    let body: NewBackup = incoming.json()?;
    let body = NewBackup { id: Some(body.id.unwrap_or_else(clock::new_id)), ..body };
    let actor = Actor {
        kind: ActorKind::System,
        id: "operator".into(),
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    let context = Context { tenant: TenantId::default(), actor, now: clock::now(), scope: None };
    let ask = Ask::installation(&context, incoming, "backups_backup_request_everything");
    let ask = ask.taken(app, incoming)?;
    let carried = app.execute(&ask, || Ok(request(&body, Scope::Everything))).await?;
    Ok(answered(app, incoming, carried.answer()).await)
}
