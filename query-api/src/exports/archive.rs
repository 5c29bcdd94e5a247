//! The files of a batch as one archive (ZIP, APPNOTE 6.3), by a signed link that lives a minute. It is written as it is sent, from the
//! files that are there at that moment: what has expired, was deleted or was erased is not in it.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use events::exports::batch::{Batch, Stage};
use events::exports::export::{Export, File};
use events::{BatchId, FileId, Module, TenantId};
use futures::StreamExt as _;
use platform::clock;
use platform::files::verify_link;
use platform::problem::Problem;
use platform::routes::{Access, Parameter, Route};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};
use zip::{CompressionMethod, DateTime};

use super::download::Asked;
use crate::app::App;
use crate::call::unreadable;
use crate::served::disposition;
use crate::shape::query;

const PATH: &str = "/exports/batch/download/{id}";
const PARAMETERS: &[Parameter] =
    &[query("link", "the token of the link that `POST /exports/batch/{id}/downloads` gave")];
/// Archives that are written at a time in one process; each has a thread.
static TURNS: Semaphore = Semaphore::const_new(8);
/// How long somebody waits for a turn, and how long a client may take no bytes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that are sent as one.
const CHUNK: usize = 64 * 1024;
/// Chunks that wait for the client.
const CHUNKS_IN_FLIGHT: usize = 4;

/// What the route says about itself.
pub(crate) fn route() -> Route {
    Route::get(PATH, Module::Exports, "exports_batch_download")
        .summary("The files of a batch as one archive; public because the link itself is the right, for a minute")
        .access(Access::Public)
        .media_type("application/zip")
        .parameters(PARAMETERS)
}

/// Puts the route into the router.
pub(crate) fn mount(router: Router, app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    let service = move |Path(id): Path<String>, link: Query<Asked>| {
        let app = Arc::clone(&app);
        async move { serve(&app, &id, &link.link).await.unwrap_or_else(Problem::into_response) }
    };
    router.route(&format!("/api/v1{PATH}"), get(service))
}

/// One file of an archive.
struct Member {
    name: String,
    file: FileId,
    size_bytes: u64,
    manifest: Option<String>,
}

async fn serve(app: &Arc<App>, id: &str, link: &str) -> Result<Response, Problem> {
    let link = verify_link(&app.keys.master, link, clock::now())
        .map_err(|error| Problem::unauthenticated(error.to_string()))?;
    let id: BatchId = id.parse().map_err(|_| Problem::absent("archive"))?;
    if link.file.0 != id.0 {
        return Err(Problem::absent("archive"));
    }
    let batch = app.aggregates.refresh::<Batch>(link.tenant, &id.to_string()).await;
    let batch = batch.map_err(unreadable)?.state;
    let members = members(app, link.tenant, &batch).await?;
    if members.is_empty() {
        return Err(Problem::absent("archive"));
    }
    let turn = tokio::time::timeout(PATIENCE, TURNS.acquire()).await;
    let turn = turn.ok().and_then(Result::ok).ok_or_else(|| {
        Problem::unavailable("too many archives are being fetched; try again in a moment")
    })?;
    let (sender, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let (app, runtime) = (Arc::clone(app), Handle::current());
    let writing = Writing { app, tenant: link.tenant, members, sender, runtime, turn };
    tokio::task::spawn_blocking(move || writing.run());
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
        (header::CONTENT_DISPOSITION, disposition("attachment", &batch.archive_name())),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

/// The files that are there now, each under a name of its own.
async fn members(app: &App, tenant: TenantId, batch: &Batch) -> Result<Vec<Member>, Problem> {
    let (mut members, mut taken) = (Vec::new(), HashSet::new());
    let made = batch.items.iter().filter(|known| known.stage == Stage::Made);
    for export in made.filter_map(|known| known.export_id) {
        let export = app.aggregates.refresh::<Export>(tenant, &export.to_string()).await;
        let export = export.map_err(unreadable)?.state;
        let Ok(File { file_id, file_name, size_bytes, .. }) = export.downloadable(clock::now())
        else {
            continue;
        };
        members.push(Member {
            name: distinct(file_name, &mut taken),
            file: *file_id,
            size_bytes: *size_bytes,
            manifest: export.manifest.clone(),
        });
    }
    Ok(members)
}

/// A name that no other member has: `roles_2026-01-31 (2).csv`.
fn distinct(name: &str, taken: &mut HashSet<String>) -> String {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let numbered = (2..).map(|number| format!("{stem} ({number}).{ending}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| taken.insert(name.to_lowercase())).unwrap_or_default()
}

/// An archive on its way to a client.
struct Writing {
    app: Arc<App>,
    tenant: TenantId,
    members: Vec<Member>,
    sender: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
    /// Held until the end.
    turn: SemaphorePermit<'static>,
}

impl Writing {
    /// Writes it, on a thread that may block. One that breaks off has no directory, so nobody takes it for whole.
    fn run(self) {
        if let Err(error) = self.write() {
            tracing::warn!(error = format!("{error:#}"), "an archive was not written to its end");
            let broken = io::Error::other("the archive broke off");
            drop(
                self.runtime
                    .block_on(tokio::time::timeout(PATIENCE, self.sender.send(Err(broken)))),
            );
        }
        drop(self.turn);
    }

    fn write(&self) -> anyhow::Result<()> {
        let (sender, runtime) = (self.sender.clone(), self.runtime.clone());
        let mut archive = ZipWriter::new_stream(Pipe { sender, runtime, held: Vec::new() });
        for member in &self.members {
            archive.start_file(&*member.name, options(&member.name, member.size_bytes))?;
            self.copy(member, &mut archive)?;
        }
        for member in &self.members {
            let Some(manifest) = &member.manifest else { continue };
            let name = format!("manifests/{}.manifest", member.name);
            archive.start_file(&*name, options(&name, manifest.len() as u64))?;
            archive.write_all(manifest.as_bytes())?;
        }
        archive.finish()?.into_inner().flush()?;
        Ok(())
    }

    fn copy(
        &self,
        member: &Member,
        archive: &mut ZipWriter<StreamWriter<Pipe>>,
    ) -> anyhow::Result<()> {
        let open = self.runtime.block_on(self.app.files.get(self.tenant, member.file, None));
        let mut bytes = open?.bytes;
        while let Some(chunk) = self.runtime.block_on(bytes.next()) {
            archive.write_all(&chunk?)?;
        }
        Ok(())
    }
}

/// How a member is stored: what is text is pressed, what is pressed already is not; under no time, so that the same files make the
/// same archive.
fn options(name: &str, size_bytes: u64) -> SimpleFileOptions {
    let is_text = [".csv", ".ndjson", ".manifest"].iter().any(|ending| name.ends_with(ending));
    let method = if is_text { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(DateTime::default())
        .large_file(size_bytes >= u64::from(u32::MAX))
}

/// The way to a client: bytes go in chunks, as fast as they are taken.
struct Pipe {
    sender: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
    held: Vec<u8>,
}

impl Pipe {
    fn send(&mut self) -> io::Result<()> {
        let chunk = Bytes::from(std::mem::take(&mut self.held));
        let sent = tokio::time::timeout(PATIENCE, self.sender.send(Ok(chunk)));
        match self.runtime.block_on(sent) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= CHUNK {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() { Ok(()) } else { self.send() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_members_have_one_name() {
        let mut taken = HashSet::new();
        let names: Vec<String> =
            ["a.csv", "A.csv", "a.csv", "b.pdf"].map(|name| distinct(name, &mut taken)).into();
        assert_eq!(names, ["a.csv", "A (2).csv", "a (3).csv", "b.pdf"]);
    }
}
