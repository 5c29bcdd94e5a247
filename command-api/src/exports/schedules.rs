//! Exports that recur: a trigger of the caller's own that leads to the request for a file.

use std::sync::Arc;

use events::exports::export::Format;
use events::scheduling::trigger::{Command, Create, Target as Leads, Terms, Trigger};
use events::scheduling::{Modifiers, Spec};
use events::{Module, Permission, TriggerId, UserId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::clock;
use platform::principal::{Principal, Through};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Ask;
use crate::answer::Answer;
use crate::app::App;
use crate::errands::{ARGS, Errand};
use crate::guard::Spot;
use crate::pipeline::{Ask as Asking, Owner, Target};
use crate::registry::{Call, Given, Nothing, Registry};

/// A file to make again and again.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewSchedule {
    /// The schedule's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<TriggerId>,
    /// What people call it.
    name: String,
    /// The kind of file.
    format: Format,
    /// What each file shows and whom it is for, without an id; `{occurrence}` in its texts is the moment that was due.
    export: Ask,
    /// When it recurs.
    spec: Spec,
    /// The zone, the closed days and what becomes of occurrences on them.
    modifiers: Modifiers,
    /// Nothing happens before it.
    #[serde(default)]
    starts_at: Option<Timestamp>,
    /// Nothing happens after it.
    #[serde(default)]
    ends_at: Option<Timestamp>,
    /// So often it happens at most.
    #[serde(default)]
    max_fires: Option<u64>,
}

pub(super) fn routes(registry: &mut Registry) {
    registry.checked::<NewSchedule, Trigger>(
        Route::post("/exports/schedule", Module::Exports, "exports_schedule_create")
            .summary(
                "have a file made again and again, as the caller with the rights of each moment",
            )
            .needs(Permission::ExportsFilesRequest)
            .in_unit()
            .answers::<()>(201),
        check,
        create,
    );
    let end = Route::delete(
        "/exports/schedule/{schedule_id}",
        Module::Exports,
        "exports_schedule_cancel",
    )
    .summary("make no more files by a schedule; those that were made stay")
    .needs(Permission::ExportsFilesRequest)
    .in_unit()
    .takes::<Nothing>()
    .answers::<Answer>(200);
    registry.handled(end, cancel);
}

/// What the schedule leads to: the request for a file of its kind.
fn leads(body: &NewSchedule) -> Result<Leads, Problem> {
    if body.export.id.is_some() {
        let detail = "each file of a schedule has an id of its own; leave id out";
        return Err(Problem::invalid("/export/id", "BODY_INVALID", detail));
    }
    let args = serde_json::to_value(&body.export).map_err(|error| Problem::internal(&error))?;
    Ok(Leads { command: super::operation(body.format).to_owned(), args })
}

/// The caller could ask for the file now: what is not well formed, or not theirs to see, they hear of here.
fn check<'a>(
    app: &'a Arc<App>,
    ask: &'a Asking,
    call: &'a mut Call<NewSchedule>,
) -> BoxFuture<'a, Result<(), Problem>> {
    async move {
        let target = &leads(&call.body)?;
        let principal = Principal::clone(&ask.principal).through(Through::Trigger(clock::new_id()));
        let (facts, occurrence) = (&ask.facts, Some(clock::now()));
        let checked = app.check_errand(&Errand { principal, target, occurrence, facts }).await;
        checked.map_err(|mut problem| {
            for fault in &mut problem.errors {
                if let Some(of_export) = fault.pointer.strip_prefix(ARGS) {
                    fault.pointer = format!("/export{of_export}");
                }
            }
            problem
        })
    }
    .boxed()
}

fn create(call: &Call<NewSchedule>) -> Result<Target<Trigger>, Problem> {
    let target = leads(&call.body)?;
    let body = call.body.clone();
    let id = body.id.unwrap_or_else(clock::new_id);
    let terms = Terms {
        spec: body.spec,
        modifiers: body.modifiers,
        starts_at: body.starts_at,
        ends_at: body.ends_at,
        max_fires: body.max_fires,
        lead_secs: None,
    };
    let command = Create { name: body.name, target, terms, enabled: true };
    let target = Target::create(id, Command::Create(command)).at("/exports/schedule/{id}");
    Ok(target.within([Spot::Anywhere]))
}

/// Whoever may manage triggers ends everybody's. A trigger that leads to something else is none of these.
async fn cancel(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let id: TriggerId = request.id("schedule_id")?;
    request.json::<Nothing>()?;
    let trigger = app.aggregates.refresh::<Trigger>(ask.principal.tenant, &id.to_string()).await;
    let trigger = trigger.map_err(|error| Problem::internal(&error))?;
    if !super::is_request(&trigger.state.target.command) {
        return Err(Problem::absent("schedule"));
    }
    let others_need = Permission::SchedulingTriggersManage;
    let target = || {
        let target = Target::<Trigger>::new(id, Command::Cancel);
        let owners = vec![Owner { of: owner, others_need }];
        Ok(Target { owners, ..target }.within([Spot::Anywhere]).guarded(ask.access))
    };
    Ok(app.execute(ask, target).await?.answer())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every owner")]
fn owner(trigger: &Trigger) -> Option<UserId> {
    Some(trigger.owned_by)
}
