//! Routes for one's own e-mail address: another one counts once whoever reads its e-mail has confirmed it.

use std::sync::Arc;

use axum::extract::State;
use events::identity::user::{Command, ConfirmEmailChange, RequestEmailChange, User};
use events::{Module, UserId};
use platform::bearer::EMAIL_CHANGE;
use platform::clock;
use platform::problem::Problem;
use platform::routes::{Access, Route};
use platform::secrets::fingerprint;
use schemars::JsonSchema;
use serde::Deserialize;

use super::auth;
use super::passwords::{proven, unknown_token};
use crate::answer::{Answer, Carried};
use crate::app::App;
use crate::pipeline::Target;
use crate::refusal::refused;
use crate::registry::{COMMAND, Given, Incoming, Registry, answered};
use crate::told::Told;

const CONFIRM: &str = "identity_user_confirm_email_change";

/// Another e-mail address for oneself.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The address.
    email: String,
    /// The password in use.
    current_password: String,
}

/// The confirmation of an address.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    /// The token from the e-mail.
    token: String,
}

pub(super) fn routes(registry: &mut Registry) {
    let request =
        Route::post("/auth/email", Module::Identity, "identity_user_request_email_change")
            .summary("change your own e-mail address; a link to confirm it is sent there")
            .in_person()
            .takes::<Wanted>()
            .answers::<Answer>(200);
    proven(registry, request, |body| &body.current_password, ask_for);
    let confirm = Route::post("/auth/email/confirm", Module::Identity, CONFIRM)
        .summary("confirm an e-mail address by the token that was sent there")
        .access(Access::Public)
        .takes::<Confirmation>()
        .parameters(COMMAND)
        .answers::<Answer>(200);
    registry.special(confirm, |State(app): State<Arc<App>>, request: Incoming| async move {
        let answer = confirm_by(&app, &request).await?;
        Ok::<_, Problem>(answered(&app, &request, answer).await)
    });
}

async fn ask_for(
    app: Arc<App>,
    given: Arc<Given>,
    (user_id, body): (UserId, Wanted),
) -> Result<Answer, Problem> {
    let wanted = RequestEmailChange { email: body.email };
    let target = || Target::<User>::new(user_id, Command::RequestEmailChange(wanted.clone()));
    app.execute(&given.ask, || Ok(target())).await.map(Carried::answer)
}

async fn confirm_by(app: &App, request: &Incoming) -> Result<Answer, Problem> {
    let body: Confirmation = request.json()?;
    let presented_sha256 = fingerprint(&body.token);
    let (tenant, user_id, user) = app.holder(EMAIL_CHANGE, &body.token).await?;
    let ask = auth::as_system((tenant, user_id), CONFIRM, request).taken(app, request)?;
    if let Some(before) = app.answered_before(&ask, Told::default()).await? {
        return Ok(before);
    }
    // A guess is not kept.
    let (_, pending) = user.email_change.as_ref().ok_or_else(unknown_token)?;
    pending.check(&presented_sha256, clock::now()).map_err(|no| refused(&no))?;
    let confirm = ConfirmEmailChange { presented_sha256 };
    let target = || Target::<User>::new(user_id, Command::ConfirmEmailChange(confirm.clone()));
    app.execute(&ask, || Ok(target())).await.map(Carried::answer)
}
