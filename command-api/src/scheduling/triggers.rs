//! Routes of triggers, and how our workers say that one is due.

use std::sync::Arc;

use events::scheduling::trigger::{Command, Create, Revise, Target as Leads, Terms, Trigger};
use events::scheduling::{Modifiers, Spec, Subject};
use events::{Module, Permission, TriggerId};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use platform::clock;
use platform::principal::{Principal, Through};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::errands::Errand;
use crate::patch::Patch;
use crate::pipeline::{Ask, Target};
use crate::registry::{Call, Nothing, Registry};

/// A trigger to create.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTrigger {
    /// The trigger's id, if the client makes it (UUIDv7).
    #[serde(default)]
    id: Option<TriggerId>,
    /// What people call it.
    name: String,
    /// When it recurs.
    spec: Spec,
    /// The zone, the closed days and what becomes of occurrences on them.
    modifiers: Modifiers,
    /// The command that it leads to, and what that is told.
    target: Leads,
    /// Whether it begins at once.
    #[serde(default = "yes")]
    enabled: bool,
    /// Nothing happens before it.
    #[serde(default)]
    starts_at: Option<Timestamp>,
    /// Nothing happens after it.
    #[serde(default)]
    ends_at: Option<Timestamp>,
    /// So often it happens at most.
    #[serde(default)]
    max_fires: Option<u64>,
    /// So many seconds before an occurrence is due it happens: at most 90 days, and none where usage is counted.
    #[serde(default)]
    lead_secs: Option<u64>,
}

/// What is to change; what is absent stays.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Revision {
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// The command that it leads to, and what that is told.
    #[serde(default)]
    target: Option<Leads>,
    /// When it recurs.
    #[serde(default)]
    spec: Option<Spec>,
    /// The zone, the closed days and what becomes of occurrences on them.
    #[serde(default)]
    modifiers: Option<Modifiers>,
    /// Nothing happens after it; null when there is to be no such moment.
    #[serde(default)]
    ends_at: Patch<Timestamp>,
    /// So often it happens at most; null when that is not to be counted.
    #[serde(default)]
    max_fires: Patch<u64>,
    /// So many seconds before an occurrence is due it happens; null for when it is due.
    #[serde(default)]
    lead_secs: Patch<u64>,
    /// Occurrences up to this moment keep what holds now; the present where none is given.
    #[serde(default)]
    effective_from: Option<Timestamp>,
}

/// One occurrence of a trigger.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Occurrence {
    /// When it is due.
    occurrence: Timestamp,
}

/// A counter that was read.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reading {
    /// Where it stands, in its smallest unit.
    reading: u64,
}

/// What a trigger belongs to.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Belonging {
    /// The record.
    managed_by: Subject,
}

fn yes() -> bool {
    true
}

const TRIGGER: &str = "/triggers/{trigger_id}";

pub(super) fn routes(registry: &mut Registry) {
    let manage = |route: Route| route.needs(Permission::SchedulingTriggersManage);
    registry.checked::<NewTrigger, Trigger>(
        manage(Route::post("/triggers", Module::Scheduling, "scheduling_trigger_create"))
            .summary("let a command be carried out when its time has come, once or again and again")
            .answers::<()>(201),
        |app, ask, call| check(app, ask, Some(&call.body.target)),
        |call| Ok(create(call)),
    );
    registry.checked::<Revision, Trigger>(
        manage(Route::patch(TRIGGER, Module::Scheduling, "scheduling_trigger_revise"))
            .summary("change a trigger from a moment on; occurrences up to it stay as they were"),
        |app, ask, call| check(app, ask, call.body.target.as_ref()),
        |call| target(call, Command::Revise(revise(&call.body))),
    );
    registry.command::<Nothing, Trigger>(
        manage(Route::delete(TRIGGER, Module::Scheduling, "scheduling_trigger_cancel"))
            .summary("end a trigger for good"),
        |call| target(call, Command::Cancel),
    );
    steer(registry);
    report(registry);
}

fn steer(registry: &mut Registry) {
    let manage = |path, operation| {
        let route = Route::post(path, Module::Scheduling, operation);
        route.needs(Permission::SchedulingTriggersManage)
    };
    registry.command::<Nothing, Trigger>(
        manage("/triggers/{trigger_id}/pause", "scheduling_trigger_pause")
            .summary("let a trigger do nothing until it is resumed"),
        |call| target(call, Command::Pause),
    );
    registry.command::<Nothing, Trigger>(
        manage("/triggers/{trigger_id}/resume", "scheduling_trigger_resume")
            .summary("let a paused trigger go on; what was due meanwhile is not made up for"),
        |call| target(call, Command::Resume),
    );
    registry.command::<Occurrence, Trigger>(
        manage("/triggers/{trigger_id}/skip", "scheduling_trigger_skip")
            .summary("leave out the next occurrence of a trigger"),
        |call| target(call, Command::Skip { occurrence: call.body.occurrence }),
    );
    registry.command::<Reading, Trigger>(
        manage("/triggers/{trigger_id}/usage", "scheduling_trigger_record_usage").summary(
            "record where the counter of a trigger stands; it happens when a threshold is passed",
        ),
        |call| target(call, Command::RecordUsage { reading: call.body.reading }),
    );
}

fn report(registry: &mut Registry) {
    let fire = |path, operation| {
        let route = Route::post(path, Module::Scheduling, operation);
        route.needs(Permission::SchedulingTriggersFire)
    };
    registry.command::<Occurrence, Trigger>(
        fire("/triggers/{trigger_id}/fire", "scheduling_trigger_record_fire")
            .summary("an occurrence is due; what was missed before it is settled as well"),
        |call| target(call, Command::RecordFire { occurrence: call.body.occurrence }),
    );
    registry.command::<Reading, Trigger>(
        fire("/triggers/{trigger_id}/reading", "scheduling_trigger_record_reading")
            .summary("the counter that a trigger counts was read; our workers say so"),
        |call| target(call, Command::RecordUsage { reading: call.body.reading }),
    );
    registry.command::<Nothing, Trigger>(
        fire("/triggers/{trigger_id}/replan", "scheduling_trigger_replan")
            .summary("plan a trigger anew, because a calendar has changed"),
        |call| target(call, Command::Replan),
    );
    registry.command::<Belonging, Trigger>(
        fire("/triggers/{trigger_id}/follow", "scheduling_trigger_follow").summary(
            "bring about what the record wants that a trigger belongs to; our workers say so",
        ),
        |call| target(call, Command::Follow { managed_by: call.body.managed_by.clone() }),
    );
}

/// The caller could do now what the trigger is to lead to: what they may not do or what is not well formed they hear of here.
fn check<'a>(
    app: &'a Arc<App>,
    ask: &'a Ask,
    target: Option<&'a Leads>,
) -> BoxFuture<'a, Result<(), Problem>> {
    async move {
        // What is no target at all is refused by the rules.
        let Some(target) = target.filter(|target| target.args.is_null() || target.args.is_object())
        else {
            return Ok(());
        };
        let principal = Principal::clone(&ask.principal).through(Through::Trigger(clock::new_id()));
        let (facts, occurrence) = (&ask.facts, Some(clock::now()));
        app.check_errand(&Errand { principal, target, occurrence, facts }).await
    }
    .boxed()
}

fn create(call: &Call<NewTrigger>) -> Target<Trigger> {
    let body = call.body.clone();
    let id = body.id.unwrap_or_else(clock::new_id);
    let terms = Terms {
        spec: body.spec,
        modifiers: body.modifiers,
        starts_at: body.starts_at,
        ends_at: body.ends_at,
        max_fires: body.max_fires,
        lead_secs: body.lead_secs,
    };
    let command = Create { name: body.name, target: body.target, terms, enabled: body.enabled };
    Target::create(id, Command::Create(command)).at("/triggers/{id}")
}

fn revise(body: &Revision) -> Revise {
    let body = body.clone();
    Revise {
        name: body.name,
        target: body.target,
        spec: body.spec,
        modifiers: body.modifiers,
        ends_at: body.ends_at.asks(|at| at),
        max_fires: body.max_fires.asks(|most| most),
        lead_secs: body.lead_secs.asks(|lead| lead),
        effective_from: body.effective_from,
    }
}

fn target<B>(call: &Call<B>, command: Command) -> Result<Target<Trigger>, Problem> {
    let id: TriggerId = call.id("trigger_id")?;
    Ok(Target::new(id, command))
}
