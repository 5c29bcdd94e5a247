//! Routes of exports: asking for files, fetching them, and how our workers report on them.

pub(crate) mod downloads;
mod jobs;
mod reports;

use events::exports::export::{Command, Export, Format, Request, Sort};
use events::job::State;
use events::{ExportId, Module, Permission};
use platform::clock;
use platform::dataset::{self, Query};
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
    /// The dataset, as `GET /exports/datasets` lists them.
    pub(crate) dataset: String,
    /// The columns in the order of the file; all that are not sensitive when absent.
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
    /// Language and region of numbers and dates.
    #[serde(default = "default_locale")]
    pub(crate) locale: String,
    /// Time zone of moments.
    #[serde(default = "default_time_zone")]
    pub(crate) time_zone: String,
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
    registry.command::<Ask, Export>(
        ask("/exports/csv", "exports_export_request_csv", "make a CSV file of a dataset"),
        |call| request(&call.principal, &call.body, Format::Csv),
    );
    registry.command::<Ask, Export>(
        ask("/exports/excel", "exports_export_request_xlsx", "make a workbook of a dataset"),
        |call| request(&call.principal, &call.body, Format::Xlsx),
    );
    registry.command::<Ask, Export>(
        ask("/exports/pdf", "exports_export_request_pdf", "make a printable document of a dataset"),
        |call| request(&call.principal, &call.body, Format::Pdf),
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
    downloads::routes(registry);
    jobs::routes(registry);
    reports::routes(registry);
}

/// A command that the export's requester gives, or whoever may see everybody's.
fn owned<B>(call: &Call<B>, command: Command) -> Result<Target<Export>, Problem> {
    let id: ExportId = call.id("export_id")?;
    let owner = Owner { of: requester, others_need: Permission::ExportsFilesReadAll };
    let target = Target::new(id, command).within([Spot::Anywhere]);
    Ok(Target { owners: vec![owner], ..target })
}

fn requester(export: &Export) -> Option<events::UserId> {
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
    let dataset = dataset::find(&body.dataset).ok_or_else(|| {
        let detail = "there is no such dataset; GET /api/v1/exports/datasets lists them";
        Problem::invalid("/dataset", "DATASET_UNKNOWN", detail)
    })?;
    let columns: Vec<String> = if body.columns.is_empty() {
        let all = dataset.columns.iter().filter(|column| !column.sensitive);
        all.map(|column| column.key.to_owned()).collect()
    } else {
        body.columns.clone()
    };
    let query = Query::everything(dataset)?
        .filtered(dataset, body.filter.as_deref().unwrap_or_default(), Some(requested_by))?
        .sorted(dataset, body.sort.as_deref().unwrap_or(dataset.default_sort))?
        .only(dataset, columns.iter().map(String::as_str))?;
    let sort = query
        .sort
        .iter()
        .map(|sort| Sort { column: sort.column.key.to_owned(), descending: sort.descending });
    let id: ExportId = body.id.unwrap_or_else(clock::new_id);
    let command = Command::Request(Request {
        format,
        dataset: body.dataset.clone(),
        columns,
        filter: body.filter.clone(),
        sort: sort.collect(),
        title: body.title.clone(),
        locale: body.locale.clone(),
        time_zone: body.time_zone.clone(),
        requested_by,
    });
    let target = Target::create(id, command).at("/exports/{id}").working();
    // Of rows that belong to units, the file holds those of units in which the requester may.
    let spot = if dataset.is_by_unit() { Spot::Anywhere } else { Spot::Everywhere };
    Ok(target.within([spot]).needing(dataset.permission, &[spot]))
}
