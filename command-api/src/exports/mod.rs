//! Routes of exports: asking for files, fetching them, and how our workers report on them.

mod cleanups;
pub(crate) mod downloads;
mod facts;
mod jobs;
mod keeping;
mod reports;
mod templates;

use std::fmt::Display;

use events::exports::Layout;
use events::exports::export::{Command, Export, Format, Options, Request, Sort, Wishes};
use events::job::State;
use events::{ExportId, Module, Permission, TemplateId, UserId};
use platform::clock;
use platform::dataset::{self, Dataset, Kind, Query};
use platform::limits::Quota;
use platform::principal::Principal;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::guard::Spot;
use crate::identity::{default_locale, default_time_zone};
use crate::pipeline::{Owner, Target};
use crate::registry::{Call, Nothing, Registry};

/// A file to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    /// The export's id, if the client makes it (UUIDv7).
    #[serde(default)]
    pub(crate) id: Option<ExportId>,
    /// The template from which is taken what is not said here. An empty filter or title says that there is none.
    #[serde(default)]
    pub(crate) template_id: Option<TemplateId>,
    /// The dataset, as `GET /exports/datasets` lists them; that of the template when absent.
    #[serde(default)]
    pub(crate) dataset: Option<String>,
    /// The columns in the order of the file; those of the template, or all that are not sensitive, when absent.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
    /// Which rows, in the filter grammar.
    #[serde(default)]
    pub(crate) filter: Option<String>,
    /// The order, for example `-created_at,id`.
    #[serde(default)]
    pub(crate) sort: Option<String>,
    /// What stands above the rows and in the file's name.
    #[serde(default)]
    pub(crate) title: Option<String>,
    /// Language and region of numbers and dates; `en` when neither the request nor its template says.
    #[serde(default)]
    pub(crate) locale: Option<String>,
    /// Time zone of moments; `UTC` when neither the request nor its template says.
    #[serde(default)]
    pub(crate) time_zone: Option<String>,
    /// How pages look, where the file has some; all of it as here, or all of it as in the template.
    #[serde(default)]
    pub(crate) layout: Option<Layout>,
    /// How the file is made, where it shall be otherwise than usual; all of it as here, or all of it as in the template.
    #[serde(default)]
    pub(crate) options: Option<Options>,
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
    registry.checked::<Ask, Export>(
        ask("/exports/csv", "exports_export_request_csv", "make a CSV file of a dataset"),
        templates::complete,
        |call| request(&call.principal, &call.body, Format::Csv),
    );
    registry.checked::<Ask, Export>(
        ask("/exports/excel", "exports_export_request_xlsx", "make a workbook of a dataset"),
        templates::complete,
        |call| request(&call.principal, &call.body, Format::Xlsx),
    );
    registry.checked::<Ask, Export>(
        ask("/exports/pdf", "exports_export_request_pdf", "make a printable document of a dataset"),
        templates::complete,
        |call| request(&call.principal, &call.body, Format::Pdf),
    );
    registry.checked::<Ask, Export>(
        ask(
            "/exports/ndjson",
            "exports_export_request_ndjson",
            "make a file of one JSON object per row",
        ),
        templates::complete,
        |call| request(&call.principal, &call.body, Format::Ndjson),
    );
    registry.checked::<Ask, Export>(
        ask(
            "/exports/parquet",
            "exports_export_request_parquet",
            "make a Parquet file of a dataset",
        ),
        templates::complete,
        |call| request(&call.principal, &call.body, Format::Parquet),
    );
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
    cleanups::routes(registry);
    downloads::routes(registry);
    jobs::routes(registry);
    keeping::routes(registry);
    reports::routes(registry);
    templates::routes(registry);
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
    let id: ExportId = body.id.unwrap_or_else(clock::new_id);
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
        wishes: Wishes {
            template_id: body.template_id,
            layout: body.layout.clone().unwrap_or_default(),
        },
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
