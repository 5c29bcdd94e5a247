//! A route with its handler: nothing is mounted without what it declares, and nothing runs before the guard.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawPathParams, Request};
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use futures::future::BoxFuture;
use platform::http::RequestFacts;
use platform::prefer::Prefer;
use platform::principal::Principal;
use platform::problem::Problem;
use platform::routes::Route;

use crate::app::App;
use crate::call::{Admitted, Call, UNIT, admit, verify};
use crate::poll;
use crate::telling::By;

/// The parameter that names the position at which an answer must stand.
pub(crate) const EXACT: &str = "exact";

pub(crate) type Handle =
    Arc<dyn Fn(Call) -> BoxFuture<'static, Result<Response, Problem>> + Send + Sync>;

/// A route with its handler.
pub(crate) struct Endpoint {
    pub(crate) route: Route,
    pub(crate) handle: Handle,
}

impl Endpoint {
    /// Answers `route` with `handle`.
    pub(crate) fn new<F, R>(route: Route, handle: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Response, Problem>> + Send + 'static,
    {
        Self { route, handle: Arc::new(move |call| Box::pin(handle(call))) }
    }

    /// The endpoint at each of its addresses.
    pub(crate) fn addresses(self) -> impl Iterator<Item = Self> {
        let handle = self.handle;
        let routes = self.route.addresses().into_iter();
        routes.map(move |route| Self { route, handle: Arc::clone(&handle) })
    }

    /// Puts the endpoint into the router.
    pub(crate) fn mount(self, router: Router, app: &Arc<App>) -> Router {
        let path = format!("/api/v1{}", self.route.path);
        let filter = filter(&self.route.method);
        let shared = Arc::new((self, Arc::clone(app)));
        let service = move |parameters: RawPathParams, request: Request| {
            let shared = Arc::clone(&shared);
            async move {
                let (endpoint, app) = &*shared;
                let answer = endpoint.answer(app, &parameters, request).await;
                let mut response = answer.unwrap_or_else(Problem::into_response);
                if let Some(deprecated) = endpoint.route.deprecated {
                    deprecated.mark(endpoint.route.operation, response.headers_mut());
                }
                response
            }
        };
        router.route(&path, on(filter, service))
    }

    async fn answer(
        &self,
        app: &Arc<App>,
        parameters: &RawPathParams,
        request: Request,
    ) -> Result<Response, Problem> {
        let began = Instant::now();
        let facts = request.extensions().get::<Arc<RequestFacts>>().cloned().unwrap_or_default();
        let principal = verify(app, request.headers(), facts.ip).await?;
        let known = (Arc::clone(&principal), Arc::clone(&facts), began);
        match self.answer_to(known, app, parameters, request).await {
            Err(problem) => {
                let by = By { principal: &principal, correlation: facts.correlation_id() };
                Err(app.denied(by, self.route.operation, problem).await)
            }
            answered @ Ok(_) => answered,
        }
    }

    async fn answer_to(
        &self,
        (principal, facts, began): (Arc<Principal>, Arc<RequestFacts>, Instant),
        app: &Arc<App>,
        parameters: &RawPathParams,
        request: Request,
    ) -> Result<Response, Problem> {
        let unit = parameters.iter().find(|(name, _)| *name == UNIT).map(|(_, unit)| unit);
        let admitted = admit(app, &principal, (self.route.access, unit)).await?;
        facts.notes.spent(app.limits.admit(&principal, self.route.quota)?);
        facts.notes.phase("auth", began);
        let caller = Caller { principal, admitted, facts };
        let mut call = read(Arc::clone(app), parameters, request, caller).await?;
        call.exact = self.exact(&mut call)?;
        poll::answer(call, self.route.access, &self.handle).await
    }
}

impl Endpoint {
    /// The position at which the answer must stand, where the route knows such a thing.
    fn exact(&self, call: &mut Call) -> Result<Option<i64>, Problem> {
        if !self.route.parameters.iter().any(|parameter| parameter.name == EXACT) {
            return Ok(None);
        }
        let exact = call.number(EXACT)?;
        call.parameters.retain(|(name, _)| name != EXACT);
        Ok(exact)
    }
}

/// Answers, and says of every answer where in the log it stands, whether or not the handler does. What was read from nothing
/// stands at the head.
pub(crate) async fn placed(call: Call, handle: &Handle) -> Result<Response, Problem> {
    call.seen().take();
    let mut response = handle(call.clone()).await?;
    if response.headers().contains_key("projection-position") {
        return Ok(response);
    }
    let seen = call.seen().as_ref().map(|seen| seen.asked.without_rows());
    let asked = match seen {
        Some(asked) => asked,
        None => call.head().await?,
    };
    let headers = asked.headers(&call, &asked.place.as_of());
    response.headers_mut().extend(headers);
    Ok(response)
}

/// Who asks, and what is known of the request besides its content.
struct Caller {
    principal: Arc<Principal>,
    admitted: Admitted,
    facts: Arc<RequestFacts>,
}

fn filter(method: &Method) -> MethodFilter {
    if *method == Method::POST { MethodFilter::POST } else { MethodFilter::GET }
}

async fn read(
    app: Arc<App>,
    path: &RawPathParams,
    request: Request,
    Caller { principal, admitted, facts }: Caller,
) -> Result<Call, Problem> {
    let Admitted { standing, places, readers } = admitted;
    let prefer = Prefer::read(request.headers());
    let method = request.method().clone();
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let parameters = platform::parameters::read(&uri)?;
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = if *request.method() == Method::POST {
        platform::http::bytes(request, &()).await?
    } else {
        Bytes::new()
    };
    Ok(Call {
        app,
        principal,
        standing,
        places,
        readers,
        facts,
        prefer,
        method,
        uri,
        headers,
        path,
        parameters,
        body,
        exact: None,
        seen: Arc::default(),
    })
}
