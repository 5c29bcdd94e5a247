//! What an occurrence leads to is done: the command of the trigger, as its owner, with the rights that they have now.

use std::sync::Arc;

use events::scheduling::trigger::{Answer as Came, Command, Trigger};
use events::{Decider as _, Module, Permission, TriggerId};
use jiff::Timestamp;
use platform::principal::{Principal, Through};
use platform::problem::Problem;
use platform::routes::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::answer::Answer;
use crate::app::App;
use crate::errands::Errand;
use crate::pipeline::Target;
use crate::registry::{Given, Registry};

/// Namespace of the keys that commands are given under (RFC 9562, version 5).
const KEYS: Uuid = Uuid::from_u128(0x0d1f_61b7_93a4_5c0e_8a5b_7e2c_41f6_39d8);

/// An occurrence that happened.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Happened {
    /// When it was due.
    occurrence: Timestamp,
    /// Whether it was tried often enough: then it is only noted that nothing came of it.
    #[serde(default)]
    given_up: bool,
}

pub(super) fn routes(registry: &mut Registry) {
    let route = Route::post(
        "/triggers/{trigger_id}/carry-out",
        Module::Scheduling,
        "scheduling_trigger_carry_out",
    )
    .summary("give the command of an occurrence for the owner of its trigger; what comes of it is recorded")
    .needs(Permission::SchedulingTriggersFire)
    .takes::<Happened>()
    .answers::<Answer>(200);
    registry.handled(route, carry_out);
}

/// A kill after the command and before the record of it has the next attempt give the same command under the same key, which
/// is answered as it was.
async fn carry_out(app: Arc<App>, given: Arc<Given>) -> Result<Answer, Problem> {
    let Given { request, ask } = &*given;
    let id: TriggerId = request.id("trigger_id")?;
    let Happened { occurrence, given_up } = request.json()?;
    let tenant = ask.principal.tenant;
    let trigger = app.aggregates.refresh::<Trigger>(tenant, &id.to_string()).await;
    let trigger = trigger.map_err(|error| Problem::internal(&error))?;
    if trigger.version == 0 {
        return Err(Problem::absent("trigger"));
    }
    let trigger = trigger.state;
    let answer = if !trigger.owed.contains(&occurrence) {
        None
    } else if given_up {
        let detail = "the command could not be given for too long a time".to_owned();
        Some(Came::Refused { code: "UNAVAILABLE".into(), detail })
    } else {
        let owner = Principal::somebody(tenant, trigger.owned_by);
        let principal = owner.through(Through::Trigger(id));
        let (target, facts) = (&trigger.target, &ask.facts);
        let due = Some(occurrence);
        let key = (!ask.manner.validate_only).then(|| key(id, occurrence));
        let errand = Errand { principal, target, occurrence: due, facts };
        Some(app.run_errand(&errand, key).await?)
    };
    let record = || {
        let command = answer.clone().map(|answer| Command::RecordAnswer { occurrence, answer });
        let target = Target::<Trigger>::of(id);
        Ok(Target { commands: command.into_iter().collect(), ..target }.guarded(ask.access))
    };
    Ok(app.execute(ask, record).await?.answer())
}

/// The same for an occurrence of a trigger, whoever asks and however often.
fn key(trigger: TriggerId, occurrence: Timestamp) -> Uuid {
    Uuid::new_v5(&KEYS, format!("{}/{trigger}/{occurrence}", Trigger::TYPE).as_bytes())
}
