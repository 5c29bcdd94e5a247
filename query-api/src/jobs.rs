//! Background work of whatever kind under one address and in one shape.

use axum::http::{HeaderValue, header};
use axum::response::Response;
use events::{Module, Permission};
use jiff::Timestamp;
use platform::access::Places;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Stamped, stamped};
use crate::ask::Asked;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::item::row;
use crate::poll::Unfinished;
use crate::shape::{WAITING, dataset};

/// A piece of background work.
#[derive(Debug, Serialize, JsonSchema)]
struct Job {
    id: String,
    /// `export` or `backup`.
    kind: &'static str,
    /// `queued`, `running`, `succeeded`, `failed`, `cancelling`, `cancelled` or `expired`.
    state: String,
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
    unit: &'static str,
    /// What is being done.
    phase: &'static str,
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
    /// Live events of it.
    events: String,
}

/// What the rows of exports and backups have in common.
#[derive(Deserialize)]
struct Row {
    status: String,
    requested_by: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    created_at: String,
    #[serde(default)]
    retryable: Option<bool>,
    #[serde(default)]
    rows_done: Option<i64>,
    #[serde(default)]
    rows_total: Option<i64>,
    #[serde(default)]
    attempts: i64,
    #[serde(default)]
    started_at: Option<Timestamp>,
    changed_at: Timestamp,
    #[serde(default)]
    verification_errors: Vec<String>,
}

impl Row {
    /// How far the work is, where it counts rows.
    fn progress(&self) -> Option<Progress> {
        let (done, total) = (self.rows_done?, self.rows_total);
        let phase = match (&*self.status, done) {
            ("queued", _) => "waiting",
            ("running", 0) => "reading",
            ("running", _) => "writing",
            _ => "over",
        };
        let open = self.status == "running" && done > 0;
        let left = total.map(|total| (total - done).max(0)).filter(|_| open);
        // Counted from the last step and not from now, so that the answer is the same until there is another.
        let taken = self.started_at.map(|at| self.changed_at.duration_since(at).as_millis());
        let eta = left.zip(taken).map(|(left, taken)| i128::from(left) * taken / i128::from(done));
        let eta_s = eta.and_then(|ms| i64::try_from(ms / 1000).ok()).map(|s| s.max(0));
        Some(Progress { done, total, unit: "rows", phase, eta_s })
    }

    /// What went not as it should, and stopped nothing.
    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.verification_errors);
        if self.attempts > 1 {
            warnings.push(format!("it was begun {} times", self.attempts));
        }
        warnings
    }
}

/// One piece of work.
pub(crate) fn job() -> Endpoint {
    let route = Route::get("/jobs/{id}", Module::Exports, "exports_any_job")
        .summary("How far a piece of background work is: an export of one's own, or a backup")
        .parameters(WAITING)
        .answers::<Stamped<Job>>(200);
    Endpoint::new(route, |call: Call| async move {
        call.only_parameters(&[])?;
        let id = call.segment("id");
        let exports = dataset("exports.exports");
        // Each is its requester's, wherever they may ask for one.
        if call.places_of(Permission::ExportsFilesRequest).await? != Places::Nowhere {
            match row(&call, exports, id, "job").await {
                Ok((asked, item, _)) => return answer(&call, &asked, &item, "export"),
                Err(problem) if problem.status == 404 => {}
                Err(problem) => return Err(problem),
            }
        }
        if call.permits(Permission::BackupsArchivesRead) {
            let (asked, item, _) = row(&call, dataset("backups.backups"), id, "job").await?;
            return answer(&call, &asked, &item, "backup");
        }
        Err(Problem::absent("job"))
    })
}

fn answer(call: &Call, asked: &Asked, item: &str, kind: &'static str) -> Result<Response, Problem> {
    let mut row: Row = serde_json::from_str(item).map_err(|error| Problem::internal(&error))?;
    let (progress, warnings) = (row.progress(), row.warnings());
    let id = call.segment("id").to_owned();
    let state = if row.status == "completed" { "succeeded".to_owned() } else { row.status };
    let open = state == "queued" || state == "running";
    let failure = |code| Failure {
        code,
        detail: row.error_message,
        retryable: row.retryable.unwrap_or_default(),
    };
    let job = Job {
        kind,
        progress,
        result: (state == "succeeded")
            .then(|| Outcome { resource: format!("/api/v1/{kind}s/{id}") }),
        error: row.error_code.filter(|_| state != "succeeded").map(failure),
        warnings,
        created_at: row.created_at,
        actor: row.requested_by,
        links: Links {
            this: format!("/api/v1/jobs/{id}"),
            resource: format!("/api/v1/{kind}s/{id}"),
            cancel: (open && kind == "export").then(|| format!("/api/v1/jobs/{id}/cancel")),
            events: format!("/api/v1/streams/jobs/{id}"),
        },
        state,
        id,
    };
    let mut response = stamped(call, asked, job);
    if open {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        response.extensions_mut().insert(Unfinished);
    }
    Ok(response)
}
