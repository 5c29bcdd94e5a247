//! Fetching a file by a link: each is recorded, and lives for a minute.

use std::sync::Arc;

use events::files::file::{Command, File};
use events::{FileId, Module, Permission};
use platform::clock;
use platform::files::Link;
use platform::problem::Problem;
use platform::routes::Route;

use super::readable;
use crate::answer::Carried;
use crate::app::App;
use crate::exports::downloads::{Download, FileLink, end};
use crate::pipeline::Target;
use crate::refusal::refused;
use crate::registry::{Given, Registry};

pub(super) fn routes(registry: &mut Registry) {
    let route = Route::post("/files/{file_id}/downloads", Module::Files, "files_file_download")
        .summary("a short-lived link to the content, for a browser; the fetch is recorded")
        .needs(Permission::FilesFilesUse)
        .answers::<Download>(201);
    registry.handled(route, download);
}

async fn download(app: Arc<App>, given: Arc<Given>) -> Result<Download, Problem> {
    let Given { request, ask } = &*given;
    let id: FileId = request.id("file_id")?;
    let tenant = ask.principal.tenant;
    let by = ask.principal.user().ok_or_else(|| Problem::forbidden("only users fetch files"))?;
    let (file, keeper) = readable(&app, ask, id).await?;
    let carried = app.execute(ask, || {
        Ok(Target::<File>::new(id, Command::RecordDownload { by, keeper }).guarded(ask.access))
    });
    let answer = match carried.await? {
        Carried::Dry(answer) => return Ok(Download { answer, link: None }),
        Carried::Done(answer) | Carried::Again(answer) => answer,
    };
    let content = file.fetchable(keeper).map_err(|rejection| refused(&rejection))?;
    let Some(expires_at) = end(&answer).filter(|end| *end > clock::now()) else {
        return Ok(Download { answer, link: None });
    };
    // It names the place of the bytes, which only we make, so that it opens nothing else.
    let link = Link { tenant, user: by, file: content.blob_id, expires_at };
    let path = format!("/files/download/{id}");
    let (file_name, sha256) = (file.name.clone(), content.sha256.clone());
    let link = FileLink::new(&app, (&path, &link), (file_name, content.size_bytes, sha256));
    Ok(Download { answer, link: Some(link) })
}
