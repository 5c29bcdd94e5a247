//! Many commands in one request: each for itself, or those for the same record together or not at all.

use std::any::{Any, TypeId};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH};
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use events::settings::Flag;
use events::{Decider, Module};
use platform::prefer::Prefer;
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

use crate::answer::{Answer, Carried};
use crate::app::App;
use crate::facts::LoadFacts;
use crate::pipeline::{Ask, Target};
use crate::registry::{DRY, Incoming, PREFIX, Registry, header};

const OPERATION: &str = "audit_commands_batch";
/// Each is an append of its own; so many still answer within a second.
const MOST: usize = 100;
/// What a refusal may take; ours are far smaller.
const PROBLEM_BYTES: usize = 1 << 20;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const CONSISTENCY_TOKEN: HeaderName = HeaderName::from_static("consistency-token");

const PARAMETERS: &[Parameter] = &[
    DRY,
    header(
        "Idempotency-Key",
        "gives every command that brings no key one of its own: this key, `/` and its number from 0",
    ),
    header("Prefer", "`wait=3` until read models show the last of them"),
    header("Wait-For", "the read models to wait for, separated by commas; all unless told"),
];

/// Commands to carry out one after the other.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Batch {
    /// The commands, 1 to 100.
    commands: Vec<Item>,
    /// `false`: each for itself, whatever becomes of the others. `"per_aggregate"`: those for the same record are one change,
    /// which happens whole or not at all.
    #[serde(default)]
    atomic: Atomic,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "atomic is false or \"per_aggregate\"")]
enum Atomic {
    Whether(bool),
    PerAggregate(PerAggregate),
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PerAggregate {
    PerAggregate,
}

impl Default for Atomic {
    fn default() -> Self {
        Self::Whether(false)
    }
}

/// One command, as it would be sent alone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    /// The HTTP method.
    method: String,
    /// The path below `/api/v1`, without parameters, such as `/users`.
    path: String,
    /// The body.
    #[serde(default)]
    body: Option<Value>,
    /// The key under which it has one effect, however often it is sent.
    #[serde(default)]
    idempotency_key: Option<String>,
    /// The version of the record that it was decided on.
    #[serde(default)]
    if_match: Option<i64>,
}

/// What became of the commands, in their order.
#[derive(Debug, Serialize, JsonSchema)]
struct Outcomes {
    items: Vec<Outcome>,
    /// The read models that show all of it, when the request waited for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    visible_in: Option<Vec<String>>,
    /// The read models waited for in vain; they will show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_in: Option<Vec<String>>,
}

/// What one command would have been answered alone.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Outcome {
    /// The HTTP status.
    status: u16,
    /// Where the result can be queried.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    /// The answer, or the problem.
    body: Value,
}

/// Adds the route, which dispatches to the routes of single commands.
pub(crate) fn route(registry: &mut Registry) {
    let route = Route::post("/commands/batch", Module::Audit, OPERATION)
        .summary(
            "carry out up to 100 commands of whatever routes, each answered as if sent alone; \
             a feature, command_batches",
        )
        .takes::<Batch>()
        .parameters(PARAMETERS)
        .answers::<Outcomes>(200);
    let commands = registry.commands();
    registry.special(route, move |State(app): State<Arc<App>>, request: Incoming| async move {
        let commands = commands.with_state(Arc::clone(&app));
        carry_out(&app, &commands, &request).await
    });
}

async fn carry_out(app: &App, commands: &Router, request: &Incoming) -> Result<Response, Problem> {
    let caller = app.authenticate(&request.headers, &request.facts).await?;
    app.check_feature(&caller, Flag::CommandBatches).await?;
    let batch: Batch = request.json()?;
    if !(1..=MOST).contains(&batch.commands.len()) {
        let detail = format!("commands holds {}; send 1 to {MOST}", batch.commands.len());
        return Err(Problem::invalid("/commands", "BODY_INVALID", detail));
    }
    let together = match batch.atomic {
        Atomic::Whether(false) => false,
        Atomic::PerAggregate(PerAggregate::PerAggregate) => true,
        Atomic::Whether(true) => {
            let detail = "what is about several records is never one change; use \"per_aggregate\"";
            return Err(Problem::invalid("/atomic", "BODY_INVALID", detail));
        }
    };
    let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.commands.len()];
    let mut groups: Vec<(Vec<usize>, Box<dyn Part>)> = Vec::new();
    for (index, item) in batch.commands.into_iter().enumerate() {
        match gather(commands, request, index, item).await {
            Ok(mut part) => {
                let of = if together { part.aggregate() } else { None };
                let same = of.and_then(|of| {
                    groups.iter_mut().find(|(_, part)| part.aggregate().is_some_and(|a| a == of))
                });
                match same {
                    Some((indices, whole)) => {
                        whole.join(part.as_mut());
                        indices.push(index);
                    }
                    None => groups.push((vec![index], part)),
                }
            }
            Err(refused) => outcomes[index] = Some(refused),
        }
    }
    finish(app, request, groups, outcomes).await
}

/// Carries the groups out, and answers for all.
async fn finish(
    app: &App,
    request: &Incoming,
    groups: Vec<(Vec<usize>, Box<dyn Part>)>,
    mut outcomes: Vec<Option<Outcome>>,
) -> Result<Response, Problem> {
    let mut last: Option<Answer> = None;
    for (indices, part) in groups {
        let outcome = match part.run(app).await {
            Ok(answer) => {
                let outcome = Outcome::of(&answer);
                last = Some(answer).filter(|answer| answer.position.is_some()).or(last);
                outcome
            }
            Err(problem) if indices.len() > 1 => problem.with("commands", indices.clone()).into(),
            Err(problem) => problem.into(),
        };
        for index in indices {
            outcomes[index] = Some(outcome.clone());
        }
    }
    let items = outcomes.into_iter().flatten().collect();
    let mut all = Outcomes { items, visible_in: None, pending_in: None };
    let Some(mut last) = last else { return Ok(axum::Json(all).into_response()) };
    app.wait_until_visible(request, Prefer::read(&request.headers), &mut last).await;
    (all.visible_in, all.pending_in) = (last.visible_in, last.pending_in);
    let mut response = axum::Json(all).into_response();
    let token = last.header.consistency.unwrap_or_default();
    if let Ok(token) = HeaderValue::from_str(&token) {
        response.headers_mut().insert(CONSISTENCY_TOKEN, token);
    }
    Ok(response)
}

/// Sends one command to its route, which hands it back admitted and read instead of carrying it out.
async fn gather(
    commands: &Router,
    request: &Incoming,
    index: usize,
    item: Item,
) -> Result<Box<dyn Part>, Outcome> {
    let gathered = Gathered::default();
    let single = single(request, index, item, &gathered)?;
    let response = commands.clone().oneshot(single).await.unwrap_or_else(|never| match never {});
    match gathered.take() {
        Some(part) => Ok(part),
        None => Err(Outcome::refused(response).await),
    }
}

/// One command as the request that it would be alone.
fn single(
    request: &Incoming,
    index: usize,
    item: Item,
    gathered: &Gathered,
) -> Result<Request<Body>, Problem> {
    let pointer = format!("/commands/{index}");
    let path = item.path.as_str();
    if !path.starts_with('/') || path.contains(['?', '#']) {
        let detail = "path starts with / and has no parameters, such as /users";
        return Err(Problem::invalid(&format!("{pointer}/path"), "BODY_INVALID", detail));
    }
    let wrong = |member: &str, error: &dyn std::fmt::Display| {
        let detail = format!("{member} cannot be sent: {error}");
        Problem::invalid(&format!("{pointer}/{member}"), "BODY_INVALID", detail)
    };
    let method: Method = item.method.parse().map_err(|error| wrong("method", &error))?;
    let query = if request.is_dry()? { "?validate_only=true" } else { "" };
    let body = item.body.unwrap_or_else(|| json!({})).to_string();
    let mut single = Request::builder()
        .method(method)
        .uri(format!("{PREFIX}{path}{query}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .map_err(|error| wrong("path", &error))?;
    let headers = single.headers_mut();
    if let Some(token) = request.headers.get(AUTHORIZATION) {
        headers.insert(AUTHORIZATION, token.clone());
    }
    let of_batch = request.headers.get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok());
    let numbered = || of_batch.map(|key| format!("{}/{index}", key.trim_matches('"')));
    if let Some(key) = item.idempotency_key.or_else(numbered) {
        let key = HeaderValue::from_str(&key).map_err(|error| wrong("idempotency_key", &error))?;
        headers.insert(IDEMPOTENCY_KEY, key);
    }
    if let Some(version) = item.if_match {
        let tag = HeaderValue::from_str(&format!("\"{version}\""));
        headers.insert(IF_MATCH, tag.map_err(|error| wrong("if_match", &error))?);
    }
    single.extensions_mut().insert(request.facts.clone());
    single.extensions_mut().insert(gathered.clone());
    Ok(single)
}

impl Outcome {
    fn of(answer: &Answer) -> Self {
        Self {
            status: answer.header.status,
            location: answer.header.location.clone(),
            body: serde_json::to_value(answer).unwrap_or_default(),
        }
    }

    async fn refused(response: Response) -> Self {
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), PROBLEM_BYTES).await.unwrap_or_default();
        Self { status, location: None, body: serde_json::from_slice(&body).unwrap_or_default() }
    }
}

impl From<Problem> for Outcome {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_value(&problem).unwrap_or_default();
        Self { status: problem.status, location: None, body }
    }
}

/// Where a route leaves a command that is part of a batch.
#[derive(Clone, Default)]
pub(crate) struct Gathered(Arc<Mutex<Option<Box<dyn Part>>>>);

impl Gathered {
    /// Leaves a command.
    pub(crate) fn put<D>(&self, ask: Ask, build: Build<D>) -> Response
    where
        D: Decider,
        D::Command: Sync,
        D::Facts: LoadFacts<D>,
    {
        let part: Box<dyn Part> = Box::new(Pending { ask, builds: vec![build] });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(part);
        StatusCode::NO_CONTENT.into_response()
    }

    fn take(&self) -> Option<Box<dyn Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Makes what is to be done, each time that it is tried.
pub(crate) type Build<D> = Box<dyn Fn() -> Result<Target<D>, Problem> + Send + Sync>;

/// A change of one record, whatever its type.
trait Part: Send {
    /// Which record.
    fn aggregate(&self) -> Option<(TypeId, String)>;
    /// Takes in another change of the same record.
    fn join(&mut self, other: &mut dyn Part);
    fn as_any(&mut self) -> &mut dyn Any;
    fn run(self: Box<Self>, app: &App) -> Running<'_>;
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send + 'a>>;

/// Commands for one record, admitted and read.
struct Pending<D: Decider> {
    ask: Ask,
    builds: Vec<Build<D>>,
}

impl<D> Part for Pending<D>
where
    D: Decider,
    D::Command: Sync,
    D::Facts: LoadFacts<D>,
{
    fn aggregate(&self) -> Option<(TypeId, String)> {
        let target = self.builds.first()?().ok()?;
        Some((TypeId::of::<D>(), target.id))
    }

    fn join(&mut self, other: &mut dyn Part) {
        let Some(other) = other.as_any().downcast_mut::<Self>() else { return };
        self.builds.append(&mut other.builds);
        if self.ask.operation != other.ask.operation {
            self.ask.operation = OPERATION;
        }
        let Ask { manner, .. } = &mut self.ask;
        manner.if_match = manner.if_match.or(other.ask.manner.if_match);
        // The key of the first is that of all; it is the same request again only if all of them are.
        if let (Some((_, whole)), Some((_, part))) = (&mut manner.key, &other.ask.manner.key) {
            *whole = Sha256::new().chain_update(*whole).chain_update(part).finalize().into();
        }
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn run(self: Box<Self>, app: &App) -> Running<'_> {
        Box::pin(async move {
            let whole = || Target::together(self.builds.iter().map(|build| build()));
            app.execute(&self.ask, whole).await.map(Carried::answer)
        })
    }
}
