//! Questions about organisations, users, sessions, invitations and issuers.

pub(crate) mod me;
mod past;

use events::Module::Identity;
use platform::dataset::filter::Filter;
use platform::problem::Problem;
use platform::routes::Route;

use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::item::item;
use crate::list::{list, list_own};
use crate::shape::{dataset, listing, page_of, row_of, single};
use crate::travel::with_past;

pub(crate) fn endpoints() -> Vec<Endpoint> {
    lists().into_iter().chain(items()).collect()
}

fn lists() -> Vec<Endpoint> {
    let users = Route::get("/users", Identity, "identity_users").summary("Who there is");
    let units = Route::get("/organizations/{id}/units", Identity, "identity_units")
        .summary("The parts of the organisation");
    let sessions = Route::get("/sessions", Identity, "identity_sessions")
        .summary("Where the caller is signed in");
    let api_keys = Route::get("/api-keys", Identity, "identity_api_keys")
        .summary("The caller's API keys, or everybody's to whom that is permitted");
    let invitations = Route::get("/invitations", Identity, "identity_invitations")
        .summary("Who is invited, and who was");
    let issuers = Route::get("/issuers", Identity, "identity_issuers")
        .summary("Whose word is taken for who somebody is");
    vec![
        me::me(),
        me::permissions(),
        Endpoint::new(
            listing(users, "identity.users", |g| page_of(g, "identity.users")),
            |call| async move { list(&call, dataset("identity.users"), None).await },
        ),
        Endpoint::new(
            listing(units, "identity.units", |g| page_of(g, "identity.units")),
            |call| async move {
                own_organization(&call)?;
                list(&call, dataset("identity.units"), None::<Filter>).await
            },
        ),
        Endpoint::new(
            listing(sessions, "identity.sessions", |g| page_of(g, "identity.sessions")).in_person(),
            |call| async move { list_own(&call, dataset("identity.sessions")).await },
        ),
        Endpoint::new(
            listing(api_keys, "identity.api_keys", |g| page_of(g, "identity.api_keys")).in_person(),
            |call| async move { list(&call, dataset("identity.api_keys"), None).await },
        ),
        Endpoint::new(
            listing(invitations, "identity.invitations", |g| page_of(g, "identity.invitations")),
            |call| async move { list(&call, dataset("identity.invitations"), None).await },
        ),
        Endpoint::new(
            listing(issuers, "identity.issuers", |g| page_of(g, "identity.issuers")),
            |call| async move { list(&call, dataset("identity.issuers"), None).await },
        ),
    ]
}

fn items() -> impl Iterator<Item = Endpoint> {
    let user = Route::get("/users/{id}", Identity, "identity_user").summary("One user");
    let organization = Route::get("/organizations/{id}", Identity, "identity_organization")
        .summary("The organisation");
    let invitation =
        Route::get("/invitations/{id}", Identity, "identity_invitation").summary("One invitation");
    let issuer = Route::get("/issuers/{id}", Identity, "identity_issuer").summary("One issuer");
    let user = Endpoint::new(
        single(user, "identity.users", |g| row_of(g, "identity.users")),
        |call| async move { item(&call, dataset("identity.users"), call.segment("id"), "user").await },
    );
    let organization = Endpoint::new(
        single(organization, "identity.organizations", |g| row_of(g, "identity.organizations")),
        |call| async move {
            let data = dataset("identity.organizations");
            item(&call, data, call.segment("id"), "organisation").await
        },
    );
    let invitation = Endpoint::new(
        single(invitation, "identity.invitations", |g| row_of(g, "identity.invitations")),
        |call| async move {
            let data = dataset("identity.invitations");
            item(&call, data, call.segment("id"), "invitation").await
        },
    );
    let issuer = Endpoint::new(
        single(issuer, "identity.issuers", |g| row_of(g, "identity.issuers")),
        |call| async move {
            item(&call, dataset("identity.issuers"), call.segment("id"), "issuer").await
        },
    );
    let items = with_past(&past::USER, user).into_iter();
    let items = items.chain(with_past(&past::API_KEY, api_key()));
    let items = items.chain(with_past(&past::ORGANIZATION, organization));
    let items = items.chain(with_past(&past::UNIT, unit()));
    let items = items.chain(with_past(&past::SESSION, session()));
    let items = items.chain(with_past(&past::INVITATION, invitation));
    items.chain(with_past(&past::ISSUER, issuer))
}

fn unit() -> Endpoint {
    let route = Route::get("/organizations/{id}/units/{unit_id}", Identity, "identity_unit")
        .summary("One part of the organisation");
    Endpoint::new(
        single(route, "identity.units", |g| row_of(g, "identity.units")),
        |call| async move {
            own_organization(&call)?;
            item(&call, dataset("identity.units"), call.segment("unit_id"), "unit").await
        },
    )
}

fn api_key() -> Endpoint {
    let route = Route::get("/api-keys/{id}", Identity, "identity_api_key").summary("One API key");
    Endpoint::new(
        single(route, "identity.api_keys", |g| row_of(g, "identity.api_keys")).in_person(),
        |call| async move {
            item(&call, dataset("identity.api_keys"), call.segment("id"), "API key").await
        },
    )
}

fn session() -> Endpoint {
    let route = Route::get("/sessions/{id}", Identity, "identity_session")
        .summary("One session; one's own without a permission");
    Endpoint::new(
        single(route, "identity.sessions", |g| row_of(g, "identity.sessions")).in_person(),
        |call| async move {
            item(&call, dataset("identity.sessions"), call.segment("id"), "session").await
        },
    )
}

/// There is no organisation but the caller's own.
fn own_organization(call: &Call) -> Result<(), Problem> {
    if call.segment("id") == call.tenant().to_string() {
        return Ok(());
    }
    Err(Problem::absent("organisation"))
}
