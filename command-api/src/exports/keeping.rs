//! What becomes of finished files: kept beyond their time, or taken away before it.

use events::exports::export::{Command, Export};
use events::{Module, Permission, UserId};
use platform::problem::Problem;
use platform::routes::Route;

use super::owned;
use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

pub(super) fn routes(registry: &mut Registry) {
    let own = |route: Route| route.needs(Permission::ExportsFilesRequest).in_unit();
    registry.command::<Nothing, Export>(
        own(Route::delete("/exports/{export_id}", Module::Exports, "exports_export_delete"))
            .summary("take the file of an export away; what is known of it stays"),
        |call| by_user(call, |by| Command::Delete { by }),
    );
    registry.command::<Nothing, Export>(
        own(Route::post("/exports/{export_id}/archive", Module::Exports, "exports_export_archive"))
            .summary("keep the file of an export until somebody deletes it"),
        |call| by_user(call, |by| Command::Archive { by }),
    );
}

fn by_user(
    call: &Call<Nothing>,
    command: impl FnOnce(UserId) -> Command,
) -> Result<Target<Export>, Problem> {
    let by = call.principal.user();
    let by = by.ok_or_else(|| Problem::forbidden("only users keep and delete files"))?;
    owned(call, command(by))
}
