//! Several files as one: asked for, cancelled, retried, fetched; and how our workers bring a batch on.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use events::exports::batch::{Batch, Came, Command, Item, Request, Stage};
use events::exports::export::{self, Export, Format};
use events::exports::template::{Status, Template};
use events::job::State;
use events::scheduling::trigger::{Answer as Carried, Target as Leads};
use events::{BatchId, Decider as _, ExportId, FileId, Module, Permission, TenantId, UserId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::clock;
use platform::files::{Link, sign_link};
use platform::principal::{Principal, Through};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::downloads::{end, rows_of};
use super::{Ask, FILES};
use crate::answer::{Answer, Carried as Took, Reply};
use crate::app::App;
use crate::errands::Errand;
use crate::guard::Spot;
use crate::pipeline::{Ask as Asking, Owner, Target};
use crate::refusal::refused;
use crate::registry::{Call, Given, Nothing, Registry};

/// Namespace of the keys that items are asked for under (RFC 9562, version 5).
const KEYS: Uuid = Uuid::from_u128(0x4c1a_9be0_77d2_5f3e_9a64_0d5b_c8e1_2f97);

/// Several files to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewBatch {
    /// The batch's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<BatchId>,
    /// What people call it, and the name of the archive.
    #[serde(default)]
    title: Option<String>,
    /// When the files are asked for; at once without a moment.
    #[serde(default)]
    run_at: Option<Timestamp>,
    /// The files, in the order of the archive.
    items: Vec<NewItem>,
}

/// One file of a batch.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewItem {
    /// The kind of file.
    format: Format,
    /// What it shows, without an id and for nobody else.
    export: Ask,
}

/// An item that waits to be asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Waiting {
    /// Which, from 0.
    item: u32,
}

/// What became of the file of an item.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Finished {
    /// The export.
    export_id: ExportId,
    /// Whether there is a file.
    made: bool,
}

pub(super) fn routes(registry: &mut Registry) {
    registry.checked::<NewBatch, Batch>(
        Route::post("/exports/batch", Module::Exports, "exports_batch_request")
            .summary("make several files as one, now or at a moment, to be fetched as one archive")
            .needs(Permission::ExportsFilesRequest)
            .in_unit()
            .limited(FILES)
            .works()
            .answers::<()>(201),
        prepare,
        request,
    );
    let own = |path, operation, summary| {
        Route::post(path, Module::Exports, operation)
            .summary(summary)
            .needs(Permission::ExportsFilesRequest)
            .in_unit()
    };
    registry.command::<Nothing, Batch>(
        own(
            "/exports/batch/{batch_id}/cancel",
            "exports_batch_cancel",
            "stop a batch; files that are still being made are called off",
        ),
        |call| owned(call, Command::Cancel),
    );
    registry.command::<Nothing, Batch>(
        own(
            "/exports/batch/{batch_id}/retry",
            "exports_batch_retry",
            "ask again for the files of a batch that failed",
        ),
        |call| owned(call, Command::Retry),
    );
    let download = own(
        "/exports/batch/{batch_id}/downloads",
        "exports_batch_download",
        "a short-lived link to all files in one archive; the right to each is asked again",
    );
    registry.handled(download.answers::<Download>(201), fetch);
    reports(registry);
}

fn reports(registry: &mut Registry) {
    let report = |path, operation, summary| {
        Route::post(path, Module::Exports, operation)
            .summary(summary)
            .needs(Permission::ExportsFilesMake)
    };
    registry.command::<Nothing, Batch>(
        report(
            "/exports/batch/{batch_id}/start",
            "exports_batch_start",
            "the time of a batch has come",
        ),
        |call| Ok(Target::new(call.id::<BatchId>("batch_id")?, Command::Start)),
    );
    let finish = report(
        "/exports/batch/{batch_id}/finish",
        "exports_batch_finish_item",
        "the file of an item is made, or will not be",
    );
    registry.handled(finish.takes::<Finished>().answers::<Answer>(200), finish_item);
    let item = report(
        "/exports/batch/{batch_id}/request-item",
        "exports_batch_request_item",
        "ask for a file of a batch for whoever asked for the batch; what comes of it is recorded",
    );
    registry.handled(item.takes::<Waiting>().answers::<Answer>(200), ask_for);
}

fn owned(call: &Call<Nothing>, command: Command) -> Result<Target<Batch>, Problem> {
    Ok(of_requester(call.id("batch_id")?, command).within([Spot::Anywhere]))
}

/// A command on a batch, which is its requester's; others need to see everybody's.
pub(super) fn of_requester(id: BatchId, command: Command) -> Target<Batch> {
    let of = |batch: &Batch| (!batch.items.is_empty()).then_some(batch.requested_by);
    let owner = Owner { of, others_need: Permission::ExportsFilesReadAll };
    Target { owners: vec![owner], ..Target::new(id, command) }
}

/// Puts together what each item says itself and what its template says.
fn prepare<'a>(
    app: &'a Arc<App>,
    asking: &'a Asking,
    call: &'a mut Call<NewBatch>,
) -> BoxFuture<'a, Result<(), Problem>> {
    async move {
        let tenant = asking.principal.tenant;
        for (place, item) in call.body.items.iter_mut().enumerate() {
            let ask = &mut item.export;
            for (is_there, member) in [(ask.id.is_some(), "id"), (ask.deliver.is_some(), "deliver")]
            {
                if is_there {
                    let detail =
                        format!("a file of a batch has no {member} of its own; leave it out");
                    let pointer = format!("/items/{place}/export/{member}");
                    return Err(Problem::invalid(&pointer, "BODY_INVALID", detail));
                }
            }
            let Some(template) = ask.template_id else { continue };
            super::templates::fill(app, tenant, ask).await.map_err(|it| in_item(place, it))?;
            let known = app.aggregates.refresh::<Template>(tenant, &template.to_string()).await;
            if known.map_err(|error| Problem::internal(&error))?.state.status == Status::Retired {
                let retired = refused(&export::Rejection::TemplateRetired);
                return Err(in_item(place, retired));
            }
        }
        Ok(())
    }
    .boxed()
}

/// The refusal of a file as one of the batch that brings it.
fn in_item(place: usize, mut problem: Problem) -> Problem {
    for fault in &mut problem.errors {
        fault.pointer = format!("/items/{place}/export{}", fault.pointer);
    }
    problem
}

fn request(call: &Call<NewBatch>) -> Result<Target<Batch>, Problem> {
    let body = &call.body;
    let by = call.principal.user().ok_or_else(|| Problem::forbidden("only users own exports"))?;
    let mut items = Vec::with_capacity(body.items.len());
    let mut guards = Vec::new();
    for (place, NewItem { format, export }) in body.items.iter().enumerate() {
        let asked = super::request(&call.principal, export, *format);
        let asked = asked.map_err(|problem| in_item(place, problem))?;
        for command in asked.commands {
            let export::Command::Request(request) = command else { continue };
            items.push(item(&request).map_err(|problem| in_item(place, problem))?);
        }
        guards.extend(asked.guards);
    }
    let request =
        Request { title: body.title.clone(), items, run_at: body.run_at, requested_by: by };
    let id: BatchId = body.id.unwrap_or_else(clock::new_id);
    let target = Target::create(id, Command::Request(request)).at("/exports/batch/{id}").working();
    Ok(Target { guards, ..target }.within([Spot::Anywhere]))
}

/// A file as the batch keeps it, refused as the request for it would be.
fn item(request: &export::Request) -> Result<Item, Problem> {
    let report = request.report().map_err(|rejection| refused(&rejection))?;
    Ok(Item { format: request.format, report, template_id: request.wishes.template_id })
}

/// A batch as the log has it now.
async fn now(app: &App, tenant: TenantId, id: BatchId) -> Result<Batch, Problem> {
    let batch = app.aggregates.refresh::<Batch>(tenant, &id.to_string()).await;
    Ok(Batch::clone(&batch.map_err(|error| Problem::internal(&error))?.state))
}

/// Asks for a file as whoever asked for the batch, once for each item and attempt; what comes of it is recorded.
async fn ask_for(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let id: BatchId = request.id("batch_id")?;
    let Waiting { item } = request.json()?;
    let tenant = ask.principal.tenant;
    let batch = now(&app, tenant, id).await?;
    let place = usize::try_from(item).unwrap_or(usize::MAX);
    let known = batch.items.get(place).ok_or_else(|| Problem::absent("item"))?;
    let waits = batch.job.state.is_open() && known.stage == Stage::Waiting;
    let came = if waits {
        let principal = Principal::somebody(tenant, batch.requested_by).through(Through::Batch(id));
        let target = &leads(&known.item)?;
        let (facts, occurrence) = (&ask.facts, None);
        let name = format!("{}/{id}/{}/{item}", Batch::TYPE, batch.job.attempts);
        let key = Uuid::new_v5(&KEYS, name.as_bytes());
        let key = (!ask.manner.validate_only).then_some(key);
        let errand = Errand { principal, target, occurrence, facts };
        Some(came(app.run_errand(&errand, key).await?)?)
    } else {
        None
    };
    let record = || {
        let command = came.clone().map(|came| Command::RecordItem { item, came });
        let target = Target::<Batch>::of(id);
        Ok(Target { commands: command.into_iter().collect(), ..target }.guarded(ask.access))
    };
    Ok(app.execute(ask, record).await?.answer())
}

/// A file can be made before it is recorded which item it is of: then the news is told again a little later.
async fn finish_item(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let id: BatchId = request.id("batch_id")?;
    let Finished { export_id, made } = request.json()?;
    let batch = now(&app, ask.principal.tenant, id).await?;
    let is_known = batch.items.iter().any(|known| known.export_id == Some(export_id));
    let waits = batch.items.iter().any(|known| known.stage == Stage::Waiting);
    if !is_known && waits && batch.job.state.is_open() {
        let detail =
            "the item is being asked for, and that is not recorded yet; try again in a moment";
        return Err(Problem::unavailable(detail));
    }
    let target = || {
        let command = Command::FinishItem { export_id, made };
        Ok(Target::<Batch>::new(id, command).guarded(ask.access))
    };
    Ok(app.execute(ask, target).await?.answer())
}

/// The request for the file of an item, as a client would make it.
fn leads(item: &Item) -> Result<Leads, Problem> {
    let args = serde_json::to_value(Ask::of(&item.report)?);
    let args = args.map_err(|error| Problem::internal(&error))?;
    Ok(Leads { command: super::operation(item.format).to_owned(), args })
}

fn came(answer: Carried) -> Result<Came, Problem> {
    Ok(match answer {
        Carried::Done { aggregate_id } => {
            Came::Requested(aggregate_id.parse().map_err(|error| Problem::internal(&error))?)
        }
        Carried::Refused { code, detail } => Came::Refused { code, detail },
    })
}

/// A fetch that was recorded, and the link to the archive.
#[derive(Serialize, JsonSchema)]
struct Download {
    #[serde(flatten)]
    answer: Answer,
    /// The link; none in a dry run, and none for a repeated request when the link of the first has ended.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    link: Option<ArchiveLink>,
}

/// A link to an archive.
#[derive(Serialize, JsonSchema)]
struct ArchiveLink {
    /// Where the archive is, for whoever asked.
    url: String,
    /// When the link ends.
    expires_at: Timestamp,
    /// The name to save it under.
    file_name: String,
    /// How many files are in it.
    files: usize,
}

impl Reply for Download {
    fn answer(&mut self) -> &mut Answer {
        &mut self.answer
    }

    fn may_be_minimal(&self) -> bool {
        self.link.is_none()
    }
}

impl IntoResponse for Download {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        self.answer.respond(body)
    }
}

async fn fetch(app: Arc<App>, given: Arc<Given>) -> Result<Download, Problem> {
    let Given { request, ask } = &*given;
    let id: BatchId = request.id("batch_id")?;
    request.json::<Nothing>()?;
    let by: UserId =
        ask.principal.user().ok_or_else(|| Problem::forbidden("only users fetch files"))?;
    let tenant = ask.principal.tenant;
    let batch = now(&app, tenant, id).await?;
    let (mut guards, mut files) = (Vec::new(), 0);
    for known in batch.items.iter().filter(|known| known.stage == Stage::Made) {
        let Some(export) = known.export_id else { continue };
        let export = app.aggregates.refresh::<Export>(tenant, &export.to_string()).await;
        let export = export.map_err(|error| Problem::internal(&error))?.state;
        if export.downloadable(clock::now()).is_err() {
            continue;
        }
        files += 1;
        let spots = rows_of(&export);
        let dataset = platform::dataset::find(&export.dataset);
        let needed = [Some(ask.access.permission()), Some(dataset.and_then(|it| it.permission))];
        for needed in needed.into_iter().flatten().flatten() {
            guards.extend(spots.iter().map(|spot| (needed, *spot)));
        }
    }
    if files == 0 && batch.job.state == State::Succeeded {
        let detail = "the files of the batch have expired or were deleted; request it again";
        return Err(Problem::conflict("BATCH_FILES_GONE", detail));
    }
    let carried = app.execute(ask, || {
        let target = of_requester(id, Command::RecordDownload { by });
        Ok(Target { guards: guards.clone(), ..target }.within([Spot::Anywhere]).guarded(ask.access))
    });
    let answer = match carried.await? {
        Took::Dry(answer) => return Ok(Download { answer, link: None }),
        Took::Done(answer) | Took::Again(answer) => answer,
    };
    let Some(expires_at) = end(&answer).filter(|end| *end > clock::now()) else {
        return Ok(Download { answer, link: None });
    };
    let link = Link { tenant, user: by, file: FileId(id.0), expires_at };
    let token = sign_link(&app.master, &link);
    let url = format!("{}/api/v1/exports/batch/download/{id}?link={token}", app.settings.query_url);
    let link = ArchiveLink { url, expires_at, file_name: batch.archive_name(), files };
    Ok(Download { answer, link: Some(link) })
}
