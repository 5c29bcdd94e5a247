//! Questions about files: which there are, what each is and is about, and what it holds.

pub(crate) mod download;

use ::events::files::content::is_shown;
use ::events::files::file::{self, File, Rejection, Status};
use ::events::subject::Subject;
use ::events::{FileId, Module, Permission};
use axum::response::Response;
use platform::access::may_keep;
use platform::problem::Problem;
use platform::routes::{Access, Parameter, Route};
use std::sync::Arc;

use crate::call::{Call, unreadable};
use crate::endpoint::Endpoint;
use crate::item::item_of_anybody;
use crate::list::{list, list_of_anybody};
use crate::served::Content;
use crate::shape::{AFTER, AT, ITEM, KNOWN, PREFER, dataset, page_of, query, row_of};

const FILES: &str = "files.files";
const PARAMETERS: &[Parameter] = &[
    query("subject", "the record that files are about, as `<type>:<id>`"),
    query("filter", "which rows, for example `status=\"stored\" AND created_at>now-7d`"),
    query("sort", "in which order, for example `-created_at,name`"),
    query("fields", "which columns, separated by commas"),
    query("limit", "rows of a page: 50 unless told, at most 500"),
    AFTER,
    query("count", "`none`, `estimate` or `exact`"),
    AT,
    KNOWN,
    PREFER,
];
const OF_CONTENT: &[Parameter] = &[
    query("shown", "`true` to have a picture or PDF shown instead of saved"),
    Parameter { name: "Range", place: "header", description: "the bytes wanted, as `bytes=0-99`" },
    Parameter {
        name: "If-Range",
        place: "header",
        description: "the `ETag` that the range is of; the whole where it is another",
    },
    KNOWN,
];

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let needs = Access::Needs(Permission::FilesFilesUse);
    let files = Route::get("/files", Module::Files, "files_files")
        .summary("The caller's files, everybody's with the permission, or those about a record that the caller may see")
        .access(needs)
        .parameters(PARAMETERS);
    let files = Route { response: Some(|g| page_of(g, FILES)), ..files };
    let file = Route::get("/files/{id}", Module::Files, "files_file")
        .summary("What a file is and is about")
        .access(needs)
        .parameters(ITEM);
    let file = Route { response: Some(|g| row_of(g, FILES)), ..file };
    let content = Route::get("/files/{id}/content", Module::Files, "files_content")
        .summary("What a file holds, whole or in ranges")
        .access(needs)
        .media_type("application/octet-stream")
        .parameters(OF_CONTENT);
    vec![
        Endpoint::new(files, listed),
        Endpoint::new(file, |call| async move {
            readable(&call).await?;
            item_of_anybody(&call, dataset(FILES), call.segment("id"), "file").await
        }),
        Endpoint::new(content, |call| async move { held(&call).await }),
    ]
}

/// Files about a record are for whoever may see the record; of others nothing is told but one's own.
async fn listed(mut call: Call) -> Result<Response, Problem> {
    let subject = call.parameter("subject").map(str::parse::<Subject>).transpose();
    let subject = subject.map_err(|error| Problem::parameter("subject", error.to_string()))?;
    call.translate(&[("subject", "subjects")]);
    let sees = match subject {
        Some(subject) => {
            let standing = call.standing.as_ref();
            let sees = call.app.access.may_read_of(&call.principal, standing, &subject).await;
            sees.map_err(unreadable)?
        }
        None => false,
    };
    if sees {
        return list_of_anybody(&call, dataset(FILES)).await;
    }
    list(&call, dataset(FILES), None).await
}

/// The file as the log has it now, if the caller may read it.
async fn readable(call: &Call) -> Result<Arc<File>, Problem> {
    let id: FileId = call.id("id", "file")?;
    let known = call.app.aggregates.refresh::<File>(call.tenant(), &id.to_string()).await;
    let file = known.map_err(unreadable)?.state;
    let readable = file.status != Status::Absent
        && (call.app.access.may_read(&call.principal, call.standing.as_ref(), &file).await)
            .map_err(unreadable)?;
    if readable { Ok(file) } else { Err(Problem::absent("file")) }
}

async fn held(call: &Call) -> Result<Response, Problem> {
    call.only_parameters(&["shown"])?;
    let wanted = platform::parameters::flag(&call.parameters, "shown")?;
    let file = readable(call).await?;
    let keeper = may_keep(&call.principal, call.standing.as_ref());
    let content = file.fetchable(keeper).map_err(|rejection| withheld(&rejection))?;
    let served = of(&file, content, wanted);
    served.serve(&call.app, (call.tenant(), content.blob_id), &call.headers).await
}

/// The content as it is served: shown only where nothing in it could run.
fn of<'a>(file: &'a File, content: &'a file::Content, wanted: bool) -> Content<'a> {
    Content {
        name: &file.name,
        media_type: &content.media_type,
        sha256: &content.sha256,
        size_bytes: content.size_bytes,
        shown: wanted && is_shown(&content.media_type),
    }
}

fn withheld(rejection: &Rejection) -> Problem {
    Problem::conflict(::events::Rejection::code(rejection), rejection.to_string())
}
