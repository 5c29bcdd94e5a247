//! A route with its handler: nothing is mounted without what it declares, and nothing runs before the guard.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Query, RawPathParams, Request};
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, on};
use futures::future::BoxFuture;
use platform::problem::Problem;
use platform::routes::Route;

use crate::app::App;
use crate::call::{Call, admit};

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

    /// Puts the endpoint into the router.
    pub(crate) fn mount(self, router: Router, app: &Arc<App>) -> Router {
        let (app, access, handle) = (Arc::clone(app), self.route.access, self.handle);
        let path = format!("/api/v1{}", self.route.path);
        let service = move |parameters: RawPathParams, request: Request| {
            let (app, handle) = (Arc::clone(&app), Arc::clone(&handle));
            async move {
                let answer = async {
                    let (principal, standing) = admit(&app, request.headers(), access).await?;
                    let call = read(app, &parameters, request, (principal, standing)).await?;
                    handle(call).await
                };
                answer.await.unwrap_or_else(Problem::into_response)
            }
        };
        router.route(&path, on(filter(&self.route.method), service))
    }
}

fn filter(method: &Method) -> MethodFilter {
    if *method == Method::POST { MethodFilter::POST } else { MethodFilter::GET }
}

async fn read(
    app: Arc<App>,
    path: &RawPathParams,
    request: Request,
    (principal, standing): (
        Arc<platform::principal::Principal>,
        Option<platform::access::Standing>,
    ),
) -> Result<Call, Problem> {
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let parameters = Query::<Vec<(String, String)>>::try_from_uri(&uri)
        .map_err(|_| Problem::bad_request("PARAMETER_INVALID", "the query string is not valid"))?;
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let body = if *request.method() == Method::POST {
        Bytes::from_request(request, &()).await.map_err(|_| too_large())?
    } else {
        Bytes::new()
    };
    Ok(Call { app, principal, standing, uri, headers, path, parameters: parameters.0, body })
}

fn too_large() -> Problem {
    Problem::new(
        axum::http::StatusCode::PAYLOAD_TOO_LARGE,
        "BODY_TOO_LARGE",
        "the body is larger than allowed",
    )
}
