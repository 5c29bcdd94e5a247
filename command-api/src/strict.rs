//! The parameters of a command's address, read before anything else, so that a misspelt one is not silently without effect.

use std::future::{Ready, ready};
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use futures::future::Either;
use platform::parameters;
use platform::problem::Problem;

use crate::app::App;
use crate::keys::VALIDATE_ONLY;

/// A handler that hears only of requests whose parameters are known to its route. It is a handler itself because a layer would
/// copy and box it for every request.
#[derive(Clone)]
pub(crate) struct Strict<H> {
    pub(crate) handler: H,
    pub(crate) known: Arc<[&'static str]>,
}

impl<H> Strict<H> {
    fn check(&self, uri: &Uri) -> Result<(), Problem> {
        let all = parameters::read(uri)?;
        parameters::only(&all, &self.known)?;
        parameters::flag(&all, VALIDATE_ONLY).map(drop)
    }
}

impl<H, T> Handler<T, Arc<App>> for Strict<H>
where
    H: Handler<T, Arc<App>>,
{
    type Future = Either<Ready<Response>, H::Future>;

    fn call(self, request: Request, app: Arc<App>) -> Self::Future {
        match self.check(request.uri()) {
            Ok(()) => Either::Right(self.handler.call(request, app)),
            Err(problem) => Either::Left(ready(problem.into_response())),
        }
    }
}
