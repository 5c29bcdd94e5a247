//! The secrets that programs know us by: made here, shown once, kept sealed, and deleted when they sign nothing any more.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use events::webhooks::endpoint::{Command, Endpoint, OVERLAP_MINUTES, Register, RotateSecret};
use events::{Decider as _, EndpointId, Module, Permission, SecretId, TenantId};
use platform::clock;
use platform::db::begin_for;
use platform::problem::Problem;
use platform::routes::Route;
use platform::secrets::random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Answer, Carried, Reply};
use crate::app::App;
use crate::pipeline::{Ask, Target};
use crate::registry::{Given, Nothing, Registry};

/// What a secret begins with, by which programs that look for secrets know it.
const PREFIX: &str = "whsec_";

/// A program that is to hear of events.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewEndpoint {
    /// Its id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<EndpointId>,
    /// Its https address.
    url: String,
    /// The events it hears of: names, or their beginnings and a star, such as `rbac.*`.
    events: Vec<String>,
    /// What it is for.
    #[serde(default)]
    description: Option<String>,
}

/// Another secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Another {
    /// How long the present secret signs beside the next: a day unless told, at most a week, no longer when 0.
    #[serde(default = "a_day")]
    overlap_minutes: u32,
}

fn a_day() -> u32 {
    OVERLAP_MINUTES
}

/// A command that was taken and made a secret, which is shown to whoever asked for it and nobody else, ever.
#[derive(Debug, Serialize, JsonSchema)]
struct WithSecret {
    #[serde(flatten)]
    answer: Answer,
    /// The secret, `whsec_` and base64; none in a dry run and none when the request is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Reply for WithSecret {
    fn answer(&mut self) -> &mut Answer {
        &mut self.answer
    }

    fn may_be_minimal(&self) -> bool {
        self.secret.is_none()
    }
}

impl IntoResponse for WithSecret {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        self.answer.respond(body)
    }
}

pub(super) fn routes(registry: &mut Registry) {
    let register = Route::post("/webhooks", Module::Webhooks, "webhooks_endpoint_register")
        .summary("have a program elsewhere hear of events from now on; the answer shows its secret, this once")
        .needs(Permission::WebhooksEndpointsManage)
        .takes::<NewEndpoint>()
        .answers::<WithSecret>(201);
    registry.handled(register, begin);
    let path = "/webhooks/{endpoint_id}/rotate-secret";
    let rotate = Route::post(path, Module::Webhooks, "webhooks_endpoint_rotate_secret")
        .summary("give a program another secret, shown this once; the one before signs as well for a while")
        .needs(Permission::WebhooksEndpointsManage)
        .takes::<Another>()
        .answers::<WithSecret>(200);
    registry.handled(rotate, another);
    let delete = Route::delete(super::ENDPOINT, Module::Webhooks, "webhooks_endpoint_delete")
        .summary("tell a program nothing any more, and forget its secret")
        .needs(Permission::WebhooksEndpointsManage)
        .takes::<Nothing>()
        .answers::<Answer>(200);
    registry.handled(delete, end);
}

async fn begin(app: Arc<App>, given: Arc<Given>) -> Result<WithSecret, Problem> {
    let Given { request, ask } = &*given;
    let body: NewEndpoint = request.json()?;
    let id = body.id.unwrap_or_else(clock::new_id);
    let (secret_id, secret) = app.make_secret(ask).await?;
    let NewEndpoint { url, events, description, .. } = body;
    let register = Register { url, events, description, secret_id };
    let carried = app.execute(ask, || {
        let target = Target::<Endpoint>::create(id, Command::Register(register.clone()));
        let target = target.at("/webhooks/{id}");
        Ok(Target { needs: vec![Permission::AuditEventsRead], ..target })
    });
    app.show((ask, id), (secret_id, secret), carried.await).await
}

async fn another(app: Arc<App>, given: Arc<Given>) -> Result<WithSecret, Problem> {
    let Given { request, ask } = &*given;
    let Another { overlap_minutes } = request.json()?;
    let id: EndpointId = request.id("endpoint_id")?;
    let (secret_id, secret) = app.make_secret(ask).await?;
    let rotate = RotateSecret { secret_id, overlap_minutes };
    let carried =
        app.execute(ask, || Ok(Target::<Endpoint>::new(id, Command::RotateSecret(rotate.clone()))));
    app.show((ask, id), (secret_id, secret), carried.await).await
}

async fn end(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let Nothing {} = request.json()?;
    let id: EndpointId = request.id("endpoint_id")?;
    let delete = || Ok(Target::<Endpoint>::new(id, Command::Delete));
    match app.execute(ask, delete).await? {
        Carried::Dry(answer) => Ok(answer),
        Carried::Done(answer) | Carried::Again(answer) => {
            app.forget_secrets((ask.principal.tenant, id), &[]).await?;
            Ok(answer)
        }
    }
}

impl App {
    /// A secret of 256 random bits and the row that it is kept in; a dry run keeps none.
    async fn make_secret(&self, ask: &Ask) -> Result<(SecretId, String), Problem> {
        let bytes: [u8; 32] = random();
        let secret = format!("{PREFIX}{}", STANDARD.encode(bytes));
        let id = if ask.manner.validate_only {
            clock::new_id()
        } else {
            self.keep_secret(ask.principal.tenant, "webhook", &bytes).await?
        };
        Ok((id, secret))
    }

    /// The answer with the secret, which nothing else ever has. Those that sign nothing any more are deleted, and so is one that no
    /// event came to name.
    async fn show(
        &self,
        (ask, id): (&Ask, EndpointId),
        (secret_id, secret): (SecretId, String),
        carried: Result<Carried, Problem>,
    ) -> Result<WithSecret, Problem> {
        let tenant = ask.principal.tenant;
        match carried {
            Ok(Carried::Done(answer)) => {
                let known = self.aggregates.refresh::<Endpoint>(tenant, &id.to_string()).await;
                let known = known.map_err(|error| Problem::internal(&error))?.state;
                let signing: Vec<_> = known.secrets(clock::now()).map(|secret| secret.0).collect();
                self.forget_secrets((tenant, id), &signing).await?;
                Ok(WithSecret { answer, secret: Some(secret) })
            }
            Ok(Carried::Dry(answer)) => Ok(WithSecret { answer, secret: None }),
            Ok(Carried::Again(answer)) => {
                self.forget_secret(tenant, secret_id).await?;
                Ok(WithSecret { answer, secret: None })
            }
            // What was refused has stored nothing; of any other failure that is not known.
            Err(problem) if problem.status < 500 => {
                self.forget_secret(tenant, secret_id).await?;
                Err(problem)
            }
            Err(problem) => Err(problem),
        }
    }

    /// Deletes the secrets that an endpoint ever had, but those that still sign.
    async fn forget_secrets(
        &self,
        (tenant, id): (TenantId, EndpointId),
        signing: &[uuid::Uuid],
    ) -> Result<(), Problem> {
        let mut transaction = begin_for(&self.pool, tenant).await?;
        sqlx::query(
            "delete from secrets.secrets where tenant_id = $1 and secret_id <> all ($4) and secret_id in (
               select (payload::json ->> 'secret_id')::uuid from log.stream($1, $2, $3, 0))",
        )
        .bind(tenant.0)
        .bind(Endpoint::TYPE)
        .bind(id.to_string())
        .bind(signing)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn forget_secret(&self, tenant: TenantId, secret: SecretId) -> Result<(), Problem> {
        let mut transaction = begin_for(&self.pool, tenant).await?;
        sqlx::query("delete from secrets.secrets where tenant_id = $1 and secret_id = $2")
            .bind(tenant.0)
            .bind(secret.0)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }
}
