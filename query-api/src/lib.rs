//! query-api: questions in, rows out; event streams; nothing is ever written.

mod answer;
mod app;
mod ask;
mod audit;
mod backups;
mod call;
mod collaboration;
mod denials;
mod endpoint;
mod exports;
mod files;
mod identity;
mod item;
mod jobs;
mod list;
mod maintenance;
mod notifications;
mod paging;
mod past;
mod poll;
mod positions;
mod rbac;
mod readers;
mod reads;
mod record;
mod scheduling;
mod served;
mod settings;
mod shape;
pub mod stream;
mod telling;
mod travel;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use events::Module;
use platform::config::Settings;
use platform::http;
use platform::lifecycle::{Shutdown, Tasks};
use platform::routes::Route;

use crate::app::App;
use crate::endpoint::Endpoint;

const JOIN_LIMIT: Duration = Duration::from_secs(10);

/// Answers queries until the shutdown signal.
pub async fn run(settings: Arc<Settings>, shutdown: Shutdown) -> anyhow::Result<()> {
    let tasks = Tasks::new(shutdown.clone());
    let app = App::start(Arc::clone(&settings), &tasks).await?;
    let served = http::serve(settings.query_addr, router(&app), shutdown.clone()).await;
    shutdown.begin();
    tasks.join(JOIN_LIMIT).await;
    served
}

/// Everything this process answers to.
fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for endpoint in all() {
        router = endpoint.mount(router, app);
    }
    let router = exports::download::mount(stream::socket::mount(router, app), app);
    let router = exports::archive::mount(router, app);
    let router = files::download::mount(router, app);
    let router = router.merge(http::operational(document(), app.pool.clone()));
    let events = events_document();
    let router = router.route("/asyncapi.json", get(|| async move { Json(events) }));
    http::finish(router, &app.settings)
}

/// The routes of every module at all their addresses, in the order of the list of modules.
fn all() -> Vec<Endpoint> {
    let own = Module::ALL.iter().flat_map(|module| endpoints(*module));
    own.flat_map(Endpoint::addresses).collect()
}

fn endpoints(module: Module) -> Vec<Endpoint> {
    match module {
        Module::Identity => identity::endpoints(),
        Module::Rbac => rbac::endpoints(),
        Module::Audit => audit::endpoints(),
        Module::Exports => exports::endpoints(),
        Module::Notifications => notifications::endpoints(),
        Module::Backups => backups::endpoints(),
        Module::Settings => settings::endpoints(),
        Module::Scheduling => scheduling::endpoints(),
        Module::Files => files::endpoints(),
        Module::Maintenance => maintenance::endpoints(),
        Module::Collaboration => collaboration::endpoints(),
        Module::Webhooks => webhooks::endpoints(),
    }
}

/// What every route declares about itself, also those that let callers in by themselves.
pub fn routes() -> Vec<Route> {
    let special = [
        stream::socket::route(),
        exports::download::route(),
        exports::archive::route(),
        files::download::route(),
    ];
    all().into_iter().map(|endpoint| endpoint.route).chain(special).collect()
}

/// The `AsyncAPI` document of the events.
pub fn events_document() -> serde_json::Value {
    stream::asyncapi::document()
}

/// The `OpenAPI` document of this API.
pub fn document() -> serde_json::Value {
    platform::openapi::document(
        "Annals queries",
        "Questions and live streams; every answer says at which position of the log it stands.",
        &routes(),
    )
}
