//! Routes of identity: organisations, users, invitations, and signing in.

mod api_keys;
mod auth;
mod emails;
mod erasure;
mod exchange;
mod identities;
mod invitations;
mod issuers;
mod joining;
mod organizations;
mod passwords;
mod presence;
mod purge;
mod sessions;
mod users;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use crate::app::App;
use crate::registry::Registry;

pub(crate) use auth::as_system;
pub(crate) use invitations::next_digest;
pub(crate) use joining::default_access;
pub(crate) use presence::opened;
pub(crate) use users::{default_locale, default_time_zone};

pub(crate) fn routes(registry: &mut Registry) {
    auth::routes(registry);
    organizations::routes(registry);
    users::routes(registry);
    sessions::routes(registry);
    api_keys::routes(registry);
    passwords::routes(registry);
    emails::routes(registry);
    invitations::routes(registry);
    erasure::routes(registry);
    issuers::routes(registry);
    exchange::routes(registry);
    identities::routes(registry);
    purge::routes(registry);
}

/// The public keys, where RFC 8615 has clients look for them.
pub(crate) fn well_known() -> Router<Arc<App>> {
    Router::new().route(
        "/.well-known/jwks.json",
        get(|State(app): State<Arc<App>>| async move { Json(app.tokens.jwks()) }),
    )
}
