//! The scheduler: every event of a trigger says when it is due next, and that becomes its timer.
//!
//! The command carries the occurrence, and the trigger takes only one that is later than all it has settled; so whatever
//! instances, kills and clocks do, an occurrence happens once.

use events::TriggerId;
use events::envelope::Recorded;
use events::scheduling::trigger::Event;
use serde_json::json;

use crate::runtime::{Effect, Reminder};

/// The events that say when a trigger is due next, or that it is not.
pub(super) const EVENTS: &[&str] = &[
    "scheduling.trigger.created",
    "scheduling.trigger.revised",
    "scheduling.trigger.paused",
    "scheduling.trigger.resumed",
    "scheduling.trigger.replanned",
    "scheduling.trigger.fired",
    "scheduling.trigger.skipped",
    "scheduling.trigger.cancelled",
    "scheduling.trigger.completed",
];

const KIND: &str = "scheduling.fire";

pub(super) fn on_event(event: &Recorded) -> anyhow::Result<Vec<Effect>> {
    let trigger: TriggerId = event.aggregate_id.parse()?;
    Ok(effect(trigger, &serde_json::from_str(&event.payload)?).into_iter().collect())
}

fn effect(trigger: TriggerId, event: &Event) -> Option<Effect> {
    let (kind, subject_id) = (KIND, trigger.to_string());
    let next_at = match event {
        Event::Created { next_at, .. }
        | Event::Revised { next_at, .. }
        | Event::Resumed { next_at, .. }
        | Event::Replanned { next_at }
        | Event::Fired { next_at, .. }
        | Event::Skipped { next_at, .. } => *next_at,
        Event::Paused | Event::Cancelled | Event::Completed => None,
        Event::Renamed { .. }
        | Event::Retargeted { .. }
        | Event::CommandSucceeded { .. }
        | Event::CommandRefused { .. } => return None,
    };
    Some(match next_at {
        Some(due_at) => {
            let path = format!("/triggers/{trigger}/fire");
            let body = json!({ "occurrence": due_at });
            Effect::Remind(Reminder { kind, subject_id, due_at, path, body })
        }
        None => Effect::Forget { kind, subject_id },
    })
}

#[cfg(test)]
mod tests {
    use events::testing::{at, id};

    use super::*;

    #[test]
    fn every_event_that_says_so_sets_the_timer_and_every_end_forgets_it() {
        let trigger: TriggerId = id(9);
        let next_at = Some(at("2026-01-02T09:00:00Z"));
        let set = Effect::Remind(Reminder {
            kind: KIND,
            subject_id: trigger.to_string(),
            due_at: at("2026-01-02T09:00:00Z"),
            path: format!("/triggers/{trigger}/fire"),
            body: json!({ "occurrence": "2026-01-02T09:00:00Z" }),
        });
        let fired = |next_at| Event::Fired {
            occurrence: at("2026-01-01T09:00:00Z"),
            version: 1,
            crossings: None,
            reading: None,
            next_at,
        };
        let counts_from = at("2026-01-01T10:00:00Z");
        for event in
            [fired(next_at), Event::Replanned { next_at }, Event::Resumed { counts_from, next_at }]
        {
            assert_eq!(effect(trigger, &event), Some(set.clone()));
        }
        let forgotten = Effect::Forget { kind: KIND, subject_id: trigger.to_string() };
        for event in [fired(None), Event::Paused, Event::Cancelled, Event::Completed] {
            assert_eq!(effect(trigger, &event), Some(forgotten.clone()));
        }
        assert_eq!(effect(trigger, &Event::Renamed { name: "x".into() }), None);
    }
}
