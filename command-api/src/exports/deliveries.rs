//! Files for others: named in the request, or sent to them afterwards. Whom a file is for may see all that is in it, when they are
//! named and when they are told; what they are told is where the file is, and there they are asked again.

use std::sync::Arc;

use events::exports::export::{Command, Export};
use events::{ExportId, Module, Permission, UserId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::dataset::{self, Dataset};
use platform::problem::{Fault, Problem};
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use super::readers::places_of;
use super::{Ask, known, owned};
use crate::answer::Answer;
use crate::app::App;
use crate::pipeline::{Ask as Asking, Target};
use crate::registry::{Call, Given, Nothing, Registry};

/// The code of what is wrong with recipients.
const CODE: &str = "RECIPIENT_MAY_NOT_SEE";

/// Whom to send a file to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Email {
    /// People of the organisation who may see everything that is in it.
    recipients: Vec<UserId>,
}

pub(super) fn routes(registry: &mut Registry) {
    registry.checked::<Email, Export>(
        Route::post("/exports/{export_id}/email", Module::Exports, "exports_export_email")
            .summary("send others where a file is; each of them may see all that is in it")
            .needs(Permission::ExportsFilesRequest)
            .in_unit(),
        check_email,
        |call| {
            let by = call.principal.user();
            let by = by.ok_or_else(|| Problem::forbidden("only users send files"))?;
            owned(call, Command::Email { recipients: call.body.recipients.clone(), by })
        },
    );
    let deliver =
        Route::post("/exports/{export_id}/deliver", Module::Exports, "exports_export_deliver")
            .summary("those whom a finished file is for are told, but for whom it is not any more")
            .needs(Permission::ExportsFilesMake)
            .takes::<Nothing>()
            .answers::<Answer>(200);
    registry.handled(deliver, deliver_file);
}

/// Refuses recipients who may not see what will be in the file.
pub(super) async fn check(app: &App, call: &Call<Ask>) -> Result<(), Problem> {
    let Some(deliver) = &call.body.deliver else { return Ok(()) };
    let dataset = known(call.body.dataset.as_deref().unwrap_or_default())?;
    let rows = app.rows_of(&call.principal, dataset).await?;
    let people = &deliver.recipients;
    let blind = app.blind_to(call.tenant(), (dataset, &rows), people).await?;
    refuse(&blind, people, (dataset, "/deliver/recipients"))
}

fn check_email<'a>(
    app: &'a Arc<App>,
    _: &'a Asking,
    call: &'a mut Call<Email>,
) -> BoxFuture<'a, Result<(), Problem>> {
    async move {
        let id: ExportId = call.id("export_id")?;
        let export = app.aggregates.refresh::<Export>(call.tenant(), &id.to_string()).await;
        let export = export.map_err(|error| Problem::internal(&error))?.state;
        // Of an export that is not there, or has no file, its rules tell.
        let (Some(file), Some(dataset)) = (&export.file, dataset::find(&export.dataset)) else {
            return Ok(());
        };
        let people = &call.body.recipients;
        let rows = places_of(&file.units);
        let blind = app.blind_to(call.tenant(), (dataset, &rows), people).await?;
        refuse(&blind, people, (dataset, "/recipients"))
    }
    .boxed()
}

fn refuse(
    blind: &[UserId],
    people: &[UserId],
    (dataset, pointer): (&Dataset, &str),
) -> Result<(), Problem> {
    if blind.is_empty() {
        return Ok(());
    }
    let needed = dataset.permission.map(|needed| format!(" and {}", needed.name()));
    let detail = format!(
        "this is no active user who may see all that is in the file: have them given {}{} where its rows are, or leave them out",
        Permission::ExportsFilesRequest.name(),
        needed.unwrap_or_default()
    );
    let mut problem = Problem::invalid(pointer, CODE, detail.clone());
    let places = people.iter().enumerate().filter(|(_, user)| blind.contains(user));
    problem.errors =
        places.map(|(place, _)| Fault::new(format!("{pointer}/{place}"), CODE, &*detail)).collect();
    Err(problem)
}

async fn deliver_file(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let id: ExportId = request.id("export_id")?;
    request.json::<Nothing>()?;
    let tenant = ask.principal.tenant;
    let export = app.aggregates.refresh::<Export>(tenant, &id.to_string()).await;
    let export = export.map_err(|error| Problem::internal(&error))?.state;
    let left_out = match (&export.deliver, &export.file, dataset::find(&export.dataset)) {
        (Some(deliver), Some(file), Some(dataset)) => {
            let rows = places_of(&file.units);
            app.blind_to(tenant, (dataset, &rows), &deliver.recipients).await?
        }
        _ => Vec::new(),
    };
    let target = || {
        let command = Command::Deliver { left_out: left_out.clone() };
        Ok(Target::<Export>::new(id, command).guarded(ask.access))
    };
    Ok(app.execute(ask, target).await?.answer())
}
