//! A file sent at once, as browsers send forms: written to disk as it comes, looked through, and stored when it is what it says.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{StatusCode, header};
use events::files::Purpose;
use events::files::content::OPEN;
use events::files::file::{Command, Complete, Facts, File, Initiate};
use events::subject::Subject;
use events::{Decider as _, FileId, Module, Permission, UserId};
use futures::StreamExt as _;
use multer::{Field, Multipart};
use platform::clock;
use platform::limits::Quota;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;

use super::body::{Paced, receive, too_large};
use super::keep::{broken, examine, keep};
use super::to_be_about;
use crate::answer::Answer;
use crate::app::App;
use crate::pipeline::{Ask, Target};
use crate::registry::{Given, Incoming, Registry};

/// How many files one user sends.
pub(super) const SENT: Quota = Quota { name: "files", most: 1_200, seconds: 3600 };
/// Fields of a form beside the file, and what each may hold.
const FIELDS_MOST: usize = 8;
const FIELD_MAX_BYTES: usize = 1024;

/// A form with a file, as `multipart/form-data`.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
struct Form {
    /// The file's id, if the client makes it (UUIDv7).
    id: Option<FileId>,
    /// What it is for; `attachment` unless told.
    purpose: Purpose,
    /// The record that it is about, as `<type>:<id>`.
    #[schemars(with = "Option<String>")]
    subject: Option<Subject>,
    /// What it is to the record; `attachment` unless told.
    role: Option<String>,
    /// What it is called; as the file is named in the form unless told.
    name: Option<String>,
    /// The SHA-256 of its content in hexadecimal digits, which is then checked.
    sha256: Option<String>,
    /// The file, with its name and its media type.
    #[schemars(with = "String")]
    file: String,
}

/// What the file's part of the form says.
struct Sent {
    name: String,
    media_type: String,
}

pub(super) fn routes(registry: &mut Registry) {
    let route = Route::post("/files", Module::Files, "files_file_upload")
        .summary("send a file at once, as multipart/form-data")
        .needs(Permission::FilesFilesUse)
        .limited(SENT)
        .takes::<Form>()
        .takes_media("multipart/form-data")
        .answers::<Answer>(201);
    registry.streamed(route, upload);
}

async fn upload(app: Arc<App>, given: Given, body: Body) -> Result<(Answer, Incoming), Problem> {
    let Given { request, ask } = given;
    let by = ask.principal.user().ok_or_else(|| Problem::forbidden("only users upload files"))?;
    let _turn = app.turns.receive()?;
    let scratch = tempfile::tempfile_in(app.files.scratch()).map_err(broken)?;
    let (form, sent) = read(&request, body, &scratch).await?;
    let complete = examine(&app, &ask, (&scratch, form.sha256.clone())).await?;
    // The same form with the same file is the same command.
    let same = serde_json::json!([form, sent.name, sent.media_type, complete.sha256]);
    let request = request.standing_for(same.to_string().into_bytes());
    let ask = ask.taken(&app, &request)?;
    let new = New { id: form.id.unwrap_or_else(clock::new_id), by, form, sent, complete };
    let build = || Ok(new.target(&ask));
    let carried = if ask.manner.validate_only || !new.would_do(&ask) {
        app.execute(&ask, build).await
    } else {
        keep(&app, &ask, (&scratch, new.complete.blob_id), build).await
    };
    Ok((carried?.answer(), request))
}

/// A file that came whole.
struct New {
    id: FileId,
    by: UserId,
    form: Form,
    sent: Sent,
    complete: Complete,
}

impl New {
    fn commands(&self) -> Vec<Command> {
        let initiate = Command::Initiate(Initiate {
            name: self.form.name.clone().unwrap_or_else(|| self.sent.name.clone()),
            media_type: self.sent.media_type.clone(),
            size_bytes: Some(self.complete.size_bytes),
            purpose: self.form.purpose,
            uploaded_by: self.by,
        });
        let role = self.form.role.clone().unwrap_or_else(super::attachment);
        let link = self.form.subject.map(|subject| Command::Link { subject, role });
        let complete = Command::Complete(self.complete.clone());
        [initiate, complete].into_iter().chain(link).collect()
    }

    fn target(&self, ask: &Ask) -> Target<File> {
        let target = Target::of(self.id).at("/files/{id}");
        let target = Target { commands: self.commands(), ..target };
        to_be_about(target, self.form.subject).guarded(ask.access)
    }

    /// Whether the file itself would be taken, so that bytes are not stored which nobody will refer to.
    fn would_do(&self, ask: &Ask) -> bool {
        let mut file = File::default();
        let facts = Facts { subject_exists: true, ..Facts::default() };
        self.commands().into_iter().all(|command| {
            let decided = file.decide(command, &facts, &ask.context());
            for event in decided.iter().flatten() {
                file.evolve(event);
            }
            decided.is_ok()
        })
    }
}

/// Reads the form, the file in it to disk.
async fn read(
    request: &Incoming,
    body: Body,
    scratch: &std::fs::File,
) -> Result<(Form, Sent), Problem> {
    let kind = request.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary = multer::parse_boundary(kind.unwrap_or_default()).map_err(|_| {
        let detail = "send the file as multipart/form-data, in a field called file";
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", detail)
    })?;
    let paced = Paced::new(body.into_data_stream());
    let progress = paced.progress();
    let mut parts = Multipart::new(paced, boundary);
    let (mut form, mut sent, mut fields) = (Form::default(), None, 0);
    while let Some(mut field) = parts.next_field().await.map_err(|error| unreadable(&error))? {
        progress.made();
        fields += 1;
        if fields > FIELDS_MOST {
            return Err(Problem::bad_request("FORM_INVALID", "the form has too many fields"));
        }
        if field.name() == Some("file") {
            if sent.is_some() {
                return Err(form_problem("file", "send one file at a time"));
            }
            let text = |of: Option<String>| of.unwrap_or_default();
            let name = text(field.file_name().map(str::to_owned));
            let media_type = field.content_type().map_or(OPEN.into(), ToString::to_string);
            sent = Some(Sent { name, media_type });
            let most = Purpose::BYTES_MOST;
            if let Some(problem) =
                receive(field.inspect(|_| progress.made()), scratch, most).await?.cut
            {
                return Err(problem);
            }
            continue;
        }
        let name = field.name().unwrap_or_default().to_owned();
        let text = text(&mut field, &name).await?;
        progress.made();
        form.take(&name, text)?;
    }
    let sent = sent.ok_or_else(|| form_problem("file", "send the file in a field called file"))?;
    Ok((form, sent))
}

impl Form {
    fn take(&mut self, name: &str, text: String) -> Result<(), Problem> {
        match name {
            "id" => {
                let id = text.parse().map_err(|_| form_problem("id", "id must be a UUID"))?;
                self.id = Some(id);
            }
            "purpose" => {
                self.purpose = text.parse().map_err(|_| {
                    let known: Vec<&str> = Purpose::ALL.iter().map(|one| one.name()).collect();
                    form_problem("purpose", &format!("purpose must be one of {}", known.join(", ")))
                })?;
            }
            "subject" => {
                let read = text.parse::<Subject>();
                let subject = read.map_err(|error| form_problem("subject", &error.to_string()))?;
                self.subject = Some(subject);
            }
            "role" => self.role = Some(text),
            "name" => self.name = Some(text),
            "sha256" => self.sha256 = Some(text),
            other => return Err(form_problem(other, "there is no such field; leave it out")),
        }
        Ok(())
    }
}

/// A field that is a short text.
async fn text(field: &mut Field<'_>, name: &str) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(|error| unreadable(&error))? {
        if bytes.len() + piece.len() > FIELD_MAX_BYTES {
            return Err(too_large(FIELD_MAX_BYTES as u64));
        }
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| form_problem(name, "send text in UTF-8"))
}

fn unreadable(error: &multer::Error) -> Problem {
    Problem::bad_request("BODY_UNREADABLE", format!("the form is not readable: {error}"))
}

fn form_problem(field: &str, detail: &str) -> Problem {
    Problem::invalid(&format!("/{field}"), "FORM_INVALID", detail)
}
