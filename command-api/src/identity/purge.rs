//! Routes that end an organisation for good: asked for by one person, confirmed by another, and carried out by our workers.

use std::sync::Arc;

use events::identity::organization::{Command, ConfirmPurge, Organization, Purge, RequestPurge};
use events::{Module, Permission, TenantId};
use platform::db::begin_for;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use super::erasure::of_service;
use super::organizations::own;
use crate::answer::{Answer, Carried};
use crate::app::App;
use crate::pipeline::Target;
use crate::registry::{Given, Nothing, Registry};

/// That this organisation is meant, and no other.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    /// The organisation's short name, repeated.
    slug: String,
}

pub(super) fn routes(registry: &mut Registry) {
    let purges = |path, operation, summary| {
        Route::post(path, Module::Identity, operation)
            .summary(summary)
            .needs(Permission::IdentityOrganizationsPurge)
    };
    registry.command::<Confirmation, Organization>(
        purges(
            "/organizations/{organization_id}/purge",
            "identity_organization_request_purge",
            "ask for the organisation to be purged; somebody else has to confirm, and nothing happens before",
        ),
        |call| {
            let slug = call.body.slug.clone();
            Ok(Target::new(own(call)?, Command::RequestPurge(RequestPurge { slug })))
        },
    );
    registry.command::<Confirmation, Organization>(
        purges(
            "/organizations/{organization_id}/purge/confirm",
            "identity_organization_confirm_purge",
            "confirm the purge that somebody else asked for; it happens after a delay",
        ),
        |call| {
            let slug = call.body.slug.clone();
            Ok(Target::new(own(call)?, Command::ConfirmPurge(ConfirmPurge { slug })))
        },
    );
    registry.command::<Nothing, Organization>(
        purges(
            "/organizations/{organization_id}/purge/cancel",
            "identity_organization_cancel_purge",
            "let the organisation be, as long as it is not purged",
        ),
        |call| Ok(Target::new(own(call)?, Command::CancelPurge)),
    );
    registry.command::<Nothing, Organization>(
        purges(
            "/organizations/{organization_id}/purge/run",
            "identity_organization_purge",
            "purge the organisation when its purge is due; our workers do",
        ),
        |call| Ok(Target::new(own(call)?, Command::Purge(Purge { in_ledger: false }))),
    );
    let shreds = purges(
        "/organizations/{organization_id}/shred",
        "identity_organization_shred",
        "delete the keys and secrets of a purged organisation; our workers do",
    )
    .takes::<Nothing>()
    .answers::<Answer>(200);
    registry.handled(shreds, shred);
}

/// An organisation that is not purged in this log is so now: the log may be one of before, restored.
async fn shred(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let instead = "the routes that end with purge and purge/confirm";
    let Given { request, ask } = &*given;
    of_service(&given, instead)?;
    let tenant: TenantId = request.id("organization_id")?;
    if tenant != ask.principal.tenant {
        return Err(Problem::absent("organisation"));
    }
    let purge = || Command::Purge(Purge { in_ledger: true });
    let answer = match app.execute(ask, || Ok(Target::<Organization>::new(tenant, purge()))).await?
    {
        Carried::Dry(answer) => return Ok(answer),
        Carried::Done(answer) | Carried::Again(answer) => answer,
    };
    let mut transaction = begin_for(&app.pool, tenant).await?;
    for statement in [
        "delete from secrets.subject_keys where tenant_id = $1",
        "delete from secrets.secrets where tenant_id = $1",
        "select log.forget($1)",
    ] {
        sqlx::query(statement).bind(tenant.0).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(answer)
}
