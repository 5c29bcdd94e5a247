//! Signing in and out: passwords for tokens, refresh tokens that are good once, and tokens for our own services.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::identity::organization::{self, Organization};
use events::identity::session::{self, RevocationReason, Session};
use events::identity::user::{self, User};
use events::rbac::resolve::{QUERY_API, WORKERS};
use events::{Actor, ActorKind, Context, Module, SessionId, TenantId, UserId};
use jiff::SignedDuration;
use platform::commands::query_api_secret;
use platform::problem::Problem;
use platform::routes::{Access, Route};
use platform::secrets::{fingerprint, random_token};
use platform::{bearer, clock};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{App, is_secret};
use crate::pipeline::{Ask, Target};
use crate::registry::{Incoming, Nothing, Registry};

const REFRESH_PREFIX: &str = "rt1";

/// Who wants in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "`login` is what the API calls it")]
struct Login {
    /// The organisation's short name.
    organization: String,
    /// The e-mail address or the handle.
    login: String,
    /// The password.
    password: String,
}

/// A refresh token, good once.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// The refresh token of the last answer.
    refresh_token: String,
}

/// One of our own services asks to act in an organisation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ServiceLogin {
    /// The service's name.
    service: String,
    /// The installation's service secret.
    secret: String,
    /// The organisation.
    tenant_id: TenantId,
}

/// Tokens.
#[derive(Serialize, JsonSchema)]
pub(super) struct Tokens {
    /// A JWT for `Authorization: Bearer`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Life of the access token in seconds.
    expires_in: u32,
    /// Exchanges for the next tokens, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// The organisation.
    tenant_id: TenantId,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
}

pub(super) fn routes(registry: &mut Registry) {
    let login = Route::post("/auth/login", Module::Identity, "identity_session_start")
        .summary("sign in with a password")
        .access(Access::Public)
        .takes::<Login>()
        .answers::<Tokens>(200);
    registry.special(login, |State(app): State<Arc<App>>, request: Incoming| async move {
        sign_in(&app, &request).await.map(Json)
    });
    let refresh = Route::post("/auth/refresh", Module::Identity, "identity_session_refresh")
        .summary(
            "exchange a refresh token for the next tokens; presenting one twice ends the session",
        )
        .access(Access::Public)
        .takes::<Refresh>()
        .answers::<Tokens>(200);
    registry.special(refresh, |State(app): State<Arc<App>>, request: Incoming| async move {
        refresh_tokens(&app, &request).await.map(Json)
    });
    let service = Route::post("/auth/service-token", Module::Identity, "identity_service_token")
        .summary("a token for one of our own services, by the installation's service secret")
        .access(Access::Public)
        .takes::<ServiceLogin>()
        .answers::<Tokens>(200);
    registry.special(service, |State(app): State<Arc<App>>, request: Incoming| async move {
        service_token(&app, &request).map(Json)
    });
    registry.command::<Nothing, Session>(
        Route::post("/auth/logout", Module::Identity, "identity_session_end")
            .summary("sign out")
            .in_person(),
        |call| {
            let session =
                call.principal.actor.session_id.ok_or_else(|| Problem::absent("session"))?;
            let reason = RevocationReason::Logout;
            Ok(Target::new(session, session::Command::Revoke(session::Revoke { reason })))
        },
    );
}

fn wrong_credentials() -> Problem {
    let detail = "organization, login or password is not right";
    Problem::new(StatusCode::UNAUTHORIZED, "CREDENTIALS_WRONG", detail)
}

/// Acts for the installation itself, in the name of a user who is not signed in yet.
pub(crate) fn as_system(
    (tenant, user_id): (TenantId, UserId),
    operation: &'static str,
    request: &Incoming,
) -> Ask {
    let actor = Actor {
        kind: ActorKind::System,
        id: "sign-in".into(),
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    let context = Context { tenant, actor, now: clock::now(), scope: None };
    let ask = Ask::installation(&context, request, operation);
    Ask { status: 200, person: Some(user_id.0), ..ask }
}

async fn sign_in(app: &App, request: &Incoming) -> Result<Tokens, Problem> {
    let login: Login = request.json()?;
    app.limits.admit_login(&login.organization, &login.login)?;
    let found = app.find_user(&login.organization, &login.login).await?;
    let Some((tenant, user_id)) = found else {
        // As slow as for a user who exists, so that nobody learns who does.
        app.password_is(TenantId::default(), None, &login.password).await?;
        return Err(wrong_credentials());
    };
    let ask = as_system((tenant, user_id), "identity_session_start", request);
    let user = app
        .aggregates
        .refresh::<User>(tenant, &user_id.to_string())
        .await
        .map_err(|error| Problem::internal(&error))?;
    let to_user = |command: user::Command| Ok(Target::<User>::new(user_id, command));
    if !app.password_is(tenant, user.state.password, &login.password).await? {
        let ip = request.facts.ip;
        let failed = user::Command::RecordLoginFailure(user::RecordLoginFailure { ip });
        let _recorded_or_locked = app.execute(&ask, || to_user(failed.clone())).await;
        return Err(wrong_credentials());
    }
    app.check_at_work(tenant).await?;
    app.execute(&ask, || to_user(user::Command::RecordLogin)).await?.answer();
    let session_id: SessionId = clock::new_id();
    let refresh_token = new_refresh_token(tenant, session_id);
    let start = session::Start {
        user_id,
        refresh_sha256: fingerprint(&refresh_token),
        expires_at: app.session_end(),
        amr: vec!["pwd".into()],
        ip: request.facts.ip,
        user_agent: request.facts.user_agent.clone(),
        exchanged: None,
    };
    app.execute(&ask, || {
        Ok(Target::<Session>::create(session_id, session::Command::Start(start.clone())))
    })
    .await?
    .answer();
    app.issue(tenant, user_id, session_id, refresh_token)
}

async fn refresh_tokens(app: &App, request: &Incoming) -> Result<Tokens, Problem> {
    let body: Refresh = request.json()?;
    let unknown = || Problem::unauthenticated("the refresh token is not valid; sign in again");
    let (tenant, session_id) =
        bearer::named(REFRESH_PREFIX, &body.refresh_token).ok_or_else(unknown)?;
    app.check_at_work(tenant).await?;
    let session = app.session(tenant, session_id).await?;
    let ask = as_system((tenant, session.user_id), "identity_session_refresh", request);
    let next = new_refresh_token(tenant, session_id);
    let command = session::Refresh {
        presented_sha256: fingerprint(&body.refresh_token),
        next_sha256: fingerprint(&next),
        expires_at: app.session_end(),
    };
    let carried = app
        .execute(&ask, || {
            Ok(Target::<Session>::new(session_id, session::Command::Refresh(command.clone())))
        })
        .await
        .map_err(|problem| if problem.status == 404 { unknown() } else { problem })?;
    if !carried.answer().events.iter().any(|event| event.kind == "identity.session.refreshed") {
        let detail = "the refresh token was used before, so the session was ended; sign in again";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "REFRESH_TOKEN_REUSED", detail));
    }
    let user_id = app.session(tenant, session_id).await?.user_id;
    // The account may have been closed since; then the session is of no use, whoever revokes it.
    let to_user = || Ok(Target::<User>::new(user_id, user::Command::RecordLogin));
    app.execute(&ask, to_user).await?.answer();
    app.issue(tenant, user_id, session_id, next)
}

fn service_token(app: &App, request: &Incoming) -> Result<Tokens, Problem> {
    let body: ServiceLogin = request.json()?;
    let right = match body.service.as_str() {
        WORKERS => is_secret(&body.secret, &app.settings.service_secret),
        QUERY_API => is_secret(&body.secret, &query_api_secret(&app.master)),
        _ => false,
    };
    if !right {
        return Err(Problem::unauthenticated("service or secret is not right"));
    }
    let actor = Actor {
        kind: ActorKind::Service,
        id: body.service,
        session_id: None,
        on_behalf_of: None,
        api_key_id: None,
    };
    let expires_in = app.settings.access_token_seconds;
    Ok(Tokens {
        access_token: app.tokens.sign(body.tenant_id, &actor, expires_in)?,
        token_type: "Bearer",
        expires_in,
        refresh_token: None,
        tenant_id: body.tenant_id,
        user_id: None,
        session_id: None,
    })
}

pub(super) fn new_refresh_token(tenant: TenantId, session: SessionId) -> String {
    bearer::name(REFRESH_PREFIX, tenant, session.0, &random_token())
}

impl App {
    /// Refuses to let anybody into an organisation that is suspended.
    pub(crate) async fn check_at_work(&self, tenant: TenantId) -> Result<(), Problem> {
        let id = tenant.to_string();
        let organization = self.aggregates.refresh::<Organization>(tenant, &id).await;
        let organization = organization.map_err(|error| Problem::internal(&error))?;
        platform::access::check_at_work(&organization.state)
    }

    /// The session as last known here; whose it is never changes.
    async fn session(&self, tenant: TenantId, id: SessionId) -> Result<Arc<Session>, Problem> {
        let session = self.aggregates.get::<Session>(tenant, &id.to_string()).await;
        Ok(session.map_err(|error| Problem::internal(&error))?.state)
    }

    pub(super) fn session_end(&self) -> jiff::Timestamp {
        clock::now() + SignedDuration::from_secs(i64::from(self.settings.refresh_token_seconds))
    }

    pub(super) fn issue(
        &self,
        tenant: TenantId,
        user_id: UserId,
        session_id: SessionId,
        refresh_token: String,
    ) -> Result<Tokens, Problem> {
        let actor = Actor {
            kind: ActorKind::User,
            id: user_id.to_string(),
            session_id: Some(session_id),
            on_behalf_of: None,
            api_key_id: None,
        };
        let expires_in = self.settings.access_token_seconds;
        Ok(Tokens {
            access_token: self.tokens.sign(tenant, &actor, expires_in)?,
            token_type: "Bearer",
            expires_in,
            refresh_token: Some(refresh_token),
            tenant_id: tenant,
            user_id: Some(user_id),
            session_id: Some(session_id),
        })
    }

    /// The user of an organisation by e-mail address or handle; by the claims of the log, which are never behind.
    pub(super) async fn find_user(
        &self,
        slug: &str,
        login: &str,
    ) -> Result<Option<(TenantId, UserId)>, Problem> {
        let Some(tenant) = self.organization(slug).await? else { return Ok(None) };
        let login = events::text::fold(login.trim());
        for namespace in [user::EMAIL, user::HANDLE] {
            let holder = self.claimant(tenant, namespace, &login).await?;
            if let Some(user) = holder.and_then(|id| id.parse().ok()) {
                return Ok(Some((tenant, user)));
            }
        }
        Ok(None)
    }

    /// The organisation of this short name.
    pub(super) async fn organization(&self, slug: &str) -> Result<Option<TenantId>, Problem> {
        let slug = events::text::fold(slug.trim());
        let holder = self.claimant(TenantId::default(), organization::SLUG, &slug).await?;
        Ok(holder.and_then(|id| id.parse().ok()))
    }

    /// The stream that holds a claim.
    pub(crate) async fn claimant(
        &self,
        tenant: TenantId,
        namespace: &str,
        key: &str,
    ) -> Result<Option<String>, Problem> {
        let holder = sqlx::query_scalar("select log.claimant($1, $2, $3)")
            .bind(tenant.0)
            .bind(namespace)
            .bind(key)
            .fetch_one(&self.pool)
            .await?;
        Ok(holder)
    }
}
