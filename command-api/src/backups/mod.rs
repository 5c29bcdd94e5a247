//! Routes of backups: asking for them and for their verification, and how our workers report on them.

mod reports;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use events::backups::backup::{Backup, Command, Request, Scope};
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
    let request = |path, operation, summary| {
        Route::post(path, Module::Backups, operation)
            .summary(summary)
            .needs(Permission::BackupsArchivesRequest)
    };
    registry.command::<Nothing, Backup>(
        request(
            "/backups/{backup_id}/cancel",
            "backups_backup_cancel",
            "stop a backup that is being made; nothing of it stays",
        ),
        |call| target(call, Command::Cancel),
    );
    registry.command::<Nothing, Backup>(
        request("/backups/{backup_id}/retry", "backups_backup_retry", "try a failed backup again"),
        |call| target(call, Command::Retry),
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
    reports::routes(registry);
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
