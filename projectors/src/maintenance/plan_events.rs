//! Events of plans for the tests of their read models.

use events::MaintenanceScheduleId;
use events::maintenance::plan::{Because, Event, Plan, Template};
use events::scheduling::trigger::Terms;
use events::scheduling::{Modifiers, Spec};
use events::testing::{at, id};
use jiff::Timestamp;
use jiff::civil::Date;

fn terms(lead_secs: Option<u64>) -> Terms {
    let spec = Spec::Daily { time: jiff::civil::time(9, 0, 0, 0) };
    let modifiers = Modifiers { time_zone: "UTC".into(), ..Modifiers::default() };
    Terms { spec, modifiers, starts_at: None, ends_at: None, max_fires: None, lead_secs }
}

fn task() -> Template {
    Template { title: "Change the oil".into(), ..Template::default() }
}

fn schedules(numbers: &[u128]) -> Vec<MaintenanceScheduleId> {
    numbers.iter().map(|number| id(*number)).collect()
}

/// When the occurrence of a day in January is due, and the day.
fn of(day: u32) -> (Timestamp, Date) {
    let date: Date = format!("2026-01-{day:02}").parse().unwrap();
    (at(&format!("{date}T09:00:00Z")), date)
}

pub(super) fn added(number: u128, depends_on: &[u128]) -> Event {
    Event::ScheduleAdded {
        schedule_id: id(number),
        owned_by: id(1),
        title: "Oil".into(),
        terms: terms(None),
        task: task(),
        depends_on: schedules(depends_on),
        counts_from: at("2026-01-01T12:00:00Z"),
    }
}

pub(super) fn revised(number: u128, version: u32) -> Event {
    Event::ScheduleRevised {
        schedule_id: id(number),
        version,
        title: "Oil".into(),
        terms: terms(Some(3_600)),
        task: task(),
        effective_from: at("2026-01-05T00:00:00Z"),
    }
}

pub(super) fn replaced(number: u128, depends_on: &[u128]) -> Event {
    Event::DependenciesReplaced { schedule_id: id(number), depends_on: schedules(depends_on) }
}

pub(super) fn generated(number: u128, day: u32) -> Event {
    let (due_at, occurrence) = of(day);
    let task_id = Plan::task(id(number), due_at, 1);
    Event::OccurrenceGenerated { schedule_id: id(number), version: 1, occurrence, due_at, task_id }
}

pub(super) fn held_back(number: u128, day: u32) -> Event {
    let (due_at, occurrence) = of(day);
    let (schedule_id, waits_for) = (id(number), schedules(&[99]));
    let task_id = Plan::task(schedule_id, due_at, 1);
    Event::OccurrenceHeldBack { schedule_id, version: 1, occurrence, due_at, task_id, waits_for }
}

pub(super) fn withdrawn(number: u128, day: u32) -> Event {
    let (due_at, occurrence) = of(day);
    let task_id = Plan::task(id(number), due_at, 1);
    Event::OccurrenceWithdrawn { schedule_id: id(number), occurrence, task_id }
}

pub(super) fn closed(number: u128, day: u32, because: Because) -> Event {
    let (due_at, occurrence) = of(day);
    let task_id = Plan::task(id(number), due_at, 1);
    Event::OccurrenceClosed { schedule_id: id(number), occurrence, task_id, because }
}
