//! Fetching a file: each fetch is a command, so it is in the trail, and is answered with a link that lives a minute.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use events::exports::export::{Command, Export, RecordDownload};
use events::{ExportId, Module, Permission};
use jiff::{SignedDuration, Timestamp};
use platform::clock;
use platform::files::{Link, sign_link};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;

use super::of_requester;
use crate::answer::{Answer, Carried, Reply};
use crate::app::App;
use crate::guard::Spot;
use crate::pipeline::Target;
use crate::refusal::refused;
use crate::registry::{Given, Registry};

const LINK_SECONDS: i64 = 60;

/// A fetch that was recorded, and the link to the file.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Download {
    #[serde(flatten)]
    pub(crate) answer: Answer,
    /// The link; none in a dry run, and none for a repeated request when the link of the first has ended.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<FileLink>,
}

/// A link to a file.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FileLink {
    /// Where the file is, for whoever asked, until it expires.
    url: String,
    /// When the link ends.
    expires_at: Timestamp,
    /// The name to save it under.
    file_name: String,
    /// Its size.
    size_bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    sha256: String,
}

impl FileLink {
    /// The link to a path of query-api below `/api/v1`, with the name, size and digest of what is there.
    pub(crate) fn new(
        app: &App,
        (path, link): (&str, &Link),
        (file_name, size_bytes, sha256): (String, u64, String),
    ) -> Self {
        let token = sign_link(&app.master, link);
        let url = format!("{}/api/v1{path}?link={token}", app.settings.query_url);
        Self { url, expires_at: link.expires_at, file_name, size_bytes, sha256 }
    }
}

impl Reply for Download {
    fn answer(&mut self) -> &mut Answer {
        &mut self.answer
    }

    fn may_be_minimal(&self) -> bool {
        self.link.is_none()
    }
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        self.answer.respond(body)
    }
}

pub(super) fn routes(registry: &mut Registry) {
    let route = Route::post(
        "/exports/{export_id}/downloads",
        Module::Exports,
        "exports_export_download",
    )
    .summary(
        "a short-lived link to the file; the right to it is asked again, and the fetch is recorded",
    )
    .needs(Permission::ExportsFilesRequest)
    .in_unit()
    .answers::<Download>(201);
    registry.handled(route, download);
}

async fn download(app: Arc<App>, given: Arc<Given>) -> Result<Download, Problem> {
    let Given { request, ask } = &*given;
    let id: ExportId = request.id("export_id")?;
    let tenant = ask.principal.tenant;
    let by = ask.principal.user().ok_or_else(|| Problem::forbidden("only users fetch files"))?;
    let known = app
        .aggregates
        .refresh::<Export>(tenant, &id.to_string())
        .await
        .map_err(|error| Problem::internal(&error))?;
    let dataset = platform::dataset::find(&known.state.dataset);
    let needed = dataset.and_then(|dataset| dataset.permission);
    let spots = rows_of(&known.state);
    let carried = app.execute(ask, || {
        let command = Command::RecordDownload(RecordDownload { by });
        // Who was told where the file is may fetch it, where they may see what is in it.
        let target = if known.state.shared_with.contains(&by) {
            Target::new(id, command)
        } else {
            of_requester(id, command)
        };
        Ok(target.needing(needed, &spots).within(spots.iter().copied()).guarded(ask.access))
    });
    let answer = match carried.await? {
        Carried::Dry(answer) => return Ok(Download { answer, link: None }),
        Carried::Done(answer) | Carried::Again(answer) => answer,
    };
    let file = known.state.downloadable(clock::now()).map_err(|rejection| refused(&rejection))?;
    let Some(expires_at) = end(&answer).filter(|end| *end > clock::now()) else {
        return Ok(Download { answer, link: None });
    };
    let link = Link { tenant, user: by, file: file.file_id, expires_at };
    let path = format!("/exports/download/{id}");
    let named = (file.file_name.clone(), file.size_bytes, file.sha256.clone());
    let link = FileLink::new(&app, (&path, &link), named);
    Ok(Download { answer, link: Some(link) })
}

/// Where the rows of a file belong: it is fetched by whoever may in every unit that it was made of.
pub(super) fn rows_of(export: &Export) -> Vec<Spot> {
    match &export.file {
        Some(file) if !file.units.is_empty() => file.units.iter().copied().map(Spot::In).collect(),
        Some(_) => vec![Spot::Everywhere],
        // There is nothing to fetch, which is for whoever may ask for a file to hear.
        None => vec![Spot::Anywhere],
    }
}

/// When the link ends: by the time in the id of the event that records the fetch, so that whoever repeats the request has the same
/// link again and no other, and one event stands for one link.
pub(crate) fn end(answer: &Answer) -> Option<Timestamp> {
    let (seconds, _) = answer.events.first()?.id.get_timestamp()?.to_unix();
    let made = Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
    made.checked_add(SignedDuration::from_secs(LINK_SECONDS)).ok()
}
