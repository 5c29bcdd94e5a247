//! What happens to assets, and the tasks on them.

use events::maintenance::asset::{Asset, Event as AssetEvent, Level, Visibility, With};
use events::maintenance::task::{Created, Event as TaskEvent, Item, Requirements, Task};
use events::money::Money;
use events::testing::{at, id};
use events::{AssetId, TaskId, TenantId, UserId};
use jiff::civil::date;

use crate::support::Place;

/// An asset that is used and shared, in every third round reset, moved and retired.
pub(crate) async fn kept_up(place: &Place, tenant: TenantId, (round, user): (u128, UserId)) {
    let registered = AssetEvent::Registered {
        tag: format!("T-{round}"),
        name: format!("Tool {round}"),
        category: None,
        serial: Some(format!("SN {round}")),
        unit_id: Some(id(701)),
        acquired_on: Some(date(2025, 3, 1)),
        warranty_until: None,
        cost: Some(Money { amount: "1250.50".into(), currency: "EUR".into() }),
    };
    let read = |value: &str, total: &str| AssetEvent::UsageRecorded {
        counter: "hours".into(),
        value: value.parse().unwrap(),
        delta: "12.5".parse().unwrap(),
        total: total.parse().unwrap(),
        at: at("2026-01-01T12:00:00Z"),
    };
    let shared = AssetEvent::Shared { with: With::User(user), level: Level::Work };
    let chosen = AssetEvent::VisibilityChosen { visibility: Visibility::Unit };
    let mut events = vec![registered, chosen, shared, read("12.5", "12.5"), read("25", "25")];
    if round % 3 == 0 {
        let (counter, reason) = ("hours".to_owned(), "new meter".to_owned());
        let (previous, at) = ("25".parse().unwrap(), at("2026-01-01T12:00:00Z"));
        events.push(AssetEvent::CounterReset { counter, previous, reason, at });
        events.push(AssetEvent::Moved { from: Some(id(701)), unit_id: None });
        events.push(AssetEvent::Unshared { with: With::User(user) });
        events.push(AssetEvent::Retired);
    }
    place.append::<Asset>(tenant, id::<AssetId>(150_000 + round), events).await;
}

/// A task on an asset with a part, a checklist and an assignee, in every third round done and reopened.
pub(crate) async fn to_do(place: &Place, tenant: TenantId, (round, user): (u128, UserId)) {
    let item = Item { id: id(31), text: "Drain \"it\" \\ \u{fc}".into(), mandatory: true };
    let created = TaskEvent::Created(Created {
        title: format!("Task {round}"),
        asset_id: Some(id(150_000 + round)),
        unit_id: Some(id(701)),
        due_at: Some(at("2026-01-09T08:00:00Z")),
        requirements: Requirements { checklist: vec![item], ..Requirements::default() },
        ..Created::default()
    });
    let part = TaskEvent::SubtaskAdded {
        subtask_id: id(20),
        parent_id: None,
        title: "Catch it".into(),
        mandatory: true,
        assignees: vec![user],
    };
    let both = TaskEvent::Assigned { user_ids: vec![user, id(10_000)] };
    let mut events = vec![created, both, part, TaskEvent::Started];
    if round.is_multiple_of(3) {
        events.push(TaskEvent::ChecklistTicked { item_id: id(31) });
        events.push(TaskEvent::SubtaskCompleted { subtask_id: id(20) });
        events.push(TaskEvent::AssigneeConfirmed { user_id: user });
        events.push(TaskEvent::Completed);
        events.push(TaskEvent::Reopened { reason: "it drips".into() });
        events.push(TaskEvent::Unassigned { user_ids: vec![user] });
    }
    place.append::<Task>(tenant, id::<TaskId>(190_000 + round), events).await;
}
