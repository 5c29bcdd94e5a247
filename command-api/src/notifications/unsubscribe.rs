//! Unsubscribing from letters of one kind by the link in any of them (RFC 2369, RFC 8058): one click, and no signing in.
//!
//! What only looks, such as a scanner of links, asks with GET and changes nothing; a click on the button of that page, or of
//! the mail program itself, is the POST that does.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use events::Module;
use events::identity::user::{Status, User};
use events::settings::configuration::{Command, Configuration, Scope, SetSetting};
use platform::bearer::Unsubscription;
use platform::http::Form;
use platform::problem::Problem;
use platform::routes::{Access, Parameter, Route};
use serde_json::json;

use crate::answer::{Answer, Carried};
use crate::app::App;
use crate::identity::as_system;
use crate::pipeline::Target;
use crate::registry::{DRY, Incoming, KEY, Nothing, PREFIX, Registry, answered};
use crate::told::Told;

const PATH: &str = "/notifications/unsubscribe";
const UNSUBSCRIBE: &str = "settings_configuration_unsubscribe";
/// What a mail program posts for its reader, and what the page's button posts.
const ONE_CLICK: (&str, &str) = ("List-Unsubscribe", "One-Click");
const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "token",
        place: "query",
        description: "what stands in the letter's List-Unsubscribe",
    },
    DRY,
    KEY,
];

pub(super) fn routes(registry: &mut Registry) {
    let route = Route::post(PATH, Module::Settings, UNSUBSCRIBE)
        .summary(
            "be sent no more e-mail of a kind, by the link of a letter; a form with List-Unsubscribe=One-Click or no body at all",
        )
        .access(Access::Public)
        .parameters(PARAMETERS)
        .answers::<Answer>(200);
    registry.special(route, |State(app): State<Arc<App>>, request: Incoming| async move {
        unsubscribe(&app, &request).await
    });
}

/// What a reader sees who follows the link: a page with a button, and for programs what to post.
pub(crate) fn page() -> Router<Arc<App>> {
    Router::new().route(
        &format!("{PREFIX}{PATH}"),
        get(|State(app): State<Arc<App>>, request: Incoming| async move {
            show(&app, &request).await
        }),
    )
}

async fn show(app: &App, request: &Incoming) -> Result<Response, Problem> {
    let named = named(app, request).await?;
    let what = named.key.title();
    if !wants_page(&request.headers) {
        let detail = "POST to this address, with List-Unsubscribe=One-Click as a form or with no body, to be sent no more";
        let answer = json!({ "setting": named.key.name(), "title": what, "detail": detail });
        return Ok(Json(answer).into_response());
    }
    let (name, value) = ONE_CLICK;
    Ok(html(&format!(
        "<p>{what}</p><p>You are sent such e-mail. You can choose it again in your settings at any time.</p>\
         <form method=\"post\"><input type=\"hidden\" name=\"{name}\" value=\"{value}\">\
         <button>Send me no more of it</button></form>"
    )))
}

async fn unsubscribe(app: &App, request: &Incoming) -> Result<Response, Problem> {
    check_body(request)?;
    let named = named(app, request).await?;
    let ask = as_system((named.tenant, named.user), UNSUBSCRIBE, request).taken(app, request)?;
    let answer = if let Some(before) = app.answered_before(&ask, Told::default()).await? {
        before
    } else {
        let set = SetSetting { key: named.key.name().into(), value: false.into() };
        let stream = Scope::User(named.user).stream(named.tenant);
        let target =
            || Target::<Configuration>::new(stream.clone(), Command::SetSetting(set.clone()));
        app.execute(&ask, || Ok(target())).await.map(Carried::answer)?
    };
    if wants_page(&request.headers) {
        return Ok(html("<p>Done: you are sent no more such e-mail.</p>"));
    }
    Ok(answered(app, request, answer).await)
}

/// Whose token it is; of somebody who is still there.
async fn named(app: &App, request: &Incoming) -> Result<Unsubscription, Problem> {
    let token = request.parameter("token");
    let token = token.ok_or_else(|| Problem::parameter("token", "the address has no token"))?;
    let named = Unsubscription::of(token, &app.master).ok_or_else(unknown)?;
    app.check_at_work(named.tenant).await?;
    let user = app.aggregates.refresh::<User>(named.tenant, &named.user.to_string()).await;
    let user = user.map_err(|error| Problem::internal(&error))?.state;
    match user.status {
        Status::Active | Status::Deactivated => Ok(named),
        Status::Absent | Status::Erased => Err(unknown()),
    }
}

fn unknown() -> Problem {
    let detail =
        "the token is of no letter of ours, or of one to somebody who is not here any more";
    Problem::new(StatusCode::NOT_FOUND, "UNSUBSCRIBE_TOKEN_UNKNOWN", detail)
}

/// A form has to say what it is for; whoever posts without a form needs no body.
fn check_body(request: &Incoming) -> Result<(), Problem> {
    let Some(form) = request.form() else { return request.json().map(|Nothing {}| ()) };
    let (name, value) = ONE_CLICK;
    if form.contains(name) && form.contains(value) {
        return Ok(());
    }
    let detail = format!("the form has to hold {name}={value}");
    Err(Problem::bad_request("BODY_UNREADABLE", detail))
}

fn wants_page(headers: &HeaderMap) -> bool {
    let mut accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.any(|kinds| kinds.contains("text/html"))
}

fn html(body: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>E-mail</title><h1>E-mail</h1>{body}</html>"
    );
    (Extension(Form), Html(page)).into_response()
}
