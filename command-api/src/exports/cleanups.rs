//! Letting old files go, all of the organisation's at once.

use events::exports::cleanup::{Cleanup, Command};
use events::{CleanupId, Module, Permission};
use platform::clock;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::Registry;

/// Which files go.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CleanUp {
    /// The clean-up's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<CleanupId>,
    /// Files that were made more than so many days ago go, whatever the setting `exports.kept_hours` says.
    days_to_keep: u32,
}

pub(super) fn routes(registry: &mut Registry) {
    registry.command::<CleanUp, Cleanup>(
        Route::post("/exports/cleanup", Module::Exports, "exports_cleanup_request")
            .summary("let the organisation's files go that are older than so many days; archived ones stay")
            .needs(Permission::ExportsFilesCleanUp),
        |call| {
            let id: CleanupId = call.body.id.unwrap_or_else(clock::new_id);
            let days_to_keep = call.body.days_to_keep;
            Ok(Target::create(id, Command::Request { days_to_keep }))
        },
    );
}
