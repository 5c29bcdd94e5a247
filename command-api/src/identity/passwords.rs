//! Passwords: hashed with Argon2id (RFC 9106), sealed, kept in `secrets`; the user's events name the row only.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use axum::extract::State;
use axum::http::StatusCode;
use events::identity::user::{self, Command, RecordLoginFailure, ResetPassword, SetPassword, User};
use events::{Module, Permission, SecretId, TenantId, UserId};
use platform::bearer::{Kind, PASSWORD_RESET};
use platform::clock;
use platform::db::begin_for;
use platform::problem::Problem;
use platform::routes::{Access, Route};
use platform::secrets::{fingerprint, row_of};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::auth;
use crate::answer::{Answer, Carried};
use crate::app::App;
use crate::pipeline::{Ask, Target};
use crate::refusal::refused;
use crate::registry::{COMMAND, Given, Incoming, Registry, answered};
use crate::told::Told;

const FORGOT: &str = "identity_user_request_password_reset";
const RESET: &str = "identity_user_reset_password";
const MIN_CHARS: usize = 12;
const MAX_BYTES: usize = 1024;

/// A new password for oneself.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeOwn {
    /// The password in use.
    current_password: String,
    /// The next one: 12 characters or more.
    new_password: String,
}

/// Whose password was forgotten.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    /// The organisation's short name.
    organization: String,
    /// The e-mail address or the handle.
    login: String,
}

/// What is answered whether or not there is such a user.
#[derive(Serialize, JsonSchema)]
pub(super) struct Mailed {
    /// What happens now.
    detail: &'static str,
}

/// A new password, by a token from an e-mail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// The token.
    token: String,
    /// The password: 12 characters or more.
    new_password: String,
}

/// A new password for somebody.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetFor {
    /// The password: 12 characters or more.
    password: String,
}

pub(super) fn routes(registry: &mut Registry) {
    let own = Route::post("/auth/password", Module::Identity, "identity_user_change_own_password")
        .summary("change your own password; the present one is asked for")
        .in_person()
        .takes::<ChangeOwn>()
        .answers::<Answer>(200);
    proven(registry, own, |body| &body.current_password, change_own);
    let set =
        Route::put("/users/{user_id}/password", Module::Identity, "identity_user_set_password")
            .summary("give a user a password")
            .needs(Permission::IdentityUsersManage)
            .in_person()
            .takes::<SetFor>()
            .answers::<Answer>(200);
    registry.handled(set, set_for);
    let forgot = Route::post("/auth/password/forgot", Module::Identity, FORGOT)
        .summary("have a link to set another password sent by e-mail")
        .access(Access::Public)
        .takes::<Forgotten>()
        .answers::<Mailed>(202);
    registry.special(forgot, |State(app): State<Arc<App>>, request: Incoming| async move {
        forget(app, request).map(|mailed| (StatusCode::ACCEPTED, axum::Json(mailed)))
    });
    let reset = Route::post("/auth/password/reset", Module::Identity, RESET)
        .summary("set a password by the token of an e-mail; ends all sessions")
        .access(Access::Public)
        .takes::<Reset>()
        .parameters(COMMAND)
        .answers::<Answer>(200);
    registry.special(reset, |State(app): State<Arc<App>>, request: Incoming| async move {
        let answer = reset_password(&app, &request).await?;
        Ok::<_, Problem>(answered(&app, &request, answer).await)
    });
}

/// Adds a command about oneself for which one proves who one is by the password in the body. Who is answered as before is not
/// asked again: the password may be another by now.
pub(super) fn proven<B, F>(
    registry: &mut Registry,
    route: Route,
    password: fn(&B) -> &str,
    handler: impl Fn(Arc<App>, Arc<Given>, (UserId, B)) -> F + Clone + Send + Sync + 'static,
) where
    B: DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<Answer, Problem>> + Send + 'static,
{
    registry.handled(route, move |app: Arc<App>, given: Arc<Given>| {
        let handler = handler.clone();
        async move {
            let Given { request, ask } = &*given;
            let body: B = request.json()?;
            if let Some(before) = app.answered_before(ask, Told::default()).await? {
                return Ok(before);
            }
            let user_id = app.prove(ask, password(&body), request).await?;
            handler(Arc::clone(&app), Arc::clone(&given), (user_id, body)).await
        }
    });
}

async fn change_own(
    app: Arc<App>,
    given: Arc<Given>,
    (user_id, body): (UserId, ChangeOwn),
) -> Result<Answer, Problem> {
    set(&app, &given.ask, user_id, &body.new_password, "/new_password").await
}

async fn set_for(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let body: SetFor = request.json()?;
    set(&app, ask, request.id("user_id")?, &body.password, "/password").await
}

/// The work is done beside the answer, which is the same and as quick whoever is named.
fn forget(app: Arc<App>, request: Incoming) -> Result<Mailed, Problem> {
    let body: Forgotten = request.json()?;
    let busy = |_| Problem::unavailable("too many passwords are being forgotten; try again");
    let permit = Arc::clone(&app.forgotten).try_acquire_owned().map_err(busy)?;
    platform::lifecycle::detach(async move {
        if let Err(problem) = request_reset(&app, &body, &request).await {
            tracing::warn!(code = problem.code, "a forgotten password could not be looked after");
        }
        drop(permit);
    });
    Ok(Mailed { detail: "if there is such a user with an e-mail address, a link is on its way" })
}

async fn request_reset(app: &App, body: &Forgotten, request: &Incoming) -> Result<(), Problem> {
    let Some((tenant, user)) = app.find_user(&body.organization, &body.login).await? else {
        return Ok(());
    };
    let ask = auth::as_system((tenant, user), FORGOT, request);
    let target = || Target::<User>::new(user, Command::RequestPasswordReset);
    app.execute(&ask, || Ok(target())).await?.answer();
    Ok(())
}

async fn reset_password(app: &App, request: &Incoming) -> Result<Answer, Problem> {
    let body: Reset = request.json()?;
    let presented_sha256 = fingerprint(&body.token);
    let (tenant, user_id, user) = app.holder(PASSWORD_RESET, &body.token).await?;
    let ask = auth::as_system((tenant, user_id), RESET, request).taken(app, request)?;
    if let Some(before) = app.answered_before(&ask, Told::default()).await? {
        return Ok(before);
    }
    // A guess is not kept, and a password is hashed for a token that is good only: it takes its time.
    let pending = user.password_reset.as_ref().ok_or_else(unknown_token)?;
    pending.check(&presented_sha256, clock::now()).map_err(|no| refused(&no))?;
    let secret_id = app.keep_password(&ask, &body.new_password, "/new_password").await?;
    let reset = ResetPassword { presented_sha256, secret_id };
    let target = || Target::<User>::new(user_id, Command::ResetPassword(reset.clone()));
    app.execute(&ask, || Ok(target())).await.map(Carried::answer)
}

/// The refusal of a token that was never sent, or is not the last.
pub(super) fn unknown_token() -> Problem {
    refused(&user::Rejection::TokenUnknown)
}

async fn set(
    app: &App,
    ask: &Ask,
    user_id: UserId,
    password: &str,
    pointer: &str,
) -> Result<Answer, Problem> {
    let secret_id = app.keep_password(ask, password, pointer).await?;
    let command = SetPassword { secret_id };
    let target = || Target::<User>::new(user_id, Command::SetPassword(command.clone()));
    app.execute(ask, || Ok(target())).await.map(Carried::answer)
}

impl App {
    /// The user whom a token from an e-mail names, as the log has them now.
    pub(super) async fn holder(
        &self,
        kind: Kind,
        token: &str,
    ) -> Result<(TenantId, UserId, Arc<User>), Problem> {
        let (tenant, user_id): (_, UserId) = kind.named(token).ok_or_else(unknown_token)?;
        self.check_at_work(tenant).await?;
        let user = self.aggregates.refresh::<User>(tenant, &user_id.to_string()).await;
        Ok((tenant, user_id, user.map_err(|error| Problem::internal(&error))?.state))
    }

    /// Has the caller prove who they are by their password; a wrong one counts as a sign-in that failed.
    async fn prove(
        &self,
        ask: &Ask,
        password: &str,
        request: &Incoming,
    ) -> Result<UserId, Problem> {
        let tenant = ask.principal.tenant;
        let user_id =
            ask.principal.user().ok_or_else(|| Problem::forbidden("a service has no password"))?;
        let user = self.aggregates.refresh::<User>(tenant, &user_id.to_string()).await;
        let user = user.map_err(|error| Problem::internal(&error))?.state;
        user.may_sign_in(clock::now()).map_err(|no| refused(&no))?;
        if self.password_is(tenant, user.password, password).await? {
            return Ok(user_id);
        }
        let failure = RecordLoginFailure { ip: request.facts.ip };
        let failed = auth::as_system((tenant, user_id), ask.operation, request);
        let to_user = || Target::<User>::new(user_id, Command::RecordLoginFailure(failure.clone()));
        let _recorded_or_locked = self.execute(&failed, || Ok(to_user())).await;
        let detail = "current_password is not right; reset it if you forgot it";
        Err(Problem::invalid("/current_password", "PASSWORD_WRONG", detail))
    }

    /// Hashes and seals a password, but not in a dry run. The row is written before the event that names it; one that is never
    /// named is harmless.
    pub(super) async fn keep_password(
        &self,
        ask: &Ask,
        password: &str,
        pointer: &str,
    ) -> Result<SecretId, Problem> {
        if password.chars().count() < MIN_CHARS || password.len() > MAX_BYTES {
            let detail = format!(
                "a password has {MIN_CHARS} characters or more, and {MAX_BYTES} bytes at most"
            );
            return Err(Problem::invalid(pointer, "PASSWORD_LENGTH", detail));
        }
        if ask.manner.validate_only {
            return Ok(clock::new_id());
        }
        let password = password.to_owned();
        let hash = self.hashing(move || hash(&password)).await?;
        self.keep_secret(ask.principal.tenant, "password", hash.as_bytes()).await
    }

    /// Whether a password is the one kept under `id`. It takes as long for a user without a password, or none at all.
    pub(super) async fn password_is(
        &self,
        tenant: TenantId,
        id: Option<SecretId>,
        password: &str,
    ) -> Result<bool, Problem> {
        let known = match id {
            Some(id) => self.kept_password(tenant, id).await?,
            None => None,
        };
        let password = password.to_owned();
        self.hashing(move || Ok(verify(known.as_deref(), &password))).await
    }

    async fn kept_password(
        &self,
        tenant: TenantId,
        id: SecretId,
    ) -> Result<Option<String>, Problem> {
        let mut transaction = begin_for(&self.pool, tenant).await?;
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(
            "select sealed from secrets.secrets where tenant_id = $1 and secret_id = $2",
        )
        .bind(tenant.0)
        .bind(id.0)
        .fetch_optional(&mut *transaction)
        .await?;
        transaction.commit().await?;
        let Some(sealed) = sealed else { return Ok(None) };
        let hash = self
            .master
            .open(&row_of(tenant, id), &sealed)
            .map_err(|error| Problem::internal(&error))?;
        Ok(String::from_utf8(hash).ok())
    }

    /// Runs a slow hash beside the requests, a few at a time.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let _permit = self.hashing.acquire().await.map_err(|error| Problem::internal(&error))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))?
    }
}

fn hash(password: &str) -> Result<String, Problem> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| Problem::internal(&error))?;
    Ok(hash.to_string())
}

/// What a password is compared with when there is none, so that the answer takes as long.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$0J8uZ2q5ZfzqFvH0i7s0cJ2ExwNFK0ZKfGJb4nJxUjA";

fn verify(known: Option<&str>, password: &str) -> bool {
    let Ok(hash) = PasswordHash::new(known.unwrap_or(DUMMY)) else { return false };
    let right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    right && known.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hashed_password_is_recognised_and_another_is_not() {
        let hash = hash("correct horse battery").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"));
        assert!(verify(Some(&hash), "correct horse battery"));
        assert!(!verify(Some(&hash), "correct horse batterx"));
    }

    /// RFC 9106, section 5.3.
    #[test]
    fn the_example_of_the_standard_has_its_tag() {
        use argon2::{Algorithm, AssociatedData, ParamsBuilder, Version};
        let data = AssociatedData::new(&[4; 12]).unwrap();
        let params = ParamsBuilder::new().m_cost(32).t_cost(3).p_cost(4).data(data).build();
        let (secret, params) = ([3; 8], params.unwrap());
        let argon2 =
            Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut tag = [0; 32];
        argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
        let tag = hex::encode(tag);
        assert_eq!(tag, "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }

    #[test]
    fn the_stand_in_for_no_password_is_a_readable_hash_that_nothing_matches() {
        assert!(PasswordHash::new(DUMMY).is_ok());
        assert!(!verify(None, "correct horse battery"));
    }
}
