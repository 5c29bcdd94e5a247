//! What happens to assets, the tasks on them, and their schedules.

use events::maintenance::asset::{Asset, Event as AssetEvent, Level, Visibility, With};
use events::maintenance::plan::{Because, Event as PlanEvent, LeftOut, Plan, Template};
use events::maintenance::task::{Created, Event as TaskEvent, Item, Requirements, Task};
use events::money::Money;
use events::scheduling::trigger::Terms;
use events::scheduling::{Modifiers, Spec};
use events::testing::{at, id};
use events::{AssetId, MaintenanceScheduleId, TaskId, TenantId, UserId};
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
        let warranty_until = "2028-02-29".parse().unwrap();
        events.push(AssetEvent::WarrantyEndAnnounced { warranty_until, days: 90 });
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

/// Two schedules of an asset, one of which comes after the other and waits, in every third round revised and removed.
pub(crate) async fn planned(place: &Place, tenant: TenantId, (round, user): (u128, UserId)) {
    let [oil, filter]: [MaintenanceScheduleId; 2] = [id(210_000 + round), id(220_000 + round)];
    let spec = Spec::Daily { time: jiff::civil::time(9, 0, 0, 0) };
    let modifiers = Modifiers { time_zone: "UTC".into(), ..Modifiers::default() };
    let (starts_at, ends_at, max_fires) = (None, None, None);
    let terms = Terms { spec, modifiers, starts_at, ends_at, max_fires, lead_secs: Some(3_600) };
    let task = Template { title: "Oil".into(), assignees: vec![user], ..Template::default() };
    let added = |schedule_id, depends_on| PlanEvent::ScheduleAdded {
        schedule_id,
        owned_by: user,
        title: format!("Schedule {round}"),
        terms: terms.clone(),
        task: task.clone(),
        depends_on,
        counts_from: at("2026-01-01T12:00:00Z"),
    };
    let (due_at, occurrence) = (at("2026-01-02T09:00:00Z"), date(2026, 1, 2));
    let [first, second] = [oil, filter].map(|schedule| Plan::task(schedule, due_at, 1));
    let made = |schedule_id, task_id| PlanEvent::OccurrenceGenerated {
        schedule_id,
        version: 1,
        occurrence,
        due_at,
        task_id,
    };
    let waits = PlanEvent::OccurrenceHeldBack {
        schedule_id: filter,
        version: 1,
        occurrence,
        due_at,
        task_id: second,
        waits_for: vec![oil],
    };
    let mut events = vec![added(oil, vec![]), added(filter, vec![oil]), made(oil, first), waits];
    if round.is_multiple_of(3) {
        let because = Because::Completed;
        events.push(PlanEvent::OccurrenceClosed {
            schedule_id: oil,
            occurrence,
            task_id: first,
            because,
        });
        events.push(made(filter, second));
        let because = LeftOut::AlreadyOpen;
        events.push(PlanEvent::OccurrenceLeftOut { schedule_id: filter, due_at, because });
        events.push(PlanEvent::ScheduleRevised {
            schedule_id: filter,
            version: 2,
            title: "Filter".into(),
            terms,
            task,
            effective_from: at("2026-01-05T00:00:00Z"),
        });
        events.push(PlanEvent::DependenciesReplaced { schedule_id: filter, depends_on: vec![] });
    }
    place.append::<Plan>(tenant, id::<AssetId>(150_000 + round), events).await;
}
