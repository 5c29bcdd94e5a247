//! Routes that forget people for good: asked for by whoever may, and carried out by our workers once it is in the log.

use std::sync::Arc;

use events::identity::invitation::{self, Invitation};
use events::identity::user::{self, Erase, User};
use events::{ActorKind, InvitationId, Module, Permission, TenantId, UserId};
use platform::db::begin_for;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::{Answer, Carried};
use crate::app::App;
use crate::pipeline::Target;
use crate::registry::{Given, Nothing, Registry};

/// Where people ask for what our workers then do.
const ERASE: &str = "the route that ends with erase";

/// That somebody is to be erased, and nobody else.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    /// The handle of the user, repeated.
    handle: String,
}

pub(super) fn routes(registry: &mut Registry) {
    let erases = |path, operation, summary| {
        Route::post(path, Module::Identity, operation)
            .summary(summary)
            .needs(Permission::IdentityUsersErase)
    };
    registry.command::<Confirmation, User>(
        erases(
            "/users/{user_id}/erase",
            "identity_user_erase",
            "forget a deactivated user for good; repeat their handle",
        ),
        |call| {
            let (user_id, handle) = (call.id("user_id")?, Some(call.body.handle.clone()));
            Ok(Target::new(user_id, user::Command::Erase(Erase { user_id, handle })))
        },
    );
    registry.command::<Nothing, Invitation>(
        erases(
            "/invitations/{invitation_id}/erase",
            "identity_invitation_erase",
            "forget an invitee for good, who is no user",
        ),
        |call| {
            let id: InvitationId = call.id("invitation_id")?;
            Ok(Target::new(id, invitation::Command::Erase))
        },
    );
    let of_user = erases(
        "/users/{user_id}/shred",
        "identity_user_shred",
        "delete the keys of an erased user; our workers do",
    )
    .takes::<Nothing>()
    .answers::<Answer>(200);
    registry.handled(of_user, shred_user);
    let of_invitation = erases(
        "/invitations/{invitation_id}/shred",
        "identity_invitation_shred",
        "delete the key of an erased invitation; our workers do",
    )
    .takes::<Nothing>()
    .answers::<Answer>(200);
    registry.handled(of_invitation, shred_invitation);
}

/// Who is not erased in this log is so now: the log may be one of before, restored.
async fn shred_user(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    of_service(&given, ERASE)?;
    let user_id: UserId = request.id("user_id")?;
    let erase = Erase { user_id, handle: None };
    let target = || Target::<User>::new(user_id, user::Command::Erase(erase.clone()));
    let answer = match app.execute(ask, || Ok(target())).await? {
        Carried::Dry(answer) => return Ok(answer),
        Carried::Done(answer) | Carried::Again(answer) => answer,
    };
    let tenant = ask.principal.tenant;
    app.forget_passwords(tenant, user_id).await?;
    app.personal.shred(&app.pool, (tenant, user_id.0)).await?;
    Ok(answer)
}

async fn shred_invitation(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    of_service(&given, ERASE)?;
    let id: InvitationId = request.id("invitation_id")?;
    let erase = || Ok(Target::<Invitation>::new(id, invitation::Command::Erase));
    let answer = match app.execute(ask, erase).await? {
        Carried::Dry(answer) => return Ok(answer),
        Carried::Done(answer) | Carried::Again(answer) => answer,
    };
    app.personal.shred(&app.pool, (ask.principal.tenant, id.0)).await?;
    Ok(answer)
}

/// One of our own services asks; anybody else is told what to ask for `instead`.
pub(super) fn of_service(given: &Given, instead: &str) -> Result<(), Problem> {
    let Nothing {} = given.request.json()?;
    if given.ask.principal.actor.kind == ActorKind::Service {
        return Ok(());
    }
    Err(Problem::forbidden(format!("keys are deleted by our workers; use {instead}")))
}

impl App {
    /// Deletes every password that a user ever had.
    async fn forget_passwords(&self, tenant: TenantId, user: UserId) -> Result<(), Problem> {
        let mut transaction = begin_for(&self.pool, tenant).await?;
        sqlx::query(
            "delete from secrets.secrets where tenant_id = $1 and secret_id in (
               select (payload::json ->> 'secret_id')::uuid from log.stream($1, $2, $3, 0)
                where payload::json ->> 'type' = 'identity.user.password_replaced')",
        )
        .bind(tenant.0)
        .bind(<User as events::Decider>::TYPE)
        .bind(user.to_string())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}
