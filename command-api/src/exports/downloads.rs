//! Fetching a file: each fetch is a command, so it is in the trail, and is answered with a link that lives a minute.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::exports::export::{Command, Export, RecordDownload};
use events::{ExportId, Module, Permission};
use jiff::{SignedDuration, Timestamp};
use platform::clock;
use platform::files::{Link, sign_link};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::pipeline::{Owner, Target};
use crate::refusal::refused;
use crate::registry::{Incoming, Registry};

const LINK_SECONDS: i64 = 60;

/// A link to a file.
#[derive(Serialize, JsonSchema)]
struct Download {
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
    .answers::<Download>(201);
    registry.special(route.clone(), move |State(app): State<Arc<App>>, request: Incoming| {
        let route = route.clone();
        async move {
            download(&app, &route, &request).await.map(|link| (StatusCode::CREATED, Json(link)))
        }
    });
}

async fn download(app: &App, route: &Route, request: &Incoming) -> Result<Download, Problem> {
    let mut ask = request.ask(app, route).await?;
    app.admit(&mut ask).await?;
    let id: ExportId = request.id("export_id")?;
    let tenant = ask.principal.tenant;
    let by = ask.principal.user().ok_or_else(|| Problem::forbidden("only users fetch files"))?;
    let known = app
        .aggregates
        .refresh::<Export>(tenant, &id.to_string())
        .await
        .map_err(|error| Problem::internal(&error))?;
    let needs: Vec<_> = platform::dataset::find(&known.state.dataset)
        .and_then(|dataset| dataset.permission)
        .into_iter()
        .collect();
    app.execute(&ask, || {
        let owner = Owner { of: super::requester, others_need: Permission::ExportsFilesReadAll };
        let target = Target::new(id, Command::RecordDownload(RecordDownload { by }));
        Ok(Target { owners: vec![owner], needs: needs.clone(), ..target })
    })
    .await?;
    let file = known.state.downloadable(clock::now()).map_err(|rejection| refused(&rejection))?;
    let expires_at = clock::now() + SignedDuration::from_secs(LINK_SECONDS);
    let token = sign_link(&app.master, &Link { tenant, user: by, file: file.file_id, expires_at });
    Ok(Download {
        url: format!("{}/api/v1/exports/download/{id}?link={token}", app.settings.query_url),
        expires_at,
        file_name: file.file_name.clone(),
        size_bytes: file.size_bytes,
        sha256: file.sha256.clone(),
    })
}
