//! Questions about exports, and the way to their files.

pub(crate) mod archive;
mod body;
mod datasets;
pub(crate) mod download;
mod manifest;
mod past;

use events::Module::Exports;
use platform::routes::{Parameter, Route};

use crate::endpoint::Endpoint;
use crate::item::item;
use crate::jobs;
use crate::list::list;
use crate::shape::{LIST, dataset, listing, page_of, query, row_of, single};
use crate::travel::with_past;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let history = Route::get("/exports", Exports, "exports_exports")
        .summary("The caller's exports, or everybody's with the permission");
    let queue = Route::get("/exports/jobs", Exports, "exports_jobs")
        .summary("The same, under the name of the queue");
    let job =
        Route::get("/exports/jobs/{id}", Exports, "exports_job").summary("How far an export is");
    let templates = Route::get("/exports/templates", Exports, "exports_templates")
        .summary("The templates of reports; files are made by those that are not retired");
    let template = Route::get("/exports/templates/{id}", Exports, "exports_template")
        .summary("One template of reports");
    let template = Endpoint::new(
        single(template, "exports.templates", |g| row_of(g, "exports.templates")),
        |call| async move {
            item(&call, dataset("exports.templates"), call.segment("id"), "template").await
        },
    );
    let export = Route::get("/exports/{id}", Exports, "exports_export")
        .summary("One export; its file instead where Accept names the kind of file");
    let export = Endpoint::new(
        single(export, "exports.exports", |g| row_of(g, "exports.exports")),
        |call| async move {
            if let Some(kinds) = body::wanted(&call.headers) {
                return body::answer(&call, &kinds).await;
            }
            item(&call, dataset("exports.exports"), call.segment("id"), "export").await
        },
    );
    let others = vec![
        datasets::datasets(),
        manifest::manifest(),
        Endpoint::new(
            listing(history, "exports.exports", |g| page_of(g, "exports.exports"))
                .parameters(&HISTORY),
            |call| async move {
                let call = call.renamed("userId", "requested_by");
                list(&call, dataset("exports.exports"), None).await
            },
        ),
        Endpoint::new(
            listing(queue, "exports.exports", |g| page_of(g, "exports.exports")),
            |call| async move { list(&call, dataset("exports.exports"), None).await },
        ),
        Endpoint::new(
            listing(templates, "exports.templates", |g| page_of(g, "exports.templates")),
            |call| async move { list(&call, dataset("exports.templates"), None).await },
        ),
        Endpoint::new(
            single(job, "exports.exports", |g| row_of(g, "exports.exports")),
            |call| async move {
                item(&call, dataset("exports.exports"), call.segment("id"), "export").await
            },
        ),
    ];
    let items = with_past(&past::EXPORT, export).into_iter();
    let items = items.chain(with_past(&past::TEMPLATE, template));
    let items = items.chain(with_past(&past::BATCH, batch()));
    others.into_iter().chain(lists()).chain(jobs::endpoints()).chain(items).collect()
}

/// Batches, and schedules with one of them.
fn lists() -> Vec<Endpoint> {
    let batches = Route::get("/exports/batch", Exports, "exports_batches")
        .summary("The caller's batches of exports, or everybody's with the permission");
    let schedules = Route::get("/exports/schedule", Exports, "exports_schedules")
        .summary("The exports of the caller's that recur, or everybody's with the permission");
    let schedule = Route::get("/exports/schedule/{id}", Exports, "exports_schedule")
        .summary("One export that recurs");
    vec![
        Endpoint::new(
            listing(batches, "exports.batches", |g| page_of(g, "exports.batches")),
            |call| async move { list(&call, dataset("exports.batches"), None).await },
        ),
        Endpoint::new(
            listing(schedules, "exports.schedules", |g| page_of(g, "exports.schedules")),
            |call| async move { list(&call, dataset("exports.schedules"), None).await },
        ),
        Endpoint::new(
            single(schedule, "exports.schedules", |g| row_of(g, "exports.schedules")),
            |call| async move {
                item(&call, dataset("exports.schedules"), call.segment("id"), "schedule").await
            },
        ),
    ]
}

fn batch() -> Endpoint {
    let route = Route::get("/exports/batch/{id}", Exports, "exports_batch")
        .summary("One batch of exports, with what became of every file");
    Endpoint::new(
        single(route, "exports.batches", |g| row_of(g, "exports.batches")),
        |call| async move { item(&call, dataset("exports.batches"), call.segment("id"), "batch").await },
    )
}

/// The parameters of the history: those of every list, and a user under the name that other systems have for it.
static HISTORY: [Parameter; LIST.len() + 1] = {
    let of_user = query("userId", "the exports of one user; the same as `requested_by`");
    let mut all = [of_user; LIST.len() + 1];
    let mut place = 0;
    while place < LIST.len() {
        all[place] = LIST[place];
        place += 1;
    }
    all
};
