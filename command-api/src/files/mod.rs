//! Routes of files: sending them at once or in parts, fetching them, saying what they are about, and letting them go.

mod archive;
mod body;
mod downloads;
mod facts;
mod inspect;
mod keep;
mod parts;
mod upload;

use std::sync::Arc;

use events::files::file::{Command, File, Status};
use events::subject::Subject;
use events::{FileId, Module, Permission, UserId};
use platform::access::may_keep;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::answer::Answer;
use crate::app::App;
use crate::pipeline::{Ask, Owner, Target};
use crate::registry::{Given, Nothing, Registry};

pub(crate) use keep::Turns;

/// A record that a file is to be about.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewLink {
    /// The record.
    subject: Subject,
    /// What the file is to it, such as `photo`.
    #[serde(default = "attachment")]
    role: String,
}

/// A record that a file is no longer about.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OldLink {
    /// The record.
    subject: Subject,
}

/// Why a file is held back.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    /// The reason, for whoever looks after files.
    reason: String,
}

/// Who is forgotten.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    /// The user.
    user_id: UserId,
}

fn attachment() -> String {
    "attachment".into()
}

pub(crate) fn routes(registry: &mut Registry) {
    upload::routes(registry);
    parts::routes(registry);
    downloads::routes(registry);
    let own = |path, operation| {
        Route::post(path, Module::Files, operation).needs(Permission::FilesFilesUse)
    };
    let link = own("/files/{file_id}/links", "files_file_link")
        .summary("Say that a file is about a record that one may see: whoever may see the record may read the file");
    taking::<NewLink>(registry, link, |link| {
        let NewLink { subject, role } = link;
        (Command::Link { subject, role }, Some(subject))
    });
    let unlink = own("/files/{file_id}/links/remove", "files_file_unlink")
        .summary("Say that a file is no longer about a record");
    taking::<OldLink>(registry, unlink, |link| (Command::Unlink { subject: link.subject }, None));
    let delete = Route::delete("/files/{file_id}", Module::Files, "files_file_delete")
        .needs(Permission::FilesFilesUse)
        .summary("Delete a file that nothing is linked to");
    taking::<Nothing>(registry, delete, |_| (Command::Delete, None));
    let keeping =
        |path, operation, permission| Route::post(path, Module::Files, operation).needs(permission);
    let flag = keeping("/files/{file_id}/flag", "files_file_flag", Permission::FilesFilesManage)
        .summary("hold a file back: nobody fetches it but whoever looks after files");
    registry.command::<Why, File>(flag, |call| {
        let reason = call.body.reason.clone();
        Ok(Target::new(call.id::<FileId>("file_id")?, Command::Flag { reason }))
    });
    let lift =
        keeping("/files/{file_id}/flag/lift", "files_file_lift_flag", Permission::FilesFilesManage)
            .summary("let a file be fetched again");
    registry.command::<Nothing, File>(lift, |call| {
        Ok(Target::new(call.id::<FileId>("file_id")?, Command::LiftFlag))
    });
    let expire =
        keeping("/files/{file_id}/expire", "files_file_expire", Permission::FilesFilesExpire)
            .summary("let a file go whose time is over");
    registry.command::<Nothing, File>(expire, |call| {
        Ok(Target::new(call.id::<FileId>("file_id")?, Command::Expire))
    });
    let withdraw =
        keeping("/files/{file_id}/withdraw", "files_file_withdraw", Permission::FilesFilesExpire)
            .summary("take a file away from somebody who is forgotten");
    registry.command::<Forgotten, File>(withdraw, |call| {
        let user = call.body.user_id;
        Ok(Target::new(call.id::<FileId>("file_id")?, Command::Withdraw { user }))
    });
}

/// Adds a command that whoever uploaded a file gives, or whoever looks after files; to others who may read it, it is refused, and
/// to everybody else there is no such file.
fn taking<B>(registry: &mut Registry, route: Route, build: fn(B) -> (Command, Option<Subject>))
where
    B: DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static,
{
    let route = route.takes::<B>().answers::<Answer>(200);
    registry.handled(route, move |app, given| owned(app, given, build));
}

async fn owned<B: DeserializeOwned + Clone>(
    app: Arc<App>,
    given: Arc<Given>,
    build: fn(B) -> (Command, Option<Subject>),
) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let id: FileId = request.id("file_id")?;
    let body: B = request.json()?;
    readable(&app, ask, id).await?;
    let carried = app.execute(ask, || {
        let (command, subject) = build(body.clone());
        Ok(to_be_about(own(id, command), subject).guarded(ask.access))
    });
    Ok(carried.await?.answer())
}

/// A command for a file of the caller's own.
fn own(id: FileId, command: Command) -> Target<File> {
    let owner = Owner { of: uploader, others_need: Permission::FilesFilesManage };
    Target { owners: vec![owner], ..Target::new(id, command) }
}

fn uploader(file: &File) -> Option<UserId> {
    (file.status != Status::Absent).then_some(file.uploaded_by)
}

/// Needing the right to see the record, where there is one.
fn to_be_about(target: Target<File>, subject: Option<Subject>) -> Target<File> {
    match subject {
        Some(subject) => target.about(subject),
        None => target,
    }
}

/// The file, if the caller may know of it, and whether the caller looks after files.
async fn readable(app: &App, ask: &Ask, id: FileId) -> Result<(Arc<File>, bool), Problem> {
    let known = app.aggregates.refresh::<File>(ask.principal.tenant, &id.to_string()).await;
    let file = known.map_err(|error| Problem::internal(&error))?.state;
    let standing = ask.standing.as_ref();
    let readable = file.status != Status::Absent
        && (app.access.may_read(&ask.principal, standing, &file).await)
            .map_err(|error| Problem::internal(&error))?;
    if !readable {
        return Err(Problem::absent("file"));
    }
    Ok((file, may_keep(&ask.principal, standing)))
}
