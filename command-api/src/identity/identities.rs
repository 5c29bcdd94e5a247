//! Routes that link what issuers call somebody to a user, and unlink it: one's own, or others' by whoever could take over the account.

use std::sync::Arc;

use events::identity::issuer::{Issuer, SUBJECT_MAX_BYTES};
use events::identity::session;
use events::identity::user::{Command, LinkIdentity, UnlinkIdentity, User};
use events::{IssuerId, Module, Permission, UserId};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use super::exchange::{No, Vouched, not_accepted};
use super::passwords::proven;
use crate::answer::{Answer, Carried};
use crate::app::App;
use crate::pipeline::{Ask, Target};
use crate::registry::{Call, Given, Nothing, Registry};

/// An identity of one's own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Own {
    /// A token of the issuer about oneself.
    token: String,
    /// The password in use here.
    current_password: String,
}

/// An identity of somebody.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Theirs {
    /// The issuer.
    issuer_id: IssuerId,
    /// What the issuer calls them: the `sub` of its tokens about them.
    subject: String,
}

pub(super) fn routes(registry: &mut Registry) {
    let own = Route::post("/auth/identities", Module::Identity, "identity_user_link_own_identity")
        .summary("link what an issuer calls you, by its token about you and your password")
        .in_person()
        .takes::<Own>()
        .answers::<Answer>(200);
    proven(registry, own, |body| &body.current_password, link_own);
    registry.command::<Nothing, User>(
        Route::delete(
            "/auth/identities/{issuer_id}",
            Module::Identity,
            "identity_user_unlink_own_identity",
        )
        .summary("sign in by an issuer no more; ends your other sessions")
        .in_person(),
        |call| {
            let user = call.principal.user();
            unlink(call, user.ok_or_else(|| Problem::forbidden("a service has no identities"))?)
        },
    );
    let path = "/users/{user_id}/identities";
    let link = Route::post(path, Module::Identity, "identity_user_link_identity")
        .summary("link what an issuer calls a user whose account you may take over")
        .needs(Permission::IdentityUsersManage)
        .in_person()
        .takes::<Theirs>()
        .answers::<Answer>(200);
    registry.handled(link, link_theirs);
    let path = "/users/{user_id}/identities/{issuer_id}";
    registry.command::<Nothing, User>(
        Route::delete(path, Module::Identity, "identity_user_unlink_identity")
            .summary("let a user sign in by an issuer no more; ends their sessions")
            .needs(Permission::IdentityUsersManage)
            .in_person(),
        |call| unlink(call, call.id("user_id")?),
    );
}

fn unlink(call: &Call<Nothing>, user_id: UserId) -> Result<Target<User>, Problem> {
    let issuer_id = call.id("issuer_id")?;
    Ok(Target::new(user_id, Command::UnlinkIdentity(UnlinkIdentity { issuer_id })))
}

async fn link_own(
    app: Arc<App>,
    given: Arc<Given>,
    (user_id, body): (UserId, Own),
) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let tenant = ask.principal.tenant;
    let vouched = match app.vouched(tenant, &body.token).await {
        Ok(vouched) => vouched,
        Err(No::Failed(problem)) => return Err(*problem),
        Err(no) => return Err(app.refuse_exchange(tenant, no, request).await),
    };
    // Whoever has found a token that was used shows nothing by it.
    let Vouched { issuer_id, subject_sha256, token_sha256, .. } = vouched;
    if app.claimant(tenant, session::EXCHANGED, &token_sha256).await?.is_some() {
        return Err(not_accepted());
    }
    link(&app, ask, user_id, LinkIdentity { issuer_id, subject_sha256, by_email: None }).await
}

async fn link_theirs(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let Theirs { issuer_id, subject } = request.json()?;
    let tenant = ask.principal.tenant;
    let issuer = app.aggregates.refresh::<Issuer>(tenant, &issuer_id.to_string()).await;
    if !issuer.map_err(|error| Problem::internal(&error))?.state.is_trusted() {
        return Err(Problem::absent("trusted issuer"));
    }
    if !(1..=SUBJECT_MAX_BYTES).contains(&subject.len()) {
        let detail = "subject must be 1 to 255 bytes, as in the `sub` of the issuer's tokens";
        return Err(Problem::invalid("/subject", "SUBJECT_INVALID", detail));
    }
    let subject_sha256 = app.subject_sha256(tenant, issuer_id, &subject);
    let user_id = request.id("user_id")?;
    link(&app, ask, user_id, LinkIdentity { issuer_id, subject_sha256, by_email: None }).await
}

async fn link(
    app: &App,
    ask: &Ask,
    user_id: UserId,
    link: LinkIdentity,
) -> Result<Answer, Problem> {
    let target = || Target::<User>::new(user_id, Command::LinkIdentity(link.clone()));
    app.execute(ask, || Ok(target())).await.map(Carried::answer)
}
