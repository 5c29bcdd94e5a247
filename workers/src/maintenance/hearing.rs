//! What a plan hears of: that the triggers of its schedules say that something is due or will not be, that the tasks of its occurrences
//! are over, and that the asset is retired.

use events::envelope::Recorded;
use events::maintenance::plan::{Because, Plan};
use events::maintenance::task::{self, Task};
use events::scheduling::trigger::{self, Trigger};
use events::{Decider as _, MaintenanceScheduleId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::runtime::{Effect, Process, Turn};

/// One matter for each trigger that belongs to a plan.
pub(super) struct Triggers;

/// That it does, and when the last of its occurrences was due that happened or was skipped.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Belongs {
    last_due_at: Option<Timestamp>,
}

impl Process for Triggers {
    const NAME: &'static str = "maintenance_triggers";
    const EVENTS: &'static [&'static str] = &[
        "scheduling.trigger.created",
        "scheduling.trigger.fired",
        "scheduling.trigger.skipped",
        "scheduling.trigger.completed",
        "scheduling.trigger.cancelled",
    ];
    type Memory = Belongs;

    fn turn(memory: Option<Belongs>, event: &Recorded) -> anyhow::Result<Turn<Belongs>> {
        use trigger::Event;
        let payload = event.decode::<Trigger>()?;
        if let Event::Created { managed_by, .. } = &payload {
            let is_ours = managed_by.as_ref().is_some_and(|by| by.kind == Plan::TYPE);
            return Ok(Turn::on(is_ours.then(Belongs::default)));
        }
        let Some(mut memory) = memory else { return Ok(Turn::on(None)) };
        let (step, body) = match payload {
            Event::Fired { occurrence, .. } => {
                memory.last_due_at = memory.last_due_at.max(Some(occurrence));
                ("occur", json!({ "due_at": occurrence }))
            }
            Event::Skipped { until, .. } => {
                memory.last_due_at = memory.last_due_at.max(Some(until));
                ("skip", json!({ "until": until }))
            }
            Event::Completed => ("complete", json!(memory)),
            // Whoever ended it knows.
            Event::Cancelled => return Ok(Turn::on(None)),
            Event::Created { .. }
            | Event::Renamed { .. }
            | Event::Retargeted { .. }
            | Event::Revised { .. }
            | Event::Paused
            | Event::Resumed { .. }
            | Event::Replanned { .. }
            | Event::CommandSucceeded { .. }
            | Event::CommandRefused { .. } => return Ok(Turn::on(Some(memory))),
        };
        let effects = vec![tell(&event.aggregate_id, step, body)];
        Ok(Turn { memory: Some(memory), effects })
    }
}

/// One matter for each task that a plan made.
pub(super) struct Tasks;

/// The schedule that made it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct MadeBy {
    schedule_id: MaintenanceScheduleId,
}

impl Process for Tasks {
    const NAME: &'static str = "maintenance_tasks";
    const EVENTS: &'static [&'static str] = &[
        "maintenance.task.created",
        "maintenance.task.completed",
        "maintenance.task.cancelled",
        "maintenance.task.superseded",
    ];
    type Memory = MadeBy;

    fn turn(memory: Option<MadeBy>, event: &Recorded) -> anyhow::Result<Turn<MadeBy>> {
        use task::Event;
        let payload = event.decode::<Task>()?;
        if let Event::Created(created) = &payload {
            let made_by = created.source.map(|source| MadeBy { schedule_id: source.schedule_id });
            return Ok(Turn::on(made_by));
        }
        let Some(MadeBy { schedule_id }) = memory else { return Ok(Turn::on(None)) };
        // Three events of many; the others are not asked for.
        let because = if let Event::Completed = payload {
            Because::Completed
        } else if let Event::Cancelled { .. } = payload {
            Because::Cancelled
        } else {
            Because::Superseded
        };
        let body = json!({ "task_id": event.aggregate_id, "because": because });
        // What was released stays so, though a task is reopened; so nothing more is to be heard of it.
        Ok(Turn { memory: None, effects: vec![tell(&schedule_id.to_string(), "close", body)] })
    }
}

/// The event by which all schedules of an asset end.
pub(super) const RETIRED: &[&str] = &["maintenance.asset.retired"];

#[expect(clippy::unnecessary_wraps, reason = "the shape of every reaction")]
pub(super) fn on_retired(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let path = format!("/assets/{}/schedules/end", event.aggregate_id);
    Ok(vec![Effect::Give { step: "end".into(), path, body: json!({}) }])
}

fn tell(schedule: &str, step: &str, body: Value) -> Effect {
    let path = format!("/advanced-schedules/{schedule}/{step}");
    Effect::Give { step: step.into(), path, body }
}

#[cfg(test)]
mod tests {
    use events::maintenance::asset::{self, Asset};
    use events::maintenance::task::{Created, Source};
    use events::scheduling::trigger::{SkipReason, Target, Terms};
    use events::scheduling::{Modifiers, Spec, Subject};
    use events::testing::{at, id};
    use events::{AssetId, Decider};

    use super::*;
    use crate::testing::recorded;

    /// What the last of some events of the stream 10 leads to.
    fn after<P: Process, D: Decider>(events: &[D::Event]) -> Turn<P::Memory> {
        let mut turn = Turn::on(None);
        for event in events {
            let event = recorded::<D>(id::<AssetId>(10).0, event);
            turn = P::turn(turn.memory, &event).unwrap();
        }
        turn
    }

    fn told<M: std::fmt::Debug>(turn: &Turn<M>) -> (String, Value) {
        let [Effect::Give { path, body, .. }] = &turn.effects[..] else { panic!("{turn:?}") };
        (path.replace(&id::<AssetId>(10).to_string(), "T"), body.clone())
    }

    fn created(kind: Option<&str>) -> trigger::Event {
        let spec = Spec::Daily { time: jiff::civil::time(9, 0, 0, 0) };
        let modifiers = Modifiers { time_zone: "UTC".into(), ..Modifiers::default() };
        let (starts_at, ends_at) = (None, None);
        let terms = Terms { spec, modifiers, starts_at, ends_at, max_fires: None, lead_secs: None };
        trigger::Event::Created {
            name: "Oil".into(),
            owned_by: id(1),
            target: Target::default(),
            terms,
            counts_from: at("2026-01-01T12:00:00Z"),
            next_at: None,
            managed_by: kind.map(|kind| Subject { kind: kind.into(), id: id(3) }),
        }
    }

    fn fired() -> trigger::Event {
        let occurrence = at("2026-01-02T09:00:00Z");
        let (crossings, reading, next_at) = (None, None, None);
        trigger::Event::Fired { occurrence, version: 1, crossings, reading, next_at }
    }

    #[test]
    fn a_plan_hears_of_the_triggers_that_belong_to_it_and_of_no_others() {
        let heard = |kind, event| after::<Triggers, Trigger>(&[created(kind), event]);
        let ours = Some("maintenance.plan");
        let occur = json!({"due_at": "2026-01-02T09:00:00Z"});
        assert_eq!(told(&heard(ours, fired())), ("/advanced-schedules/T/occur".into(), occur));
        let skipped = trigger::Event::Skipped {
            occurrence: at("2026-01-02T09:00:00Z"),
            until: at("2026-01-04T09:00:00Z"),
            count: 3,
            reason: SkipReason::Misfire,
            label: None,
            next_at: None,
        };
        let skip = json!({"until": "2026-01-04T09:00:00Z"});
        assert_eq!(told(&heard(ours, skipped)), ("/advanced-schedules/T/skip".into(), skip));
        let completed = heard(ours, trigger::Event::Completed);
        let complete = |last_due_at| {
            ("/advanced-schedules/T/complete".to_owned(), json!({ "last_due_at": last_due_at }))
        };
        assert_eq!(told(&completed), complete(None));
        let over = [created(ours), fired(), trigger::Event::Completed];
        let over = after::<Triggers, Trigger>(&over);
        assert_eq!(told(&over), complete(Some("2026-01-02T09:00:00Z")));
        assert_eq!(heard(ours, trigger::Event::Cancelled), Turn::on(None));
        for kind in [None, Some("other.record")] {
            assert_eq!(heard(kind, fired()), Turn::on(None));
        }
    }

    #[test]
    fn a_plan_hears_once_that_a_task_which_it_made_is_over() {
        use task::Event;
        let source =
            Source { schedule_id: id(20), occurrence: "2026-01-02".parse().unwrap(), version: 1 };
        let created = |source| Event::Created(Created { source, ..Created::default() });
        for (event, because) in [
            (Event::Completed, "completed"),
            (Event::Cancelled { reason: "sold".into() }, "cancelled"),
            (Event::Superseded { by_version: 2 }, "superseded"),
        ] {
            let heard = after::<Tasks, Task>(&[created(Some(source)), event.clone()]);
            let path = format!("/advanced-schedules/{}/close", id::<AssetId>(20));
            let body = json!({"task_id": id::<AssetId>(10), "because": because});
            assert_eq!(told(&heard), (path, body));
            let again =
                after::<Tasks, Task>(&[created(Some(source)), event.clone(), event.clone()]);
            assert_eq!(again, Turn::on(None));
            assert_eq!(after::<Tasks, Task>(&[created(None), event]), Turn::on(None));
        }
    }

    #[test]
    fn all_schedules_end_with_the_asset() {
        let retired = recorded::<Asset>(id::<AssetId>(10).0, &asset::Event::Retired);
        let effects = on_retired(&retired).unwrap();
        let turn: Turn<()> = Turn { memory: None, effects };
        assert_eq!(told(&turn), ("/assets/T/schedules/end".into(), json!({})));
    }
}
