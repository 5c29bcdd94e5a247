//! What people are told of schedules of upkeep: that one by which they have tasks to do was revised.

use events::identity::user::{Status, User};
use events::maintenance::plan::{Event, Plan};
use events::notifications::notification::Kind;
use events::{Decider as _, MaintenanceScheduleId};

use super::tell::{Cause, Message, message_to};
use crate::runtime::{Job, Office};

/// What a notification leads to that is of a schedule.
pub(super) const SCHEDULE: &str = "maintenance.schedule";

/// The schedule that an event is about.
pub(super) fn schedule(stream: &str, payload: &str) -> Option<MaintenanceScheduleId> {
    if stream != Plan::TYPE {
        return None;
    }
    let event: Event = serde_json::from_str(payload).ok()?;
    Some(event.schedule())
}

/// Whoever is to do its tasks hears of it, but for whoever did it themselves and those who are gone.
pub(super) async fn of_plan(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Vec<Message>> {
    // One event of many; the others are not asked for.
    let event = serde_json::from_str(&cause.payload)?;
    let Event::ScheduleRevised { title, task, effective_from, version, .. } = event else {
        return Ok(Vec::new());
    };
    let at = effective_from.strftime("%Y-%m-%d %H:%M UTC");
    let mut messages = Vec::new();
    for user_id in task.assignees {
        let themselves = cause.actor_id.as_deref() == Some(user_id.to_string().as_str());
        let user = office.aggregates.refresh::<User>(job.tenant_id, &user_id.to_string()).await?;
        if themselves || user.state.status != Status::Active {
            continue;
        }
        let text = format!("Version {version} holds from {at} on. Tasks that were begun stay.");
        let title = format!("The schedule “{title}” was revised");
        messages.push(message_to(user_id, Kind::ScheduleRevised, title, text));
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use events::testing::id;

    use super::*;

    #[test]
    fn what_is_told_of_leads_to_the_schedule() {
        let event = Event::SchedulePaused { schedule_id: id(10) };
        let payload = serde_json::to_string(&event).unwrap();
        assert_eq!(schedule(Plan::TYPE, &payload), Some(id(10)));
        assert_eq!(schedule("rbac.policy", &payload), None);
    }
}
