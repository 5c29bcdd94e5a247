//! The content of a file by a signed link that lives a minute; the link is the right, so no token is needed.

use std::sync::Arc;

use ::events::files::file::File;
use ::events::{FileId, Module};
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use platform::clock;
use platform::files::verify_link;
use platform::problem::Problem;
use platform::routes::{Access, Parameter, Route};
use serde::Deserialize;

use crate::app::App;
use crate::call::unreadable;
use crate::shape::query;

const PATH: &str = "/files/download/{id}";
const PARAMETERS: &[Parameter] =
    &[query("link", "the token of the link that `POST /files/{id}/downloads` gave")];

/// What the route says about itself.
pub(crate) fn route() -> Route {
    Route::get(PATH, Module::Files, "files_download")
        .summary("The content; public because the link itself is the right, for a minute")
        .access(Access::Public)
        .media_type("application/octet-stream")
        .parameters(PARAMETERS)
}

/// Puts the route into the router.
pub(crate) fn mount(router: Router, app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    let service = move |Path(id): Path<String>, link: Query<Asked>, headers: HeaderMap| {
        let app = Arc::clone(&app);
        async move {
            let served = download(&app, (&id, &link.link), &headers).await;
            served.unwrap_or_else(Problem::into_response)
        }
    };
    router.route(&format!("/api/v1{PATH}"), get(service))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    link: String,
}

/// The link names the place of the bytes, so it opens a file with those bytes and no other, as long as that is stored.
async fn download(
    app: &App,
    (id, link): (&str, &str),
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let link = verify_link(&app.keys.master, link, clock::now())
        .map_err(|error| Problem::unauthenticated(error.to_string()))?;
    let id: FileId = id.parse().map_err(|_| Problem::absent("file"))?;
    let file = app.aggregates.refresh::<File>(link.tenant, &id.to_string()).await;
    let file = file.map_err(unreadable)?.state;
    let content = file.fetchable(true).map_err(|_| Problem::absent("file"))?;
    if content.blob_id != link.file {
        return Err(Problem::absent("file"));
    }
    super::of(&file, content, false).serve(app, (link.tenant, link.file), headers).await
}
