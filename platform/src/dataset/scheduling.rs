//! The datasets of what recurs.

use events::Permission;

use super::Kind::{Id, Integer, Json, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT, VERSION};
use super::{Column, Dataset};

pub(super) const SCHEDULING: &[Dataset] = &[TRIGGERS, BLACKOUT_CALENDARS];

const TRIGGERS: Dataset = Dataset {
    name: "scheduling.triggers",
    label: "Triggers",
    table: "read.scheduling_triggers",
    projections: &["scheduling_triggers"],
    permission: Some(Permission::SchedulingTriggersRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("trigger_id", "Trigger", Id),
        Column::new("name", "Name", Text),
        Column::new("owned_by", "Owner", Id),
        Column::new("kind", "Recurs by", Text),
        Column::new("spec", "Recurrence", Json),
        Column::new("modifiers", "Modifiers", Json),
        Column::new("time_zone", "Time zone", Text),
        Column::new("command", "Command", Text),
        Column::new("args", "Arguments", Json),
        Column::new("starts_at", "Begins", Time).nullable(),
        Column::new("ends_at", "Ends", Time).nullable(),
        Column::new("max_fires", "At most", Integer).nullable(),
        Column::new("revision", "Revision", Integer),
        Column::new("effective_from", "Revised from", Time).nullable(),
        Column::new("status", "Status", Text),
        Column::new("next_at", "Due next", Time).nullable(),
        Column::new("fires", "Times it happened", Integer),
        Column::new("last_fired_at", "Happened last", Time).nullable(),
        Column::new("last_skipped_at", "Left out last", Time).nullable(),
        Column::new("last_skip_reason", "Left out because", Text).nullable(),
        Column::new("last_answered_at", "Answered last", Time).nullable(),
        Column::new("last_aggregate_id", "Led to last", Text).nullable(),
        Column::new("last_refusal_code", "Refused with", Text).nullable(),
        Column::new("last_refusal", "Refused because", Text).nullable(),
        Column::new("refusals", "Times it was refused", Integer),
        Column::new("lead_secs", "Happens so many seconds before", Integer).nullable(),
        Column::new("managed_kind", "Belongs to a", Text).nullable(),
        Column::new("managed_id", "Belongs to", Id).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["trigger_id"],
    default_sort: "-created_at",
};

const BLACKOUT_CALENDARS: Dataset = Dataset {
    name: "scheduling.blackout_calendars",
    label: "Calendars of blackouts",
    table: "read.scheduling_blackout_calendars",
    projections: &["scheduling_blackout_calendars"],
    permission: Some(Permission::SchedulingBlackoutCalendarsRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("blackout_calendar_id", "Calendar", Id),
        Column::new("name", "Name", Text),
        Column::new("blackouts", "Closed days", Json),
        Column::new("status", "Status", Text),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["blackout_calendar_id"],
    default_sort: "-created_at",
};
