//! Passwords: hashed with Argon2id (RFC 9106), sealed, kept in `secrets`; the user's events name the row only.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use axum::extract::State;
use events::identity::user::{Command, SetPassword, User};
use events::{Module, Permission, SecretId, TenantId, UserId};
use platform::clock;
use platform::db::begin_for;
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::Answer;
use crate::app::App;
use crate::pipeline::Target;
use crate::registry::{Incoming, Registry};

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
        .takes::<ChangeOwn>()
        .answers::<Answer>(200);
    registry.special(own.clone(), move |State(app): State<Arc<App>>, request: Incoming| {
        let route = own.clone();
        async move { change_own(&app, &route, &request).await }
    });
    let set =
        Route::put("/users/{user_id}/password", Module::Identity, "identity_user_set_password")
            .summary("give a user a password")
            .needs(Permission::IdentityUsersManage)
            .takes::<SetFor>()
            .answers::<Answer>(200);
    registry.special(set.clone(), move |State(app): State<Arc<App>>, request: Incoming| {
        let route = set.clone();
        async move { set_for(&app, &route, &request).await }
    });
}

async fn change_own(app: &App, route: &Route, request: &Incoming) -> Result<Answer, Problem> {
    let mut ask = request.ask(app, route)?;
    app.admit(&mut ask).await?;
    let body: ChangeOwn = request.json()?;
    let tenant = ask.principal.tenant;
    let user_id =
        ask.principal.user().ok_or_else(|| Problem::forbidden("a service has no password"))?;
    let user = app
        .aggregates
        .refresh::<User>(tenant, &user_id.to_string())
        .await
        .map_err(|error| Problem::internal(&error))?;
    if !app.password_is(tenant, user.state.password, &body.current_password).await? {
        let detail = "current_password is not right; reset it if you forgot it";
        return Err(Problem::invalid("/current_password", "PASSWORD_WRONG", detail));
    }
    set(app, &ask, user_id, &body.new_password, "/new_password").await
}

async fn set_for(app: &App, route: &Route, request: &Incoming) -> Result<Answer, Problem> {
    let mut ask = request.ask(app, route)?;
    app.admit(&mut ask).await?;
    let body: SetFor = request.json()?;
    set(app, &ask, request.id("user_id")?, &body.password, "/password").await
}

async fn set(
    app: &App,
    ask: &crate::pipeline::Ask,
    user_id: UserId,
    password: &str,
    pointer: &str,
) -> Result<Answer, Problem> {
    let secret_id = app.keep_password(ask.principal.tenant, password, pointer).await?;
    let command = SetPassword { secret_id };
    app.execute(ask, || Ok(Target::<User>::new(user_id, Command::SetPassword(command.clone()))))
        .await
}

impl App {
    /// Hashes and seals a password. The row is written before the event that names it; one that is never named is harmless.
    pub(super) async fn keep_password(
        &self,
        tenant: TenantId,
        password: &str,
        pointer: &str,
    ) -> Result<SecretId, Problem> {
        if password.chars().count() < MIN_CHARS || password.len() > MAX_BYTES {
            let detail = format!(
                "a password has {MIN_CHARS} characters or more, and {MAX_BYTES} bytes at most"
            );
            return Err(Problem::invalid(pointer, "PASSWORD_LENGTH", detail));
        }
        let password = password.to_owned();
        let hash = self.hashing(move || hash(&password)).await?;
        let id: SecretId = clock::new_id();
        let sealed = self.master.seal(&place(tenant, id), hash.as_bytes());
        let mut transaction = begin_for(&self.pool, tenant).await?;
        sqlx::query("insert into secrets.secrets (tenant_id, secret_id, kind, sealed) values ($1, $2, 'password', $3)")
            .bind(tenant.0)
            .bind(id.0)
            .bind(sealed)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(id)
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
            .open(&place(tenant, id), &sealed)
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

fn place(tenant: TenantId, id: SecretId) -> String {
    format!("{tenant}|secrets.secrets|{id}")
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

    #[test]
    fn the_stand_in_for_no_password_is_a_readable_hash_that_nothing_matches() {
        assert!(PasswordHash::new(DUMMY).is_ok());
        assert!(!verify(None, "correct horse battery"));
    }
}
