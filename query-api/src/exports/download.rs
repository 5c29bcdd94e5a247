//! The file of an export, by a signed link that lives a minute; the link is the right, so no token is needed.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use events::exports::export::{Export, File};
use events::{ExportId, Module};
use platform::clock;
use platform::files::{Link, verify_link};
use platform::problem::Problem;
use platform::routes::{Access, Parameter, Route};
use serde::Deserialize;

use crate::app::App;
use crate::call::unreadable;
use crate::served::Content;
use crate::shape::query;

const PATH: &str = "/exports/download/{id}";
const PARAMETERS: &[Parameter] = &[
    query("link", "the token of the link that `POST /exports/{id}/downloads` gave"),
    query(
        "format",
        "the kind of file that is expected, such as csv; another kind is refused, as an export has one kind",
    ),
];

/// What the route says about itself.
pub(crate) fn route() -> Route {
    Route::get(PATH, Module::Exports, "exports_download")
        .summary("The file; public because the link itself is the right, for a minute")
        .access(Access::Public)
        .media_type("application/octet-stream")
        .parameters(PARAMETERS)
}

/// Puts the route into the router.
pub(crate) fn mount(router: Router, app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    let service = move |Path(id): Path<String>, link: Query<Asked>, headers: HeaderMap| {
        let app = Arc::clone(&app);
        async move { download(&app, &id, &link, &headers).await.unwrap_or_else(Problem::into_response) }
    };
    router.route(&format!("/api/v1{PATH}"), get(service))
}

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    pub(super) link: String,
    format: Option<String>,
}

async fn download(
    app: &App,
    id: &str,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let link = verify_link(&app.keys.master, &asked.link, clock::now())
        .map_err(|error| Problem::unauthenticated(error.to_string()))?;
    let file = file(app, id, &link).await?;
    let ending = ending(&file.file_name);
    if asked.format.as_ref().is_some_and(|format| format != ending) {
        let detail = format!("the file is {ending}; name that as format, or leave format out");
        return Err(another_kind(detail));
    }
    let content = Content {
        name: &file.file_name,
        media_type: media_type(&file.file_name),
        sha256: &file.sha256,
        size_bytes: file.size_bytes,
        shown: false,
    };
    content.serve(app, (link.tenant, link.file), headers).await
}

/// The file that a link opens, as the log has it now: a cancelled, failed or expired export has none.
async fn file(app: &App, id: &str, link: &Link) -> Result<File, Problem> {
    let id: ExportId = id.parse().map_err(|_| Problem::absent("file"))?;
    let export = app.aggregates.refresh::<Export>(link.tenant, &id.to_string()).await;
    let export = export.map_err(unreadable)?;
    let file = export.state.downloadable(clock::now()).map_err(|_| Problem::absent("file"))?;
    if file.file_id == link.file { Ok(file.clone()) } else { Err(Problem::absent("file")) }
}

/// What is said to whoever expects a file of another kind.
pub(super) fn another_kind(detail: String) -> Problem {
    Problem::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", detail)
}

fn ending(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

/// What a file is by the ending of its name.
pub(super) fn media_type(name: &str) -> &'static str {
    match ending(name) {
        "csv" => "text/csv; charset=utf-8",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pdf" => "application/pdf",
        "ndjson" => "application/x-ndjson",
        "parquet" => "application/vnd.apache.parquet",
        _ => "application/octet-stream",
    }
}
