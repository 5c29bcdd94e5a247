//! Background work of whatever kind under one address and in one shape.

use axum::http::{HeaderValue, header};
use axum::response::Response;
use events::backups::backup::Backup;
use events::exports::batch::Batch;
use events::exports::export::Export;
use events::job::{State, Work as _};
use events::{Module, Permission};
use jiff::Timestamp;
use platform::access::Places;
use platform::dataset::filter::Filter;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Stamped, stamped};
use crate::ask::Asked;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::item::row;
use crate::list::list;
use crate::poll::Unfinished;
use crate::shape::{WAITING, dataset, listing, page_of};

/// The kinds of work, what somebody needs to see work of a kind at all, be it their own, and where it is a resource.
const KINDS: &[(&str, Permission, &str)] = &[
    (Export::KIND, Permission::ExportsFilesRequest, "exports"),
    (Batch::KIND, Permission::ExportsFilesRequest, "exports/batch"),
    (Backup::KIND, Permission::BackupsArchivesRead, "backups"),
];

/// A piece of background work.
#[derive(Debug, Serialize, JsonSchema)]
struct Job {
    id: String,
    /// `export` or `backup`.
    kind: String,
    /// What is being made, for people.
    label: String,
    state: State,
    /// How many times it was begun.
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    /// What came of it, once it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Outcome>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    /// What went not as it should, and stopped nothing.
    warnings: Vec<String>,
    created_at: String,
    /// Who asked for it.
    actor: Option<String>,
    links: Links,
}

/// How far it is.
#[derive(Debug, Serialize, JsonSchema)]
struct Progress {
    done: i64,
    total: Option<i64>,
    unit: String,
    /// What is being done.
    phase: &'static str,
    /// How much a second, on average from the start to the last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_per_s: Option<f64>,
    /// The seconds that the rest took from the last step on, at the pace until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    eta_s: Option<i64>,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
struct Outcome {
    /// Where it can be looked at.
    resource: String,
}

/// What went wrong.
#[derive(Debug, Serialize, JsonSchema)]
struct Failure {
    code: String,
    detail: Option<String>,
    retryable: bool,
}

/// Where to go from here.
#[derive(Debug, Serialize, JsonSchema)]
struct Links {
    #[serde(rename = "self")]
    this: String,
    /// What is being made.
    resource: String,
    /// Where to send a POST to end it, while that is possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<String>,
    /// Where to send a POST to try it again, while that is possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<String>,
    /// Live events of it.
    events: String,
}

/// A row of the read model.
#[derive(Deserialize)]
struct Row {
    job_id: String,
    kind: String,
    label: String,
    requested_by: Option<String>,
    state: State,
    attempts: u32,
    done: Option<i64>,
    total: Option<i64>,
    unit: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    retryable: Option<bool>,
    started_at: Option<Timestamp>,
    created_at: String,
    changed_at: Timestamp,
}

impl Row {
    /// How far the work is, where it is counted.
    fn progress(&self) -> Option<Progress> {
        let (done, total, unit) = (self.done?, self.total, self.unit.clone()?);
        let phase = match (self.state, done) {
            (State::Queued, _) => "waiting",
            (State::Running, 0) => "reading",
            (State::Running, _) => "writing",
            (State::Cancelling, _) => "stopping",
            (
                State::Absent
                | State::Succeeded
                | State::Failed
                | State::Cancelled
                | State::Expired,
                _,
            ) => "over",
        };
        let open = self.state == State::Running && done > 0;
        let left = total.map(|total| (total - done).max(0)).filter(|_| open);
        // Counted from the last step and not from now, so that the answer is the same until there is another.
        let taken = self.started_at.map(|at| self.changed_at.duration_since(at).as_millis());
        let taken = taken.filter(|taken| open && *taken > 0);
        let eta = left.zip(taken).map(|(left, taken)| i128::from(left) * taken / i128::from(done));
        let eta_s = eta.and_then(|ms| i64::try_from(ms / 1000).ok()).map(|s| s.max(0));
        #[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
        let rate_per_s = taken.map(|taken| (done as f64 * 10_000.0 / taken as f64).round() / 10.0);
        Some(Progress { done, total, unit, phase, rate_per_s, eta_s })
    }

    /// What went not as it should, and stopped nothing.
    fn warnings(&self) -> Vec<String> {
        let again = (self.attempts > 1).then(|| format!("it was begun {} times", self.attempts));
        again.into_iter().collect()
    }
}

/// All of it, and one piece.
pub(crate) fn endpoints() -> [Endpoint; 2] {
    let all = Route::get("/jobs", Module::Exports, "exports_all_jobs")
        .summary("The caller's background work of every kind, or everybody's with the permission");
    let all = Endpoint::new(
        listing(all, "exports.jobs", |g| page_of(g, "exports.jobs")),
        |call| async move { list(&call, dataset("exports.jobs"), seen(&call).await?).await },
    );
    let one = Route::get("/jobs/{id}", Module::Exports, "exports_any_job")
        .summary("How far a piece of background work is")
        .parameters(WAITING)
        .answers::<Stamped<Job>>(200);
    let one = Endpoint::new(one, |call: Call| async move {
        call.only_parameters(&[])?;
        let (asked, item, _) =
            row(&call, dataset("exports.jobs"), call.segment("id"), "job").await?;
        let row: Row = serde_json::from_str(&item).map_err(|error| Problem::internal(&error))?;
        let needed = KINDS.iter().find(|(kind, ..)| *kind == row.kind);
        let (_, needed, _) = needed.ok_or_else(|| Problem::absent("job"))?;
        if call.places_of(*needed).await? == Places::Nowhere {
            return Err(Problem::absent("job"));
        }
        Ok(answer(&call, &asked, row))
    });
    [all, one]
}

/// Work of kinds that the caller may see; nothing where that is every kind.
async fn seen(call: &Call) -> Result<Option<Filter>, Problem> {
    let mut kinds = Vec::new();
    for (kind, needed, _) in KINDS {
        if call.places_of(*needed).await? != Places::Nowhere {
            kinds.push(Filter::equals("kind", *kind));
        }
    }
    match kinds.len() {
        0 => Ok(Some(Filter::equals("kind", ""))), // none is called so
        some if some == KINDS.len() => Ok(None),
        _ => Ok(Some(Filter::Any(kinds))),
    }
}

fn answer(call: &Call, asked: &Asked, row: Row) -> Response {
    let (progress, warnings) = (row.progress(), row.warnings());
    let Row { job_id: id, kind, state, .. } = row;
    let this = format!("/api/v1/jobs/{id}");
    let place = KINDS.iter().find(|(known, ..)| *known == kind).map_or("jobs", |(.., place)| place);
    let resource = format!("/api/v1/{place}/{id}");
    let retryable = row.retryable.unwrap_or_default();
    let wanted = matches!(state, State::Queued | State::Running);
    let failure = |code| Failure { code, detail: row.error_message, retryable };
    let job = Job {
        progress,
        result: (state == State::Succeeded).then(|| Outcome { resource: resource.clone() }),
        error: row.error_code.filter(|_| state == State::Failed).map(failure),
        warnings,
        created_at: row.created_at,
        actor: row.requested_by,
        links: Links {
            cancel: wanted.then(|| format!("{this}/cancel")),
            retry: (state == State::Failed && retryable).then(|| format!("{this}/retry")),
            events: format!("/api/v1/streams/jobs/{id}"),
            this,
            resource,
        },
        label: row.label,
        attempts: row.attempts,
        state,
        kind,
        id,
    };
    let mut response = stamped(call, asked, job);
    if state.is_open() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        response.extensions_mut().insert(Unfinished);
    }
    response
}
