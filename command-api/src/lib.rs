//! Commands in, events out: the only door to the log.

mod answer;
mod app;
mod audit;
mod backups;
mod batch;
mod collaboration;
mod denials;
mod draft;
mod errands;
mod exports;
mod facts;
mod files;
mod guard;
mod identity;
mod keys;
pub mod log;
mod maintenance;
mod notifications;
mod patch;
mod pipeline;
mod rbac;
mod refusal;
mod registry;
mod scheduling;
mod sealing;
mod secrets;
mod settings;
mod since;
mod strict;
mod told;
mod visible;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use events::Module;
use platform::config::Settings;
use platform::lifecycle::{Shutdown, Tasks};
use platform::routes::Route;

use app::App;
use registry::Registry;

const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Runs until the shutdown signal.
pub async fn run(settings: Arc<Settings>, shutdown: Shutdown) -> anyhow::Result<()> {
    let tasks = Tasks::new(shutdown.clone());
    let app = App::start(Arc::clone(&settings), &tasks).await?;
    let router = platform::http::finish(registry().router(&app), &settings);
    let served = platform::http::serve(settings.command_addr, router, shutdown.clone()).await;
    shutdown.begin();
    drop(app); // the log's writer ends when the last who could use it is gone
    if !tasks.join(STOP_LIMIT).await {
        tracing::warn!("command-api ended before all its tasks did");
    }
    served
}

/// Every route, for documentation and tests.
pub fn routes() -> Vec<Route> {
    registry().into_routes()
}

/// The OpenAPI document of this API.
pub fn openapi() -> serde_json::Value {
    registry().document()
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    for module in Module::ALL {
        match module {
            Module::Identity => identity::routes(&mut registry),
            Module::Rbac => rbac::routes(&mut registry),
            Module::Audit => audit::routes(&mut registry),
            Module::Exports => exports::routes(&mut registry),
            Module::Notifications => notifications::routes(&mut registry),
            Module::Backups => backups::routes(&mut registry),
            Module::Settings => settings::routes(&mut registry),
            Module::Scheduling => scheduling::routes(&mut registry),
            Module::Files => files::routes(&mut registry),
            Module::Maintenance => maintenance::routes(&mut registry),
            Module::Collaboration => collaboration::routes(&mut registry),
            Module::Webhooks => webhooks::routes(&mut registry),
        }
    }
    batch::route(&mut registry);
    registry
}

/// A router without a server around it, for tests in other crates.
pub async fn router(settings: Arc<Settings>, tasks: &Tasks) -> anyhow::Result<Router> {
    let app = App::start(Arc::clone(&settings), tasks).await?;
    Ok(platform::http::finish(registry().router(&app), &settings))
}
