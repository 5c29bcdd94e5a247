//! Triggers and calendars as they were.

use events::scheduling::blackout_calendar::{self, BlackoutCalendar};
use events::scheduling::trigger::{self, Trigger};
use serde_json::{Value, json};

use crate::shape::PAST_ITEM;
use crate::travel::{Past, Place, names};

pub(super) static TRIGGER: Past<Trigger> = Past {
    data: "scheduling.triggers",
    what: "trigger",
    names: names!("/triggers/{id}", "scheduling_trigger"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: trigger,
    masked: &[],
    owner: None,
};

pub(super) static BLACKOUT_CALENDAR: Past<BlackoutCalendar> = Past {
    data: "scheduling.blackout_calendars",
    what: "calendar",
    names: names!("/blackout-calendars/{id}", "scheduling_blackout_calendar"),
    parameters: PAST_ITEM,
    which: &[],
    place: |call| Ok(Place::of_item(call)),
    view: blackout_calendar,
    masked: &[],
    owner: None,
};

fn trigger(trigger: &Trigger, id: &str) -> Option<Value> {
    let terms = trigger.terms().filter(|_| trigger.status != trigger::Status::Absent)?;
    Some(json!({
        "trigger_id": id,
        "name": trigger.name,
        "owned_by": trigger.owned_by,
        "spec": terms.spec,
        "modifiers": terms.modifiers,
        "command": trigger.target.command,
        "args": trigger.target.args,
        "starts_at": terms.starts_at,
        "ends_at": terms.ends_at,
        "max_fires": terms.max_fires,
        "lead_secs": terms.lead_secs,
        "managed_kind": trigger.managed_by.as_ref().map(|by| &by.kind),
        "managed_id": trigger.managed_by.as_ref().map(|by| by.id),
        "status": trigger.status,
        "next_at": trigger.next_at,
        "fires": trigger.fires,
        "last_fired_at": trigger.last_fired,
    }))
}

fn blackout_calendar(calendar: &BlackoutCalendar, id: &str) -> Option<Value> {
    (calendar.status != blackout_calendar::Status::Absent).then(|| {
        json!({
            "blackout_calendar_id": id,
            "name": calendar.name,
            "blackouts": calendar.entries(),
            "status": calendar.status,
        })
    })
}
