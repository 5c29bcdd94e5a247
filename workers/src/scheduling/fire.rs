//! The scheduler: every event of a trigger says when it is due next, and that becomes its timer.
//!
//! The command carries the occurrence, and the trigger takes only one that is later than all it has settled; so whatever
//! instances, kills and clocks do, an occurrence happens once. A trigger with a lead happens so much before; what is remembered of it
//! are its leads, by the moments after which they hold.

use events::TriggerId;
use events::envelope::Recorded;
use events::scheduling::trigger::{Event, Terms, Trigger, VERSIONS_MAX_COUNT};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::runtime::{Effect, Process, Reminder, Turn};

const KIND: &str = "scheduling.fire";

/// One matter for each trigger that has, or had, a lead.
pub(super) struct Scheduler;

/// The leads of a trigger, each with the moment after which it holds, in that order.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Leads {
    leads: Vec<(Timestamp, u64)>,
}

impl Process for Scheduler {
    const NAME: &'static str = "scheduling_fire";
    /// The events that say when a trigger is due next, or that it is not.
    const EVENTS: &'static [&'static str] = &[
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
    type Memory = Leads;

    fn turn(memory: Option<Leads>, event: &Recorded) -> anyhow::Result<Turn<Leads>> {
        let trigger: TriggerId = event.aggregate_id.parse()?;
        let (recorded_at, event) = (event.recorded_at, event.decode::<Trigger>()?);
        let mut leads = memory.unwrap_or_default();
        let is_over = matches!(event, Event::Cancelled | Event::Completed);
        if let Event::Created { terms, .. } = &event {
            leads.hold(Timestamp::MIN, terms);
        }
        if let Event::Revised { terms, effective_from, .. } = &event {
            leads.hold(*effective_from, terms);
        }
        let effects = effect(trigger, (&event, recorded_at), &leads).into_iter().collect();
        let memory = Some(leads).filter(|leads| !is_over && leads.is_any());
        Ok(Turn { memory, effects })
    }
}

impl Leads {
    /// As the trigger itself has it: what was to hold later does not any more.
    fn hold(&mut self, after: Timestamp, terms: &Terms) {
        self.leads.retain(|(known, _)| *known < after);
        self.leads.push((after, terms.lead_secs.unwrap_or_default()));
        let over = self.leads.len().saturating_sub(VERSIONS_MAX_COUNT + 1);
        self.leads.drain(..over);
    }

    fn is_any(&self) -> bool {
        self.leads.iter().any(|(_, secs)| *secs > 0)
    }

    /// When it happens for an occurrence, as it is known from a moment on. What a lead lets happen then and there may happen once more
    /// after a revision, so its timer is one of that moment.
    fn happens_at(&self, occurrence: Timestamp, known_at: Timestamp) -> Timestamp {
        let lead = self.leads.iter().rfind(|(after, _)| *after < occurrence);
        let secs = lead.and_then(|(_, secs)| i64::try_from(*secs).ok()).unwrap_or_default();
        if secs == 0 {
            return occurrence;
        }
        let ahead = occurrence.checked_sub(SignedDuration::from_secs(secs));
        ahead.unwrap_or(Timestamp::MIN).max(known_at)
    }
}

fn effect(
    trigger: TriggerId,
    (event, recorded_at): (&Event, Timestamp),
    leads: &Leads,
) -> Option<Effect> {
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
        Some(next_at) => {
            let path = format!("/triggers/{trigger}/fire");
            let due_at = leads.happens_at(next_at, recorded_at);
            let body = json!({ "occurrence": next_at });
            Effect::Remind(Reminder { kind, subject_id, due_at, path, body })
        }
        None => Effect::Forget { kind, subject_id },
    })
}

#[cfg(test)]
mod tests {
    use events::scheduling::trigger::Target;
    use events::scheduling::{Modifiers, Spec};
    use events::testing::{at, id};

    use super::*;
    use crate::testing::recorded;

    const NEXT: &str = "2026-01-02T09:00:00Z";

    /// What the last of some events of the trigger leads to.
    fn after(events: &[Event]) -> Turn<Leads> {
        let mut turn = Turn::on(None);
        for event in events {
            let event = recorded::<Trigger>(id::<TriggerId>(9).0, event);
            turn = Scheduler::turn(turn.memory, &event).unwrap();
        }
        turn
    }

    fn reminder(due_at: &str, occurrence: &str) -> Effect {
        let trigger: TriggerId = id(9);
        Effect::Remind(Reminder {
            kind: KIND,
            subject_id: trigger.to_string(),
            due_at: at(due_at),
            path: format!("/triggers/{trigger}/fire"),
            body: json!({ "occurrence": occurrence }),
        })
    }

    fn terms(lead_secs: Option<u64>) -> Terms {
        let spec = Spec::Daily { time: jiff::civil::time(9, 0, 0, 0) };
        let modifiers = Modifiers { time_zone: "UTC".into(), ..Modifiers::default() };
        Terms { spec, modifiers, starts_at: None, ends_at: None, max_fires: None, lead_secs }
    }

    fn created(lead_secs: Option<u64>) -> Event {
        Event::Created {
            name: "Daily".into(),
            owned_by: id(1),
            target: Target::default(),
            terms: terms(lead_secs),
            counts_from: at("2026-01-01T12:00:00Z"),
            next_at: Some(at(NEXT)),
            managed_by: None,
        }
    }

    fn fired(next_at: Option<&str>) -> Event {
        Event::Fired {
            occurrence: at("2026-01-01T09:00:00Z"),
            version: 1,
            crossings: None,
            reading: None,
            next_at: next_at.map(at),
        }
    }

    #[test]
    fn every_event_that_says_so_sets_the_timer_and_every_end_forgets_it() {
        let next_at = Some(at(NEXT));
        let counts_from = at("2026-01-01T10:00:00Z");
        for event in [
            created(None),
            fired(Some(NEXT)),
            Event::Replanned { next_at },
            Event::Resumed { counts_from, next_at },
        ] {
            let turn = after(&[event]);
            assert_eq!(turn, Turn { memory: None, effects: vec![reminder(NEXT, NEXT)] });
        }
        let trigger: TriggerId = id(9);
        let forgotten = Effect::Forget { kind: KIND, subject_id: trigger.to_string() };
        for event in [fired(None), Event::Paused, Event::Cancelled, Event::Completed] {
            assert_eq!(after(&[event]).effects, std::slice::from_ref(&forgotten));
        }
        assert_eq!(after(&[Event::Renamed { name: "x".into() }]), Turn::on(None));
    }

    #[test]
    fn a_lead_sets_the_timer_so_much_before_for_the_same_occurrence() {
        let hour = Some(3_600);
        let begun = after(&[created(hour)]);
        assert_eq!(begun.effects, [reminder("2026-01-02T08:00:00Z", NEXT)]);
        let later = "2026-01-05T09:00:00Z";
        let revised = |lead_secs, next_at: &str| Event::Revised {
            version: 2,
            terms: terms(lead_secs),
            effective_from: at("2026-01-03T00:00:00Z"),
            next_at: Some(at(next_at)),
        };
        // Up to the moment from which it holds the one before does.
        let both = after(&[created(hour), revised(Some(7_200), NEXT)]);
        assert_eq!(both.effects, [reminder("2026-01-02T08:00:00Z", NEXT)]);
        let past = [created(hour), revised(Some(7_200), NEXT), fired(Some(later))];
        assert_eq!(after(&past).effects, [reminder("2026-01-05T07:00:00Z", later)]);
        let gone = [created(hour), revised(None, NEXT), fired(Some(later))];
        assert_eq!(after(&gone).effects, [reminder(later, later)]);
        // What happens at once has a timer of the moment at which that was known.
        let at_once = after(&[created(Some(7 * 24 * 3_600))]);
        assert_eq!(at_once.effects, [reminder("2026-01-01T00:00:00Z", NEXT)]);
        let over = after(&[created(hour), Event::Completed]);
        assert_eq!(over.memory, None);
    }
}
