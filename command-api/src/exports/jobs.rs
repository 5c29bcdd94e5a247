//! Background work of whatever kind under one address: cancelled and tried again as its own kind has it.

use std::sync::Arc;

use events::backups::backup::{Backup, Command as OfBackup};
use events::exports::batch::{Batch, Command as OfBatch};
use events::exports::export::{Command as OfExport, Export};
use events::{Module, Permission};
use platform::problem::Problem;
use platform::routes::Route;
use uuid::Uuid;

use super::{batches, of_requester};
use crate::answer::Answer;
use crate::app::App;
use crate::guard::Spot;
use crate::pipeline::Target;
use crate::registry::{Given, Nothing, Registry};

/// What is wished of a piece of work.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Cancel,
    Retry,
}

pub(super) fn routes(registry: &mut Registry) {
    let route = |path, operation, summary| {
        Route::post(path, Module::Exports, operation)
            .summary(summary)
            .takes::<Nothing>()
            .answers::<Answer>(200)
    };
    let cancel = route(
        "/jobs/{job_id}/cancel",
        "exports_job_cancel",
        "stop a job of whatever kind: at once while it waits, as soon as its worker lets go while it runs",
    );
    registry.handled(cancel, |app, given| carry_out(app, given, Wish::Cancel));
    let retry = route(
        "/jobs/{job_id}/retry",
        "exports_job_retry",
        "try a job of whatever kind again that failed, where that can help",
    );
    registry.handled(retry, |app, given| carry_out(app, given, Wish::Retry));
}

/// Finds out what kind of work it is; whoever adds a kind says here who may end it.
async fn carry_out(app: Arc<App>, given: Arc<Given>, wish: Wish) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let id: Uuid = request.id("job_id")?;
    let (tenant, stream) = (ask.principal.tenant, id.to_string());
    request.json::<Nothing>()?;
    let export = app.aggregates.refresh::<Export>(tenant, &stream).await;
    if export.map_err(|error| Problem::internal(&error))?.version > 0 {
        let command = || match wish {
            Wish::Cancel => OfExport::Cancel,
            Wish::Retry => OfExport::Retry,
        };
        let carried = app.execute(ask, || {
            let needed = Some(Permission::ExportsFilesRequest);
            let target = of_requester(id, command());
            Ok(target.needing(needed, &[Spot::Anywhere]).guarded(ask.access))
        });
        return Ok(carried.await?.answer());
    }
    let batch = app.aggregates.refresh::<Batch>(tenant, &stream).await;
    if batch.map_err(|error| Problem::internal(&error))?.version > 0 {
        let command = || match wish {
            Wish::Cancel => OfBatch::Cancel,
            Wish::Retry => OfBatch::Retry,
        };
        let carried = app.execute(ask, || {
            let needed = Some(Permission::ExportsFilesRequest);
            let target = batches::of_requester(id.into(), command());
            Ok(target.needing(needed, &[Spot::Anywhere]).guarded(ask.access))
        });
        return Ok(carried.await?.answer());
    }
    let backup = app.aggregates.refresh::<Backup>(tenant, &stream).await;
    if backup.map_err(|error| Problem::internal(&error))?.version > 0 {
        let command = || match wish {
            Wish::Cancel => OfBackup::Cancel,
            Wish::Retry => OfBackup::Retry,
        };
        let carried = app.execute(ask, || {
            let target = Target::<Backup>::new(id, command());
            let needed = Some(Permission::BackupsArchivesRequest);
            Ok(target.needing(needed, &[Spot::Everywhere]).guarded(ask.access))
        });
        return Ok(carried.await?.answer());
    }
    Err(Problem::absent("job"))
}
