//! Questions about exports, and the way to their files.

mod datasets;
pub(crate) mod download;
mod manifest;
mod past;

use events::Module::Exports;
use platform::routes::Route;

use crate::endpoint::Endpoint;
use crate::item::item;
use crate::jobs;
use crate::list::list;
use crate::shape::{dataset, listing, page_of, row_of, single};
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
    let export = Route::get("/exports/{id}", Exports, "exports_export").summary("One export");
    let export = Endpoint::new(
        single(export, "exports.exports", |g| row_of(g, "exports.exports")),
        |call| async move {
            item(&call, dataset("exports.exports"), call.segment("id"), "export").await
        },
    );
    let others = vec![
        datasets::datasets(),
        manifest::manifest(),
        Endpoint::new(
            listing(history, "exports.exports", |g| page_of(g, "exports.exports")),
            |call| async move { list(&call, dataset("exports.exports"), None).await },
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
    others.into_iter().chain(jobs::endpoints()).chain(items).collect()
}
