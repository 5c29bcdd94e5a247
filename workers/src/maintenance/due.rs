//! The process behind the due dates of tasks: it waits until a day before and until the moment itself, and has each announced then.

use events::envelope::Recorded;
use events::maintenance::task::{DUE_SOON, Event, Task};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::runtime::{Effect, Process, Reminder, Turn};

/// What waits until it is due within a day.
const SOON: &str = "maintenance.task_due";
/// What waits until it was due.
const OVER: &str = "maintenance.task_overdue";

/// One matter for each task that is due at some time.
pub(super) struct Due;

/// What is remembered of a task.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiting {
    /// When it is due.
    due_at: Timestamp,
}

impl Process for Due {
    const NAME: &'static str = "maintenance_task_due";
    const EVENTS: &'static [&'static str] = &[
        "maintenance.task.created",
        "maintenance.task.rescheduled",
        "maintenance.task.completed",
        "maintenance.task.reopened",
        "maintenance.task.cancelled",
        "maintenance.task.superseded",
    ];
    type Memory = Waiting;

    fn turn(memory: Option<Waiting>, event: &Recorded) -> anyhow::Result<Turn<Waiting>> {
        let payload = event.decode::<Task>()?;
        let due_at = if let Event::Created(created) = &payload {
            created.due_at
        } else if let Event::Rescheduled { due_at, .. } = &payload {
            *due_at
        } else {
            memory.map(|waiting| waiting.due_at)
        };
        let Some(due_at) = due_at else {
            let put_off = matches!(payload, Event::Rescheduled { .. });
            let effects = if put_off { forgotten(event) } else { Vec::new() };
            return Ok(Turn { memory: None, effects });
        };
        if matches!(payload, Event::Cancelled { .. } | Event::Superseded { .. }) {
            return Ok(Turn { memory: None, effects: forgotten(event) });
        }
        // What is completed can be reopened.
        let completed = matches!(payload, Event::Completed);
        let effects = if completed { forgotten(event) } else { awaited(event, due_at) };
        Ok(Turn { memory: Some(Waiting { due_at }), effects })
    }
}

/// Whoever is given a task on its last day knows that it is due within a day.
fn awaited(event: &Recorded, due_at: Timestamp) -> Vec<Effect> {
    let task = &event.aggregate_id;
    let announced = |kind, at, overdue: bool| {
        Effect::Remind(Reminder {
            kind,
            subject_id: task.clone(),
            due_at: at,
            path: format!("/task-enhancements/{task}/announce"),
            body: json!({ "due_at": due_at, "overdue": overdue }),
        })
    };
    let soon = due_at.saturating_sub(DUE_SOON).unwrap_or(Timestamp::MIN);
    let soon = if soon > event.recorded_at {
        announced(SOON, soon, false)
    } else {
        Effect::Forget { kind: SOON, subject_id: task.clone() }
    };
    vec![soon, announced(OVER, due_at, true)]
}

fn forgotten(event: &Recorded) -> Vec<Effect> {
    let forget = |kind| Effect::Forget { kind, subject_id: event.aggregate_id.clone() };
    vec![forget(SOON), forget(OVER)]
}

#[cfg(test)]
mod tests {
    use events::TaskId;
    use events::maintenance::task::Created;
    use events::testing::{at, id};

    use super::*;
    use crate::testing::recorded;

    const DUE: &str = "2026-01-09T08:00:00Z";

    /// What the last of some events leads to; they happen at the beginning of 2026.
    fn after(events: &[Event]) -> Turn<Waiting> {
        let mut turn = Turn::on(None);
        for event in events {
            turn = Due::turn(turn.memory, &recorded::<Task>(id(9), event)).unwrap();
        }
        turn
    }

    fn created(due: Option<&str>) -> Event {
        Event::Created(Created { due_at: due.map(at), ..Created::default() })
    }

    fn put_off(due: Option<&str>) -> Event {
        Event::Rescheduled { from: None, due_at: due.map(at) }
    }

    /// When it is told of, and what is forgotten.
    fn told(turn: &Turn<Waiting>) -> Vec<String> {
        let line = |effect: &Effect| match effect {
            Effect::Remind(reminder) => format!("{} {}", reminder.kind, reminder.due_at),
            Effect::Forget { kind, .. } => format!("{kind} never"),
            Effect::Start { .. }
            | Effect::Give { .. }
            | Effect::Cancel { .. }
            | Effect::Interrupt { .. } => panic!("{effect:?}"),
        };
        turn.effects.iter().map(line).collect()
    }

    const NEVER: [&str; 2] = ["maintenance.task_due never", "maintenance.task_overdue never"];

    #[test]
    fn a_task_is_told_of_a_day_before_and_when_it_was_due() {
        let turn = after(&[created(Some(DUE))]);
        let (soon, over) = (
            "maintenance.task_due 2026-01-08T08:00:00Z",
            "maintenance.task_overdue 2026-01-09T08:00:00Z",
        );
        assert_eq!(told(&turn), [soon, over]);
        let [Effect::Remind(first), Effect::Remind(second)] = &turn.effects[..] else {
            panic!("{turn:?}")
        };
        assert_eq!(first.path, format!("/task-enhancements/{}/announce", id::<TaskId>(9)));
        assert_eq!(first.body, json!({ "due_at": DUE, "overdue": false }));
        assert_eq!(second.body, json!({ "due_at": DUE, "overdue": true }));
        let today = after(&[created(Some("2026-01-01T20:00:00Z"))]);
        assert_eq!(told(&today), [NEVER[0], "maintenance.task_overdue 2026-01-01T20:00:00Z"]);
        assert_eq!(after(&[created(None)]), Turn::on(None));
    }

    #[test]
    fn what_is_put_off_is_told_of_then_and_what_is_due_at_no_time_never() {
        let later = Some("2026-01-12T08:00:00Z");
        let (soon, over) = (
            "maintenance.task_due 2026-01-11T08:00:00Z",
            "maintenance.task_overdue 2026-01-12T08:00:00Z",
        );
        assert_eq!(told(&after(&[created(Some(DUE)), put_off(later)])), [soon, over]);
        assert_eq!(told(&after(&[created(None), put_off(later)])), [soon, over]);
        let at_no_time = after(&[created(Some(DUE)), put_off(None)]);
        assert_eq!(
            (told(&at_no_time), at_no_time.memory),
            (NEVER.map(String::from).to_vec(), None)
        );
    }

    #[test]
    fn what_is_over_is_told_of_no_more_unless_it_is_reopened() {
        let completed = after(&[created(Some(DUE)), Event::Completed]);
        assert_eq!(told(&completed), NEVER);
        assert!(completed.memory.is_some());
        let reopened = Event::Reopened { reason: "it drips".into() };
        let again = after(&[created(Some(DUE)), Event::Completed, reopened.clone()]);
        assert_eq!(again.effects, after(&[created(Some(DUE))]).effects);
        for last in
            [Event::Cancelled { reason: "no parts".into() }, Event::Superseded { by_version: 2 }]
        {
            let turn = after(&[created(Some(DUE)), last.clone()]);
            assert_eq!((told(&turn), turn.memory), (NEVER.map(String::from).to_vec(), None));
            assert_eq!(after(&[created(None), last]), Turn::on(None));
        }
        assert_eq!(after(&[created(None), Event::Completed, reopened]), Turn::on(None));
    }
}
