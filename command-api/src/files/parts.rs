//! A file sent in parts, which goes on where it was interrupted: the core of the tus protocol 1.0.0 with its checksums, begun and
//! ended by commands like all others.

use std::fs::File as Disk;
use std::io::{Seek as _, SeekFrom};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::files::Purpose;
use events::files::content::OPEN;
use events::files::file::{Command, Complete, Facts, File, Initiate, Rejection, Status};
use events::{Decider as _, FileId, Module, Permission};
use platform::clock;
use platform::files;
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{receive, too_large};
use super::keep::{broken, examine, keep, of_part};
use super::{own, upload};
use crate::answer::Answer;
use crate::app::App;
use crate::pipeline::{Ask, Target};
use crate::refusal::refused;
use crate::registry::{Given, Incoming, Nothing, Registry, Streamed, header as parameter};

const VERSION: HeaderName = HeaderName::from_static("tus-resumable");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const TUS: &str = "1.0.0";
const PART: &str = "application/offset+octet-stream";
const PARAMETERS: &[Parameter] = &[
    parameter("Upload-Offset", "how many bytes were sent before, as HEAD tells"),
    parameter(
        "Upload-Checksum",
        "`sha256` and the digest of the part in base64, which is then checked",
    ),
    parameter("Tus-Resumable", "`1.0.0`, from clients of the tus protocol"),
];

/// A file that is going to be sent in parts.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUpload {
    /// The file's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<FileId>,
    /// What it is called.
    name: String,
    /// What it is; found out when it is there unless told.
    #[serde(default = "open")]
    media_type: String,
    /// How many bytes it has.
    size_bytes: u64,
    /// What it is for; `attachment` unless told.
    #[serde(default)]
    purpose: Purpose,
}

/// All parts were sent.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sent {
    /// The SHA-256 of the whole file in hexadecimal digits, which is then checked.
    #[serde(default)]
    sha256: Option<String>,
}

fn open() -> String {
    OPEN.into()
}

pub(super) fn routes(registry: &mut Registry) {
    let announce = Route::post("/files/uploads", Module::Files, "files_file_initiate")
        .summary("announce a file that is sent in parts; where to is in Location")
        .needs(Permission::FilesFilesUse)
        .limited(upload::SENT)
        .answers::<()>(201);
    registry.command::<NewUpload, File>(announce, |call| {
        let by = call.principal.user();
        let uploaded_by = by.ok_or_else(|| Problem::forbidden("only users upload files"))?;
        let NewUpload { id, name, media_type, size_bytes, purpose } = call.body.clone();
        let size_bytes = Some(size_bytes);
        let initiate = Initiate { name, media_type, size_bytes, purpose, uploaded_by };
        let id = id.unwrap_or_else(clock::new_id);
        Ok(Target::create(id, Command::Initiate(initiate)).at("/files/uploads/{id}"))
    });
    let at = |method, operation| {
        Route::new(method, "/files/uploads/{file_id}", Module::Files, operation)
            .needs(Permission::FilesFilesUse)
    };
    let asked = at(Method::HEAD, "files_file_offset")
        .summary("how much of a file was sent so far, in Upload-Offset");
    let shared = Arc::new(asked.clone());
    registry.special(asked, move |State(app): State<Arc<App>>, request: Incoming| async move {
        offset(&app, &shared, &request).await
    });
    let sent = at(Method::PATCH, "files_file_append")
        .summary("send the next part of a file, as application/offset+octet-stream")
        .takes::<String>()
        .takes_media(PART)
        .answers::<()>(204)
        .parameters(PARAMETERS);
    let shared = Arc::new(sent.clone());
    registry.special(sent, move |State(app): State<Arc<App>>, request: Streamed| async move {
        append(&app, &shared, request).await
    });
    let abort = at(Method::DELETE, "files_file_abort")
        .summary("give up a file that is being sent")
        .takes::<Nothing>()
        .answers::<Answer>(200);
    registry.handled(abort, give_up);
    let complete = Route::post(
        "/files/uploads/{file_id}/complete",
        Module::Files,
        "files_file_complete",
    )
    .summary(
        "say that all of a file was sent: it is looked through and stored, or refused for good",
    )
    .needs(Permission::FilesFilesUse)
    .takes::<Sent>()
    .answers::<Answer>(200);
    registry.handled(complete, finish);
}

/// The file, if the caller is sending it.
async fn mine(app: &App, ask: &Ask, id: FileId) -> Result<Arc<File>, Problem> {
    let known = app.aggregates.refresh::<File>(ask.principal.tenant, &id.to_string()).await;
    let file = known.map_err(|error| Problem::internal(&error))?.state;
    let is_there = file.status != Status::Absent;
    if !is_there || ask.principal.user() != Some(file.uploaded_by) {
        return Err(Problem::absent("upload"));
    }
    Ok(file)
}

async fn let_in(app: &App, route: &Route, request: &Incoming) -> Result<(Ask, FileId), Problem> {
    let mut ask = request.ask(app, route).await?;
    app.admit(&mut ask).await?;
    let speaks = request.headers.get(VERSION).is_none_or(|version| version == TUS);
    if !speaks {
        let detail = "this is version 1.0.0 of the tus protocol; speak that";
        return Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "UPLOAD_VERSION_UNKNOWN",
            detail,
        ));
    }
    Ok((ask, request.id("file_id")?))
}

async fn offset(app: &App, route: &Route, request: &Incoming) -> Result<Response, Problem> {
    let (ask, id) = let_in(app, route, request).await?;
    let file = mine(app, &ask, id).await?;
    let length = match (&file.content, file.uploading()) {
        (Some(content), _) => content.size_bytes,
        (None, Ok(())) => app.parts.length(ask.principal.tenant, id).map_err(of_part)?,
        (None, Err(_)) => return Err(Problem::absent("upload")),
    };
    Ok((StatusCode::OK, headers(&file, length)).into_response())
}

fn headers(file: &File, offset: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(VERSION, HeaderValue::from_static(TUS));
    headers.insert(OFFSET, offset.into());
    headers.insert(LENGTH, file.max_bytes().into());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

async fn append(
    app: &App,
    route: &Route,
    Streamed(request, body): Streamed,
) -> Result<Response, Problem> {
    let (ask, id) = let_in(app, route, &request).await?;
    let part = Part::read(&request.headers)?;
    let file = mine(app, &ask, id).await?;
    file.uploading().map_err(|rejection| refused(&rejection))?;
    let _turn = app.turns.receive()?;
    let mut disk = app.parts.open(ask.principal.tenant, id).map_err(of_part)?;
    let before = disk.seek(SeekFrom::End(0)).map_err(broken)?;
    if part.offset != before {
        let detail = format!("{before} bytes were sent before; go on there");
        return Err(Problem::conflict("UPLOAD_OFFSET_WRONG", detail).with("offset", before));
    }
    let most = file.max_bytes().saturating_sub(before);
    if part.length.is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    let received = receive(body.into_data_stream(), &disk, most).await?;
    let back = |problem: Problem| {
        disk.set_len(before).map_err(broken)?;
        Err(problem)
    };
    match (received.cut, part.sha256) {
        // What came before a connection broke is there, and the sender goes on behind it.
        (Some(problem), None) if problem.status != StatusCode::PAYLOAD_TOO_LARGE.as_u16() => {
            Err(problem)
        }
        (Some(problem), _) => back(problem),
        (None, Some(expected)) if digest(&disk, before).await? != expected => back(mismatch()),
        (None, _) => {
            let headers = headers(&file, before + received.size_bytes);
            Ok((StatusCode::NO_CONTENT, headers).into_response())
        }
    }
}

fn mismatch() -> Problem {
    let status = StatusCode::from_u16(460).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    let detail = "the part is not the one that Upload-Checksum is of; send it again";
    Problem::new(status, "UPLOAD_CHECKSUM_WRONG", detail)
}

/// What the header of a part says.
struct Part {
    offset: u64,
    length: Option<u64>,
    sha256: Option<[u8; 32]>,
}

impl Part {
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if text(header::CONTENT_TYPE) != Some(PART) {
            let detail = "send the part as application/offset+octet-stream";
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                detail,
            ));
        }
        let offset = text(OFFSET).and_then(|offset| offset.parse().ok()).ok_or_else(|| {
            let detail = "send Upload-Offset with the number of bytes that were sent before";
            Problem::bad_request("UPLOAD_OFFSET_INVALID", detail).at("Upload-Offset")
        })?;
        let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let sha256 = text(CHECKSUM).map(checksum).transpose()?;
        Ok(Self { offset, length, sha256 })
    }
}

fn checksum(text: &str) -> Result<[u8; 32], Problem> {
    let digest = text.split_once(' ').filter(|(name, _)| *name == "sha256");
    let digest = digest.and_then(|(_, digest)| STANDARD.decode(digest).ok());
    digest.and_then(|digest| digest.try_into().ok()).ok_or_else(|| {
        let detail =
            "Upload-Checksum must be sha256 and the digest in base64, with a space between";
        Problem::bad_request("UPLOAD_CHECKSUM_INVALID", detail).at("Upload-Checksum")
    })
}

/// SHA-256 of what comes behind a place.
async fn digest(disk: &Disk, from: u64) -> Result<[u8; 32], Problem> {
    let mut disk = disk.try_clone().map_err(broken)?;
    let hashed = tokio::task::spawn_blocking(move || {
        disk.seek(SeekFrom::Start(from))?;
        files::digest(disk).map(|(sha256, _)| sha256)
    });
    hashed.await.map_err(|error| Problem::internal(&error))?.map_err(broken)
}

async fn give_up(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let id: FileId = request.id("file_id")?;
    request.json::<Nothing>()?;
    mine(&app, ask, id).await?;
    let carried = app.execute(ask, || Ok(own(id, Command::Abort).guarded(ask.access))).await?;
    if !ask.manner.validate_only {
        app.parts.remove(ask.principal.tenant, id).map_err(of_part)?;
    }
    Ok(carried.answer())
}

async fn finish(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let id: FileId = request.id("file_id")?;
    let sent: Sent = request.json()?;
    let (tenant, dry) = (ask.principal.tenant, ask.manner.validate_only);
    let file = mine(&app, ask, id).await?;
    let execute = |command: Command| {
        let build = move || Ok(own(id, command.clone()).guarded(ask.access));
        app.execute(ask, build)
    };
    if let Some(content) = &file.content {
        let again = Complete {
            blob_id: content.blob_id,
            sha256: content.sha256.clone(),
            expected_sha256: sent.sha256,
            size_bytes: content.size_bytes,
            found: events::files::content::Finding::default(),
        };
        return Ok(execute(Command::Complete(again)).await?.answer());
    }
    file.uploading().map_err(|rejection| refused(&rejection))?;
    let disk = app.parts.open(tenant, id).map_err(of_part)?;
    let complete = examine(&app, ask, (&disk, sent.sha256)).await?;
    let command = Command::Complete(complete.clone());
    let carried = match file.decide(command.clone(), &Facts::default(), &ask.context()) {
        Ok(_) if !dry => {
            let build = || Ok(own(id, command.clone()).guarded(ask.access));
            keep(&app, ask, (&disk, complete.blob_id), build).await?
        }
        Err(rejection @ Rejection::ContentUnfit(_)) if !dry => {
            let _answered_by_why = execute(Command::Refuse(complete)).await?;
            app.parts.remove(tenant, id).map_err(of_part)?;
            return Err(refused(&rejection));
        }
        Ok(_) | Err(_) => return Ok(execute(command).await?.answer()),
    };
    app.parts.remove(tenant, id).map_err(of_part)?;
    Ok(carried.answer())
}
