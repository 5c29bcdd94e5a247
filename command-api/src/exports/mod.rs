//! Routes of exports: asking for files, fetching them, and how our workers report on them.

mod batches;
mod cleanups;
mod deliveries;
pub(crate) mod downloads;
mod facts;
mod jobs;
mod keeping;
mod readers;
mod reports;
mod schedules;
mod templates;

use std::fmt::Display;

use std::sync::Arc;

use events::exports::export::{Command, Delivery, Export, Format, Options, Request, Sort, Wishes};
use events::exports::{Layout, Report};
use events::job::State;
use events::{ExportId, Module, Permission, TemplateId, UserId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::clock;
use platform::dataset::{self, Dataset, Kind, Query};
use platform::limits::Quota;
use platform::principal::{Principal, Through};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::guard::Spot;
use crate::identity::{default_locale, default_time_zone};
use crate::pipeline::{Ask as Asking, Owner, Target};
use crate::registry::{Call, Nothing, Registry};

/// A file to make.
#[derive(Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    /// The export's id, if the client makes it (UUIDv7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<ExportId>,
    /// The template from which is taken what is not said here. An empty filter or title says that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) template_id: Option<TemplateId>,
    /// The dataset, as `GET /exports/datasets` lists them; that of the template when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dataset: Option<String>,
    /// The columns in the order of the file; those of the template, or all that are not sensitive, when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) columns: Vec<String>,
    /// Which rows, in the filter grammar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) filter: Option<String>,
    /// The order, for example `-created_at,id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sort: Option<String>,
    /// What stands above the rows and in the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    /// Language and region of numbers and dates; `en` when neither the request nor its template says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) locale: Option<String>,
    /// Time zone of moments; `UTC` when neither the request nor its template says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_zone: Option<String>,
    /// How pages look, where the file has some; all of it as here, or all of it as in the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) layout: Option<Layout>,
    /// How the file is made, where it shall be otherwise than usual; all of it as here, or all of it as in the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) options: Option<Options>,
    /// Who else is told where the file is once it is made; each of them may see all that is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deliver: Option<Delivery>,
}

impl Ask {
    /// The request for a file that shows what a report does.
    fn of(report: &Report) -> Result<Self, Problem> {
        let sort = templates::written(report)?;
        Ok(Self {
            id: None,
            template_id: None,
            dataset: Some(report.dataset.clone()),
            columns: report.columns.clone(),
            filter: report.filter.clone(),
            sort: (!report.sort.is_empty()).then_some(sort),
            title: report.title.clone(),
            locale: report.locale.clone(),
            time_zone: report.time_zone.clone(),
            layout: Some(report.layout.clone()),
            options: Some(report.options.clone()),
            deliver: None,
        })
    }
}

/// What the operations that ask for a file begin with.
const ASKS: &str = "exports_export_request_";

/// The operation by which a file of a kind is asked for.
fn operation(format: Format) -> &'static str {
    match format {
        Format::Csv => "exports_export_request_csv",
        Format::Xlsx => "exports_export_request_xlsx",
        Format::Pdf => "exports_export_request_pdf",
        Format::Ndjson => "exports_export_request_ndjson",
        Format::Parquet => "exports_export_request_parquet",
    }
}

/// Whether an operation asks for a file.
fn is_request(name: &str) -> bool {
    name.starts_with(ASKS)
}

/// How many files one user may have made: each costs a worker's time and room in the store.
pub(crate) const FILES: Quota = Quota { name: "exports", most: 600, seconds: 3600 };

pub(crate) fn routes(registry: &mut Registry) {
    let ask = |path, operation, summary| {
        Route::post(path, Module::Exports, operation)
            .summary(summary)
            .needs(Permission::ExportsFilesRequest)
            .in_unit()
            .limited(FILES)
            .works()
            .answers::<()>(201)
    };
    let mut request = |path, format, summary| {
        let route = ask(path, operation(format), summary);
        registry.checked::<Ask, Export>(route, prepare, by_format(format));
    };
    request("/exports/csv", Format::Csv, "make a CSV file of a dataset");
    request("/exports/excel", Format::Xlsx, "make a workbook of a dataset");
    request("/exports/pdf", Format::Pdf, "make a printable document of a dataset");
    request("/exports/ndjson", Format::Ndjson, "make a file of one JSON object per row");
    request("/exports/parquet", Format::Parquet, "make a Parquet file of a dataset");
    let own = |path, operation, summary| {
        Route::post(path, Module::Exports, operation)
            .summary(summary)
            .needs(Permission::ExportsFilesRequest)
            .in_unit()
    };
    registry.command::<Nothing, Export>(
        own(
            "/exports/{export_id}/cancel",
            "exports_export_cancel",
            "stop an export; its file is never served",
        ),
        |call| owned(call, Command::Cancel),
    );
    registry.command::<Nothing, Export>(
        own("/exports/{export_id}/retry", "exports_export_retry", "try a failed export again"),
        |call| owned(call, Command::Retry),
    );
    batches::routes(registry);
    cleanups::routes(registry);
    deliveries::routes(registry);
    downloads::routes(registry);
    jobs::routes(registry);
    keeping::routes(registry);
    reports::routes(registry);
    schedules::routes(registry);
    templates::routes(registry);
}

/// How the request for a kind of file is read.
fn by_format(format: Format) -> fn(&Call<Ask>) -> Result<Target<Export>, Problem> {
    match format {
        Format::Csv => |call| request(&call.principal, &call.body, Format::Csv),
        Format::Xlsx => |call| request(&call.principal, &call.body, Format::Xlsx),
        Format::Pdf => |call| request(&call.principal, &call.body, Format::Pdf),
        Format::Ndjson => |call| request(&call.principal, &call.body, Format::Ndjson),
        Format::Parquet => |call| request(&call.principal, &call.body, Format::Parquet),
    }
}

/// Puts together what a request says itself and what its template says, and asks whether it is for those it is for.
fn prepare<'a>(
    app: &'a Arc<App>,
    _: &'a Asking,
    call: &'a mut Call<Ask>,
) -> BoxFuture<'a, Result<(), Problem>> {
    async move {
        templates::fill(app, call.tenant(), &mut call.body).await?;
        known_since(app, call).await?;
        deliveries::check(app, call).await
    }
    .boxed()
}

/// A command that the export's requester gives, or whoever may see everybody's.
fn owned<B>(call: &Call<B>, command: Command) -> Result<Target<Export>, Problem> {
    let id: ExportId = call.id("export_id")?;
    Ok(of_requester(id, command).within([Spot::Anywhere]))
}

/// A command on an export, which is its requester's; others need to see everybody's.
fn of_requester(id: impl Display, command: Command) -> Target<Export> {
    let owner = Owner { of: requester, others_need: Permission::ExportsFilesReadAll };
    Target { owners: vec![owner], ..Target::new(id, command) }
}

fn requester(export: &Export) -> Option<UserId> {
    (export.job.state != State::Absent).then_some(export.requested_by)
}

/// Checks the question against the dataset now, so that the client hears of a wrong column at once and not from a failed job.
pub(crate) fn request(
    principal: &Principal,
    body: &Ask,
    format: Format,
) -> Result<Target<Export>, Problem> {
    let requested_by =
        principal.user().ok_or_else(|| Problem::forbidden("only users own exports"))?;
    let name = body.dataset.as_deref().unwrap_or_default();
    let dataset = known(name)?;
    let columns: Vec<String> = if body.columns.is_empty() {
        let all = dataset.columns.iter().filter(|column| !column.sensitive);
        all.map(|column| column.key.to_owned()).collect()
    } else {
        body.columns.clone()
    };
    let sort = order(dataset, &columns, body, requested_by)?;
    let options = body.options.clone().unwrap_or_default();
    summable(dataset, &options.totals)?;
    if options.changes.is_some() {
        traceable(dataset, &columns)?;
    }
    let id: ExportId = body.id.unwrap_or_else(clock::new_id);
    let batch_id = match principal.through {
        Some(Through::Batch(batch)) => Some(batch),
        Some(Through::Trigger(_)) | None => None,
    };
    let command = Command::Request(Request {
        format,
        dataset: name.to_owned(),
        columns,
        filter: body.filter.clone(),
        sort,
        title: body.title.clone(),
        locale: body.locale.clone().unwrap_or_else(default_locale),
        time_zone: body.time_zone.clone().unwrap_or_else(default_time_zone),
        requested_by,
        wishes: Box::new(Wishes {
            template_id: body.template_id,
            layout: body.layout.clone().unwrap_or_default(),
            deliver: body.deliver.clone(),
            batch_id,
        }),
        options,
    });
    let target = Target::create(id, command).at("/exports/{id}").working();
    // Of rows that belong to units, the file holds those of units in which the requester may.
    let spot = if dataset.is_by_unit() { Spot::Anywhere } else { Spot::Everywhere };
    Ok(target.within([spot]).needing(dataset.permission, &[spot]))
}

/// A dataset by its name.
fn known(name: &str) -> Result<&'static Dataset, Problem> {
    dataset::find(name).ok_or_else(|| {
        let detail = "there is no such dataset; GET /api/v1/exports/datasets lists them";
        Problem::invalid("/dataset", "DATASET_UNKNOWN", detail)
    })
}

/// The order of the rows, if the dataset can answer the question at all.
fn order(
    dataset: &'static Dataset,
    columns: &[String],
    body: &Ask,
    asked_by: UserId,
) -> Result<Vec<Sort>, Problem> {
    let query = Query::everything(dataset)?
        .filtered(dataset, body.filter.as_deref().unwrap_or_default(), Some(asked_by))?
        .sorted(dataset, body.sort.as_deref().unwrap_or(dataset.default_sort))?
        .only(dataset, columns.iter().map(String::as_str))?;
    let sort = query
        .sort
        .iter()
        .map(|sort| Sort { column: sort.column.key.to_owned(), descending: sort.descending });
    Ok(sort.collect())
}

/// What is gone is named by its key.
fn traceable(dataset: &Dataset, columns: &[String]) -> Result<(), Problem> {
    let is_there = |key: &&&str| columns.iter().any(|column| column == **key);
    match dataset.key.iter().find(|key| !is_there(key)) {
        Some(key) => {
            let detail = format!(
                "{key} is part of the key, by which changes are told; take it among the columns"
            );
            Err(Problem::invalid("/columns", "CHANGES_NEED_KEY", detail))
        }
        None => Ok(()),
    }
}

/// Changes are told since a file of the same requester's that is there and was asked for so.
async fn known_since(app: &App, call: &Call<Ask>) -> Result<(), Problem> {
    let wish = call.body.options.as_ref().and_then(|options| options.changes);
    let Some(since) = wish.and_then(|changes| changes.since) else { return Ok(()) };
    let earlier = app.aggregates.refresh::<Export>(call.tenant(), &since.to_string()).await;
    let earlier = earlier.map_err(|error| Problem::internal(&error))?.state;
    let is_own = call.principal.user() == Some(earlier.requested_by);
    let shows_same = earlier.incremental && call.body.dataset.as_ref() == Some(&earlier.dataset);
    if is_own && shows_same && earlier.downloadable(clock::now()).is_ok() {
        return Ok(());
    }
    let detail = "since names no file of yours of the same dataset that is there and was made with changes; name another, or leave it out";
    Err(Problem::invalid("/options/changes/since", "SINCE_UNKNOWN", detail))
}

/// Only numbers have a sum.
fn summable(dataset: &Dataset, totals: &[String]) -> Result<(), Problem> {
    let is_number =
        |key: &String| dataset.column(key).is_none_or(|column| column.kind == Kind::Integer);
    match totals.iter().find(|key| !is_number(key)) {
        Some(key) => {
            let detail = format!("{key} is no column of numbers; leave it out of the totals");
            Err(Problem::invalid("/options/totals", "TOTALS_NOT_NUMBERS", detail))
        }
        None => Ok(()),
    }
}
