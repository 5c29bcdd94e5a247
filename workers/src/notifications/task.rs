//! What those who are to do a task are told: that it is theirs, that it is due within a day, and that it was due.

use std::collections::BTreeSet;

use events::identity::user::{Status, User};
use events::maintenance::task::{Event, Task};
use events::notifications::notification::{Kind, Priority};
use events::{TenantId, UserId};
use jiff::Timestamp;

use super::tell::{Cause, Message, message_to};
use crate::runtime::{Job, Office};

/// What an event is to those who are to do the task.
#[derive(Debug, PartialEq)]
enum News {
    /// These came to it.
    Theirs(Vec<UserId>),
    /// It is due then.
    Due(Timestamp),
    /// It was due then.
    Overdue(Timestamp),
}

/// Nobody hears of what is over, of what is not theirs any more, or of what they did themselves.
pub(super) async fn of_task(
    office: &Office,
    job: &Job,
    cause: &Cause,
) -> anyhow::Result<Vec<Message>> {
    let Some(news) = news(serde_json::from_str(&cause.payload)?) else { return Ok(Vec::new()) };
    let tenant = job.tenant_id;
    let task = office.aggregates.refresh::<Task>(tenant, &cause.stream_id).await?.state;
    let mut messages = Vec::new();
    for user in told(&task, &news, cause.actor_id.as_deref()) {
        if is_active(office, tenant, user).await? {
            messages.push(message(user, &task, &news));
        }
    }
    Ok(messages)
}

async fn is_active(office: &Office, tenant: TenantId, user: UserId) -> anyhow::Result<bool> {
    let user = office.aggregates.refresh::<User>(tenant, &user.to_string()).await?;
    Ok(user.state.status == Status::Active)
}

/// Three events of many are news.
fn news(event: Event) -> Option<News> {
    if let Event::Assigned { user_ids } = event {
        Some(News::Theirs(user_ids))
    } else if let Event::DueAnnounced { due_at } = event {
        Some(News::Due(due_at))
    } else if let Event::OverdueAnnounced { due_at } = event {
        Some(News::Overdue(due_at))
    } else {
        None
    }
}

fn told(task: &Task, news: &News, actor: Option<&str>) -> BTreeSet<UserId> {
    let mut told = task.assignees.clone();
    if task.status.is_over() {
        told.clear();
    }
    match news {
        News::Theirs(new) => told.retain(|user| {
            new.contains(user) && actor.is_none_or(|actor| actor != user.to_string())
        }),
        News::Due(due_at) | News::Overdue(due_at) => {
            told.retain(|_| task.due_at == Some(*due_at));
        }
    }
    told
}

fn message(user: UserId, task: &Task, news: &News) -> Message {
    let title = &task.title;
    let at = |due: Timestamp| due.strftime("%Y-%m-%d %H:%M UTC");
    match news {
        News::Theirs(_) => {
            let due = task.due_at.map(|due| format!(" by {}", at(due))).unwrap_or_default();
            let text = format!("“{title}” is to be done{due}.");
            message_to(user, Kind::TaskAssigned, "A task is assigned to you".into(), text)
        }
        News::Due(due) => {
            let text = format!("“{title}” is to be done by {}.", at(*due));
            message_to(user, Kind::TaskDue, "A task is due within a day".into(), text)
        }
        News::Overdue(due) => {
            let text = format!("“{title}” was to be done by {} and is not.", at(*due));
            let late =
                message_to(user, Kind::TaskOverdue, "A task of yours is overdue".into(), text);
            Message { priority: Priority::High, ..late }
        }
    }
}

#[cfg(test)]
mod tests {
    use events::Decider as _;
    use events::maintenance::task::Created;
    use events::testing::{at, id};

    use super::*;

    const DUE: &str = "2026-01-09T08:00:00Z";

    fn after(events: impl IntoIterator<Item = Event>) -> Task {
        let due_at = Some(at(DUE));
        let created = Created { title: "Change the oil".into(), due_at, ..Created::default() };
        let mut task = Task::default();
        for event in [Event::Created(created)].into_iter().chain(events) {
            task.evolve(&event);
        }
        task
    }

    fn assigned(users: &[u128]) -> Event {
        Event::Assigned { user_ids: users.iter().map(|user| id(*user)).collect() }
    }

    #[test]
    fn those_who_came_to_it_hear_that_it_is_theirs_but_not_from_themselves() {
        let theirs = News::Theirs(vec![id(1), id(2), id(3)]);
        let gone = Event::Unassigned { user_ids: vec![id(3)] };
        let task = after([assigned(&[1, 2, 3, 4]), gone]);
        let by_first = id::<UserId>(1).to_string();
        assert_eq!(told(&task, &theirs, Some(&by_first)), BTreeSet::from([id(2)]));
        assert_eq!(told(&task, &theirs, Some("workers")), BTreeSet::from([id(1), id(2)]));
        let message = message(id(2), &task, &theirs);
        assert_eq!(message.kind, Kind::TaskAssigned);
        assert_eq!(message.text, "“Change the oil” is to be done by 2026-01-09 08:00 UTC.");
    }

    #[test]
    fn everybody_who_is_to_do_it_hears_when_it_is_due_and_nobody_of_what_is_over_or_put_off() {
        let both = BTreeSet::from([id(1), id(2)]);
        let news = [News::Due(at(DUE)), News::Overdue(at(DUE))];
        for (news, kind) in news.iter().zip([Kind::TaskDue, Kind::TaskOverdue]) {
            let task = after([assigned(&[1, 2])]);
            let by_first = id::<UserId>(1).to_string();
            assert_eq!(told(&task, news, Some(&by_first)), both);
            assert_eq!(message(id(1), &task, news).kind, kind);
            let off = Event::Rescheduled { from: Some(at(DUE)), due_at: None };
            let cancelled = Event::Cancelled { reason: "no parts".into() };
            for last in [off, Event::Completed, cancelled, Event::Superseded { by_version: 2 }] {
                assert!(told(&after([assigned(&[1, 2]), last]), news, None).is_empty());
            }
        }
    }

    #[test]
    fn three_events_are_news() {
        assert_eq!(news(assigned(&[1])), Some(News::Theirs(vec![id(1)])));
        let due_at = at(DUE);
        assert_eq!(news(Event::DueAnnounced { due_at }), Some(News::Due(due_at)));
        assert_eq!(news(Event::OverdueAnnounced { due_at }), Some(News::Overdue(due_at)));
        assert_eq!(news(Event::Completed), None);
    }
}
