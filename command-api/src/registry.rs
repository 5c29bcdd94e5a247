//! The routes of this API: each is declared once, and from the declaration come its guard, its handler and its documentation.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::handler::Handler;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use events::{Decider, TenantId};
use futures::FutureExt as _;
use platform::http::{RequestFacts, json_body};
use platform::parameters::{self, Parameters};
use platform::prefer::Prefer;
use platform::principal::Principal;
use platform::problem::Problem;
use platform::routes::{Parameter, Route};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::answer::{Answer, Reply};
use crate::app::App;
use crate::batch::{Build, Gathered};
use crate::errands::{Acting, Check, Errands};
use crate::facts::LoadFacts;
use crate::keys::{Identity, Manner, VALIDATE_ONLY};
use crate::pipeline::{Ask, Target};
use crate::strict::Strict;

pub(crate) const PREFIX: &str = "/api/v1";
const AUTH: &str = "/api/v1/auth/";

/// Asks for what would happen.
pub(crate) const DRY: Parameter = Parameter {
    name: VALIDATE_ONLY,
    place: "query",
    description: "`true` for what would happen, with nothing stored",
};
/// What makes a command the same one.
pub(crate) const KEY: Parameter = header(
    "Idempotency-Key",
    "the same key and request have one effect, and the same answer again; a UUIDv7 is a good key",
);
/// The parameters of every command.
pub(crate) const COMMAND: &[Parameter] = &[
    DRY,
    KEY,
    header("If-Match", "the version that you decided on, in quotes; 412 when there is another"),
    header("If-None-Match", "`*` when it must not exist yet"),
    header(
        "Prefer",
        "`wait=3` until read models show it, `return=minimal` without the body, `respond-async` for the address of its job",
    ),
    header("Wait-For", "the read models to wait for, separated by commas; all unless told"),
];

pub(crate) const fn header(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, place: "header", description }
}

/// Routes and their handlers.
#[derive(Default)]
pub(crate) struct Registry {
    routes: Vec<Route>,
    router: Router<Arc<App>>,
    /// The routes that send one command, which can be part of a batch or be kept for later.
    commands: Router<Arc<App>>,
    /// The same routes, by operation.
    named: HashMap<&'static str, Route>,
}

/// One call of a command route, its body read.
pub(crate) struct Call<B> {
    pub(crate) principal: Arc<Principal>,
    pub(crate) body: B,
    /// The stream that the command is about, where the path does not name it and a check has to find it.
    pub(crate) stream: Option<String>,
    path: HashMap<String, String>,
}

impl<B> Call<B> {
    /// The organisation the caller acts in.
    pub(crate) fn tenant(&self) -> TenantId {
        self.principal.tenant
    }

    /// A parameter of the path as an id.
    pub(crate) fn id<T: std::str::FromStr>(&self, name: &str) -> Result<T, Problem> {
        path_id(&self.path, name)
    }

    /// The stream that a check found; what is asked for is absent where it found none.
    pub(crate) fn found<T: std::str::FromStr>(&self, what: &'static str) -> Result<T, Problem> {
        let stream = self.stream.as_deref().and_then(|id| id.parse().ok());
        stream.ok_or_else(|| Problem::absent(what))
    }

    /// A parameter of the path as text, percent-decoded.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path.get(name).cloned().unwrap_or_default()
    }
}

/// A body without members.
#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl Registry {
    /// Adds a route that sends one command to one aggregate.
    pub(crate) fn command<B, D>(
        &mut self,
        route: Route,
        build: fn(&Call<B>) -> Result<Target<D>, Problem>,
    ) where
        B: DeserializeOwned + JsonSchema + Send + Sync + 'static,
        D: Decider,
        D::Command: Sync,
        D::Facts: LoadFacts<D>,
    {
        self.checked(route, |_, _, _| std::future::ready(Ok(())).boxed(), build);
    }

    /// The same, where something has to be found out first: about the body, or which stream the command is about.
    pub(crate) fn checked<B, D>(
        &mut self,
        route: Route,
        check: Check<B>,
        build: fn(&Call<B>) -> Result<Target<D>, Problem>,
    ) where
        B: DeserializeOwned + JsonSchema + Send + Sync + 'static,
        D: Decider,
        D::Command: Sync,
        D::Facts: LoadFacts<D>,
    {
        let status = route.status;
        let route = route.takes::<B>().answers::<Answer>(status).parameters(COMMAND);
        let shared = Arc::new(route.clone());
        let handler = move |State(app): State<Arc<App>>, request: Incoming| async move {
            let answer = run((&app, &shared), &request, check, build).await;
            answer.unwrap_or_else(IntoResponse::into_response)
        };
        for address in route.clone().addresses() {
            let path = format!("{PREFIX}{}", address.path);
            let commands = std::mem::take(&mut self.commands);
            self.commands = commands.route(&path, on(filter(&address), handler.clone()));
            self.named.insert(address.operation, address);
        }
        self.special(route, handler);
    }

    /// Adds a command with a handler of its own, which hears of whoever may give it.
    pub(crate) fn handled<T, F>(
        &mut self,
        route: Route,
        handler: impl Fn(Arc<App>, Arc<Given>) -> F + Clone + Send + Sync + 'static,
    ) where
        T: Reply + 'static,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let route = route.parameters(COMMAND);
        let shared = Arc::new(route.clone());
        self.special(route, move |State(app): State<Arc<App>>, request: Incoming| async move {
            let ask = request.admitted(&app, &shared).await?;
            let given = Arc::new(Given { request, ask });
            let reply = handler(Arc::clone(&app), Arc::clone(&given)).await?;
            Ok::<_, Problem>(answered(&app, &given.request, reply).await)
        });
    }

    /// The same for a command whose body is read as it comes, by its handler, once it is known who sends it.
    pub(crate) fn streamed<T, F>(
        &mut self,
        route: Route,
        handler: impl Fn(Arc<App>, Given, Body) -> F + Clone + Send + Sync + 'static,
    ) where
        T: Reply + 'static,
        F: Future<Output = Result<(T, Incoming), Problem>> + Send + 'static,
    {
        let route = route.parameters(COMMAND);
        let shared = Arc::new(route.clone());
        self.special(
            route,
            move |State(app): State<Arc<App>>, Streamed(request, body)| async move {
                let ask = request.admitted(&app, &shared).await?;
                let (reply, request) =
                    handler(Arc::clone(&app), Given { request, ask }, body).await?;
                Ok::<_, Problem>(answered(&app, &request, reply).await)
            },
        );
    }

    /// The routes that can be part of a batch.
    pub(crate) fn commands(&self) -> Router<Arc<App>> {
        let absent = || async { Problem::absent("command that can be part of a batch") };
        self.commands.clone().fallback(absent).method_not_allowed_fallback(absent)
    }

    /// Adds a route with a handler of its own.
    #[expect(clippy::needless_pass_by_value, reason = "it is given away; only aliases need copies")]
    pub(crate) fn special<H, T>(&mut self, route: Route, handler: H)
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        for address in route.addresses() {
            self.mount(address, handler.clone());
        }
    }

    fn mount<H, T>(&mut self, route: Route, handler: H)
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let path = format!("{PREFIX}{}", route.path);
        let router = std::mem::take(&mut self.router);
        let strict = Strict { handler, known: route.queries().collect() };
        let mut service: MethodRouter<Arc<App>> = on(filter(&route), strict);
        if let Some(deprecated) = route.deprecated {
            let operation = route.operation;
            service = service.layer(map_response(move |mut response: Response| async move {
                deprecated.mark(operation, response.headers_mut());
                response
            }));
        }
        self.router = router.route(&path, service);
        self.routes.push(route);
    }

    /// The OpenAPI document of everything declared.
    pub(crate) fn document(&self) -> serde_json::Value {
        platform::openapi::document("Annals commands", "Commands in, events out.", &self.routes)
    }

    /// Everything declared.
    pub(crate) fn into_routes(self) -> Vec<Route> {
        self.routes
    }

    /// The router over the process's state, with what every API has besides its routes.
    pub(crate) fn router(self, app: &Arc<App>) -> Router {
        let document = self.document();
        app.know(Errands::new(self.commands(), self.named));
        self.router
            .merge(crate::identity::well_known())
            .merge(crate::notifications::page())
            .with_state(Arc::clone(app))
            .merge(platform::http::operational(document, app.pool.clone()))
    }
}

fn filter(route: &Route) -> MethodFilter {
    MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::POST)
}

/// A command with a handler of its own, given by whoever may.
pub(crate) struct Given {
    pub(crate) request: Incoming,
    pub(crate) ask: Ask,
}

/// A request as command routes take it.
pub(crate) struct Incoming {
    pub(crate) headers: HeaderMap,
    pub(crate) facts: Arc<RequestFacts>,
    uri: Uri,
    query: Parameters,
    path: HashMap<String, String>,
    body: Bytes,
    /// Where it is left as part of a batch instead of being carried out.
    gathered: Option<Gathered>,
    /// Who is known to ask, without a token; only our own code can say so.
    acting: Option<Acting>,
}

impl axum::extract::FromRequest<Arc<App>> for Incoming {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<App>) -> Result<Self, Problem> {
        use axum::RequestExt as _;
        let mut request = request;
        let params: RawPathParams = request.extract_parts().await.map_err(|error| {
            Problem::bad_request("PATH_INVALID", format!("the path is not readable: {error}"))
        })?;
        let path = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let facts = request.extensions().get::<Arc<RequestFacts>>().cloned().unwrap_or_default();
        let gathered = request.extensions_mut().remove::<Gathered>();
        let acting = request.extensions_mut().remove::<Acting>();
        let headers = std::mem::take(request.headers_mut());
        let uri = std::mem::take(request.uri_mut());
        // Whoever has no token yet is counted by where they come from; a token that nobody looks at changes nothing.
        let unknown = !headers.contains_key(AUTHORIZATION) && acting.is_none();
        if unknown || uri.path().starts_with(AUTH) {
            facts.notes.spent(state.limits.admit_address(facts.ip)?);
        }
        let query = parameters::read(&uri)?;
        let body = platform::http::bytes(request, state).await?;
        Ok(Self { headers, facts, uri, query, path, body, gathered, acting })
    }
}

/// A request whose body has not been read.
pub(crate) struct Streamed(pub(crate) Incoming, pub(crate) Body);

impl axum::extract::FromRequest<Arc<App>> for Streamed {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<App>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bodiless = Request::from_parts(parts, Body::empty());
        Ok(Self(Incoming::from_request(bodiless, state).await?, body))
    }
}

impl Incoming {
    /// With what stands for a body that was read as it came: what makes the same command of two requests.
    pub(crate) fn standing_for(self, body: Vec<u8>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// The body, read strictly.
    pub(crate) fn json<B: DeserializeOwned>(&self) -> Result<B, Problem> {
        json_body(&self.headers, &self.body)
    }

    /// Who asks, by the access token or the API key, and how.
    pub(crate) async fn ask(&self, app: &App, route: &Route) -> Result<Ask, Problem> {
        let principal = match &self.acting {
            Some(Acting(principal)) => Arc::clone(principal),
            None => app.authenticate(&self.headers, &self.facts).await?,
        };
        let manner = self.manner(app, &principal, route.operation)?;
        Ok(Ask {
            principal,
            operation: route.operation,
            access: route.access,
            status: route.status,
            facts: Arc::clone(&self.facts),
            manner,
            quota: route.quota,
            standing: None,
            person: None,
        })
    }

    /// The same, once the caller is let in and the command is as complete as it has to be.
    pub(crate) async fn admitted(&self, app: &App, route: &Route) -> Result<Ask, Problem> {
        let mut ask = self.ask(app, route).await?;
        app.admit(&mut ask).await?;
        if route.needs_version {
            ask.manner.require_version()?;
        }
        app.check_key(&ask).await?;
        Ok(ask)
    }

    /// The body of a form, as it came; nothing where it is none.
    pub(crate) fn form(&self) -> Option<Cow<'_, str>> {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok())?;
        let is_form = ["application/x-www-form-urlencoded", "multipart/form-data"]
            .iter()
            .any(|form| kind.starts_with(form));
        is_form.then(|| String::from_utf8_lossy(&self.body))
    }

    /// A parameter of the query, where it is said.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the path as an id.
    pub(crate) fn id<T: std::str::FromStr>(&self, name: &str) -> Result<T, Problem> {
        path_id(&self.path, name)
    }

    /// Whether only what would happen is asked for.
    pub(crate) fn is_dry(&self) -> Result<bool, Problem> {
        parameters::flag(&self.query, VALIDATE_ONLY)
    }

    /// How the command is to be taken.
    pub(crate) fn manner(
        &self,
        app: &App,
        principal: &Principal,
        operation: &str,
    ) -> Result<Manner, Problem> {
        let identity = Identity {
            principal,
            operation,
            path: self.uri.path(),
            query: &self.query,
            body: &self.body,
            master: &app.master,
        };
        Manner::read(&self.headers, &identity)
    }
}

async fn run<B, D>(
    (app, route): (&Arc<App>, &Route),
    request: &Incoming,
    check: Check<B>,
    build: fn(&Call<B>) -> Result<Target<D>, Problem>,
) -> Result<Response, Problem>
where
    B: DeserializeOwned + Send + Sync + 'static,
    D: Decider,
    D::Command: Sync,
    D::Facts: LoadFacts<D>,
{
    let began = Instant::now();
    let ask = request.admitted(app, route).await?;
    request.facts.notes.phase("auth", began);
    let principal = Arc::clone(&ask.principal);
    let (body, path) = (request.json()?, request.path.clone());
    let mut call = Call { principal, body, stream: None, path };
    check(app, &ask, &mut call).await?;
    let route_access = ask.access;
    if let Some(gathered) = &request.gathered {
        let build: Build<D> = Box::new(move || Ok(build(&call)?.guarded(route_access)));
        return Ok(gathered.put(ask, build));
    }
    let build = || Ok(build(&call)?.guarded(route_access));
    let answer = app.execute(&ask, build).await?.answer();
    Ok(answered(app, request, answer).await)
}

/// The answer as the request prefers it.
pub(crate) async fn answered(app: &App, request: &Incoming, mut reply: impl Reply) -> Response {
    let prefer = Prefer::read(&request.headers);
    let may_be_minimal = reply.may_be_minimal();
    let answer = reply.answer();
    app.wait_until_visible(request, prefer, answer).await;
    if prefer.respond_async && answer.header.job {
        answer.header.status = 202;
        answer.header.location = Some(format!("{PREFIX}/jobs/{}", answer.aggregate.id));
        request.facts.notes.applied("respond-async");
    }
    if prefer.minimal && may_be_minimal {
        answer.header.minimal = true;
        request.facts.notes.applied("return=minimal");
    }
    reply.into_response()
}

fn path_id<T: std::str::FromStr>(path: &HashMap<String, String>, name: &str) -> Result<T, Problem> {
    let text = path.get(name).map(String::as_str).unwrap_or_default();
    let detail = || format!("{name} in the path is not an id; use a UUID");
    text.parse().map_err(|_| Problem::bad_request("PATH_INVALID", detail()))
}
