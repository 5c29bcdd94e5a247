//! Routes for the issuers whose word an organisation takes for who somebody is.

use events::identity::issuer::{Algorithm, Change, Command, Issuer, Mapping, Suspend, Trust};
use events::{IssuerId, Module, Permission};
use platform::clock;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::pipeline::Target;
use crate::registry::{Call, Nothing, Registry};

/// An issuer to trust.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewIssuer {
    /// The issuer's id here, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<IssuerId>,
    /// What people call it.
    name: String,
    /// Its https address, exactly as in the `iss` of its tokens; it cannot be changed.
    issuer: String,
    /// What we are called there, mostly a client id: one of these must be in the `aud` of a token.
    audiences: Vec<String>,
    /// The only algorithms that it may sign with.
    algorithms: Vec<Algorithm>,
    /// Where its keys are; found by OpenID Connect Discovery when absent.
    #[serde(default)]
    jwks_uri: Option<String>,
    /// How its tokens name users: by a subject that was linked before, or at first by an e-mail address that both sides have
    /// confirmed.
    mapping: Mapping,
    /// The domains of e-mail addresses that it speaks for; all when empty.
    #[serde(default)]
    email_domains: Vec<String>,
    /// Whether somebody unknown with an address in one of those domains becomes a user.
    #[serde(default)]
    joins: bool,
}

const ISSUER: &str = "/issuers/{issuer_id}";

pub(super) fn routes(registry: &mut Registry) {
    let manage = |route: Route| route.needs(Permission::IdentityIssuersManage);
    registry.command::<NewIssuer, Issuer>(
        manage(Route::post("/issuers", Module::Identity, "identity_issuer_trust"))
            .summary("trust an OpenID Connect issuer; for whoever may do everything")
            .answers::<()>(201),
        |call| Ok(trust(call)),
    );
    registry.command::<Change, Issuer>(
        manage(Route::patch(ISSUER, Module::Identity, "identity_issuer_change"))
            .summary("change which tokens of an issuer count; for whoever may do everything"),
        |call| Ok(Target::new(named(call)?, Command::Change(call.body.clone()))),
    );
    registry.command::<Suspend, Issuer>(
        manage(Route::post(
            "/issuers/{issuer_id}/suspend",
            Module::Identity,
            "identity_issuer_suspend",
        ))
        .summary("take no word of an issuer until it is reactivated; ends the sessions it led to"),
        |call| Ok(Target::new(named(call)?, Command::Suspend(call.body.clone()))),
    );
    registry.command::<Nothing, Issuer>(
        manage(Route::post(
            "/issuers/{issuer_id}/reactivate",
            Module::Identity,
            "identity_issuer_reactivate",
        ))
        .summary("trust a suspended issuer again; for whoever may do everything"),
        |call| Ok(Target::new(named(call)?, Command::Reactivate)),
    );
    registry.command::<Nothing, Issuer>(
        manage(Route::delete(ISSUER, Module::Identity, "identity_issuer_distrust"))
            .summary("trust an issuer no more, for good; ends the sessions it led to"),
        |call| Ok(Target::new(named(call)?, Command::Distrust)),
    );
}

fn named<B>(call: &Call<B>) -> Result<IssuerId, Problem> {
    call.id("issuer_id")
}

fn trust(call: &Call<NewIssuer>) -> Target<Issuer> {
    let body = call.body.clone();
    let id = body.id.unwrap_or_else(clock::new_id);
    let trust = Trust {
        name: body.name,
        issuer: body.issuer,
        audiences: body.audiences,
        algorithms: body.algorithms,
        jwks_uri: body.jwks_uri,
        mapping: body.mapping,
        email_domains: body.email_domains,
        joins: body.joins,
    };
    Target::create(id, Command::Trust(trust)).at("/issuers/{id}")
}
