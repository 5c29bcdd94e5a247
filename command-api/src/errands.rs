//! Errands: commands given by the names of their operations, on behalf of somebody who need not be there when they are carried
//! out. They go through the same door as any, as that person with the rights of the moment; nothing of whoever brings them counts.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use events::Permission;
use events::scheduling::trigger::{Answer as Came, Target};
use futures::future::BoxFuture;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use platform::http::RequestFacts;
use platform::principal::Principal;
use platform::problem::{Fault, Problem};
use platform::routes::{Access, Route};
use serde_json::{Map, Value};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::answer::Answer;
use crate::app::App;
use crate::keys::VALIDATE_ONLY;
use crate::pipeline::Ask;
use crate::registry::{Call, PREFIX};

/// Stands for the moment that an occurrence was due, wherever it is in a text of the arguments.
const OCCURRENCE: &str = "{occurrence}";
/// Where the arguments are in the bodies that bring them.
pub(crate) const ARGS: &str = "/target/args";
/// What an answer may take; ours are far smaller.
const ANSWER_BYTES: usize = 1 << 20;
/// What our own processes may do and people send others to do as well.
const FOR_BOTH: [Permission; 2] =
    [Permission::NotificationsMessagesSend, Permission::MaintenanceTasksAssign];
/// Operations that nobody is sent to do: what opens doors people open themselves, what makes errands would multiply, and what our
/// workers say of tasks is theirs alone.
const NEVER: &[&str] = &[
    "identity_session_",
    "identity_user_end_sessions",
    "identity_api_key_",
    "identity_issuer_",
    "scheduling_trigger_",
    "maintenance_plan_add_schedule",
    "maintenance_task_supersede",
    "maintenance_task_announce",
];

/// Finds out about a body what its rules cannot know, or completes it by what was said elsewhere, before anything is decided.
pub(crate) type Check<B> =
    for<'a> fn(&'a Arc<App>, &'a Ask, &'a mut Call<B>) -> BoxFuture<'a, Result<(), Problem>>;

/// Whoever a request of our own is made for; no request from outside can bring it.
#[derive(Clone)]
pub(crate) struct Acting(pub(crate) Arc<Principal>);

/// The commands that can be given by name.
pub(crate) struct Errands {
    router: Router<Arc<App>>,
    routes: HashMap<&'static str, Route>,
}

/// A command to give.
pub(crate) struct Errand<'a> {
    /// For whom.
    pub(crate) principal: Principal,
    /// What, and with what.
    pub(crate) target: &'a Target,
    /// The moment that it was due, where its texts can name it.
    pub(crate) occurrence: Option<Timestamp>,
    /// The request that it comes with.
    pub(crate) facts: &'a Arc<RequestFacts>,
}

impl Errands {
    /// Through these routes.
    pub(crate) fn new(
        commands: Router<Arc<App>>,
        mut routes: HashMap<&'static str, Route>,
    ) -> Self {
        routes.retain(|_, route| can_be_kept(route));
        Self { router: commands, routes }
    }

    /// The request that somebody would make who gives the command now: members that the path names go there, and the others are
    /// the body.
    fn request(&self, errand: &Errand<'_>, key: Option<Uuid>) -> Result<Request<Body>, Problem> {
        let Target { command, args } = errand.target;
        let route = self.routes.get(command.as_str()).ok_or_else(|| {
            let detail = "target.command is no command that can be kept for later; use the operation id of one of the \
                          reference that takes a permission, other than of sessions, keys, issuers and triggers";
            Problem::invalid("/target/command", "COMMAND_UNKNOWN", detail)
        })?;
        let mut args = args.as_object().cloned().unwrap_or_default();
        if let Some(occurrence) = errand.occurrence {
            args.values_mut().for_each(|value| fill(value, &occurrence.to_string()));
        }
        let mut uri = PREFIX.to_owned() + &path(route.path, &mut args)?;
        if key.is_none() {
            uri = format!("{uri}?{VALIDATE_ONLY}=true");
        }
        let mut request = Request::builder()
            .method(route.method.clone())
            .uri(uri)
            .header(CONTENT_TYPE, "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        let body = Body::from(Value::Object(args).to_string());
        let mut request = request.body(body).map_err(|error| Problem::internal(&error))?;
        let extensions = request.extensions_mut();
        extensions.insert(Arc::clone(errand.facts));
        extensions.insert(Acting(Arc::new(errand.principal.clone())));
        Ok(request)
    }

    /// Gives the command under a key, or only asks what would happen without one.
    async fn give(
        &self,
        app: &Arc<App>,
        errand: &Errand<'_>,
        key: Option<Uuid>,
    ) -> Result<Answer, Problem> {
        let request = self.request(errand, key)?;
        let router = self.router.clone().with_state(Arc::clone(app));
        let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
        answer(response).await
    }
}

impl App {
    /// Refuses what the caller could not have done now, so that they hear of it while they are there. What only the present
    /// state of a record is against may be right when the time has come.
    pub(crate) async fn check_errand(self: &Arc<Self>, errand: &Errand<'_>) -> Result<(), Problem> {
        match self.errands()?.give(self, errand, None).await {
            Err(problem) if problem.status == StatusCode::CONFLICT => Ok(()),
            Err(problem) => Err(in_args(problem)),
            Ok(_) => Ok(()),
        }
    }

    /// Gives the command, once for each key, and says what came of it; an error where that is not known yet.
    pub(crate) async fn run_errand(
        self: &Arc<Self>,
        errand: &Errand<'_>,
        key: Option<Uuid>,
    ) -> Result<Came, Problem> {
        match self.errands()?.give(self, errand, key).await {
            Ok(answer) => Ok(Came::Done { aggregate_id: answer.aggregate.id }),
            Err(problem) if may_pass(&problem) => {
                let detail = format!("not done yet: {} ({})", problem.detail, problem.code);
                Err(Problem::unavailable(detail))
            }
            Err(Problem { code, detail, .. }) => Ok(Came::Refused { code, detail }),
        }
    }
}

/// Whether a command can be kept and given later: it takes a permission, and is no report of our own processes.
fn can_be_kept(route: &Route) -> bool {
    let Some(permission) = route.access.permission() else { return false };
    let is_for_people = FOR_BOTH.contains(&permission)
        || ![Permission::WORKERS, Permission::QUERY_API].concat().contains(&permission);
    let in_person = matches!(route.access, Access::InPerson(_));
    let never = NEVER.iter().any(|never| route.operation.starts_with(never));
    is_for_people && !in_person && !never && !route.needs_version
}

/// The path of a route with its parameters, which are taken out of the arguments.
fn path(template: &str, args: &mut Map<String, Value>) -> Result<String, Problem> {
    let mut path = String::new();
    for part in template.split('/').skip(1) {
        path.push('/');
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            None => path.push_str(part),
            Some(name) => match args.remove(name) {
                Some(Value::String(text)) if !text.is_empty() => {
                    path.extend(utf8_percent_encode(&text, NON_ALPHANUMERIC));
                }
                Some(Value::Number(number)) => path.push_str(&number.to_string()),
                Some(_) | None => {
                    let detail =
                        format!("args.{name} is missing: the path of the command names it");
                    return Err(Problem::invalid(
                        &format!("{ARGS}/{name}"),
                        "BODY_INVALID",
                        detail,
                    ));
                }
            },
        }
    }
    Ok(path)
}

/// Puts the moment where the arguments ask for it.
fn fill(value: &mut Value, occurrence: &str) {
    match value {
        Value::String(text) if text.contains(OCCURRENCE) => {
            *text = text.replace(OCCURRENCE, occurrence);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, occurrence)),
        Value::Object(members) => members.values_mut().for_each(|item| fill(item, occurrence)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

async fn answer(response: Response) -> Result<Answer, Problem> {
    let status = response.status();
    let body = to_bytes(response.into_body(), ANSWER_BYTES).await;
    let body = body.map_err(|error| Problem::internal(&error))?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|error| Problem::internal(&error));
    }
    let problem = serde_json::from_slice(&body);
    Err(problem.unwrap_or_else(|error| Problem::internal(&error)))
}

/// The refusal of a command as one of the body that brings it.
fn in_args(mut problem: Problem) -> Problem {
    for fault in &mut problem.errors {
        if !fault.pointer.starts_with("/target/") {
            fault.pointer = format!("{ARGS}{}", fault.pointer);
        }
    }
    if problem.errors.is_empty() {
        let pointer =
            if problem.status == StatusCode::FORBIDDEN { "/target/command" } else { ARGS };
        problem.errors.push(Fault::new(pointer, &*problem.code, &*problem.detail));
    }
    problem
}

/// Whether the same command can succeed later.
fn may_pass(problem: &Problem) -> bool {
    let status = StatusCode::from_u16(problem.status).unwrap_or_default();
    problem.retryable
        || status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS]
            .contains(&status)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_the_path_names_go_there_and_the_others_stay() {
        let args = json!({"export_id": "a/../b", "number": 7, "reason": "x"});
        let mut args = args.as_object().cloned().unwrap();
        let made = path("/exports/{export_id}/cancel/{number}", &mut args).unwrap();
        assert_eq!(made, "/exports/a%2F%2E%2E%2Fb/cancel/7");
        assert_eq!(Value::Object(args), json!({"reason": "x"}));
        let missing = path("/exports/{export_id}", &mut Map::new()).unwrap_err();
        assert_eq!(missing.errors[0].pointer, "/target/args/export_id");
    }

    #[test]
    fn the_moment_is_put_where_it_is_asked_for() {
        let mut args =
            json!({"title": "As of {occurrence}", "more": [{"at": "{occurrence}"}], "n": 1});
        fill(&mut args, "T");
        assert_eq!(args, json!({"title": "As of T", "more": [{"at": "T"}], "n": 1}));
    }

    #[test]
    fn what_a_command_refuses_is_shown_where_its_arguments_are() {
        let of = |problem: Problem| in_args(problem).errors[0].pointer.clone();
        assert_eq!(of(Problem::invalid("/dataset", "X", "x")), "/target/args/dataset");
        assert_eq!(of(Problem::invalid("", "X", "x")), "/target/args");
        assert_eq!(of(Problem::forbidden("x")), "/target/command");
        assert_eq!(of(Problem::absent("export")), "/target/args");
    }

    /// No member of a body is lost because the path has a parameter of that name.
    #[test]
    fn whatever_can_be_kept_takes_a_permission_and_its_body_and_path_share_no_name() {
        let routes = crate::routes();
        let kept: Vec<&Route> = routes.iter().filter(|route| can_be_kept(route)).collect();
        let operations: Vec<&str> = kept.iter().map(|route| route.operation).collect();
        for yes in [
            "exports_export_request_csv",
            "backups_backup_request",
            "notifications_notification_send",
        ] {
            assert!(operations.contains(&yes), "{yes}");
        }
        for no in [
            "identity_session_start",
            "identity_session_revoke",
            "identity_api_key_create",
            "identity_user_set_own_password",
            "exports_export_complete",
            "scheduling_trigger_create",
            "scheduling_trigger_record_fire",
        ] {
            assert!(!operations.contains(&no), "{no}");
        }
        for route in kept {
            let Some(schema) = route.request else { continue };
            let mut generator = schemars::SchemaGenerator::default();
            let written = schema(&mut generator).to_value().to_string();
            let all = serde_json::to_string(generator.definitions()).unwrap() + &written;
            for name in route.path.split('/').filter_map(|part| part.strip_prefix('{')) {
                let name = name.trim_end_matches('}');
                assert!(!all.contains(&format!("\"{name}\":{{")), "{}: {name}", route.operation);
            }
        }
    }
}
