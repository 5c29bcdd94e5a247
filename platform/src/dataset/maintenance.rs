//! The datasets of assets, what they were used, who is let in, and when something of them is to be done. Numbers with digits after the point are texts; where lists are
//! sorted by them or summed up, a whole number stands beside.

use events::Permission;

use super::Kind::{Id, Integer, Json, List, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT, VERSION};
use super::{Column, Dataset, READERS, Units};

pub(super) const MAINTENANCE: &[Dataset] = &[ASSETS, USAGE, SHARES, SCHEDULES, DEPENDENCIES, OCCURRENCES];

const UNIT: Column = Column::new("unit_id", "Unit", Id).nullable();
const SEEN_BY: Column = Column::new(READERS, "Seen by as well", List);

const ASSETS: Dataset = Dataset {
    name: "maintenance.assets",
    label: "Assets",
    table: "read.maintenance_assets",
    projections: &["maintenance_assets"],
    permission: Some(Permission::MaintenanceAssetsRead),
    owner: None,
    units: Some(Units::OwnOrShared),
    columns: &[
        Column::new("asset_id", "Asset", Id),
        Column::new("tag", "Tag", Text),
        Column::new("name", "Name", Text),
        Column::new("category", "Category", Text).nullable(),
        Column::new("serial", "Serial number", Text).nullable(),
        UNIT,
        Column::new("acquired_on", "Acquired", Text).nullable(),
        Column::new("warranty_until", "Warranty until", Text).nullable(),
        Column::new("cost_amount", "Cost", Text).nullable().shown_only(),
        Column::new("cost_currency", "Currency", Text).nullable(),
        Column::new("cost_minor", "Cost in the smallest coin", Integer).nullable(),
        Column::new("visibility", "Visibility", Text),
        Column::new("shares", "Shared with", Json).shown_only(),
        SEEN_BY,
        Column::new("status", "Status", Text),
        Column::new("retired_at", "Retired", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["asset_id"],
    default_sort: "tag",
};

const USAGE: Dataset = Dataset {
    name: "maintenance.asset_usage",
    label: "Usage of assets",
    table: "read.maintenance_usage",
    projections: &["maintenance_asset_usage", "maintenance_assets"],
    permission: Some(Permission::MaintenanceAssetsRead),
    owner: None,
    units: Some(Units::OwnOrShared),
    columns: &[
        Column::new("asset_id", "Asset", Id),
        Column::new("tag", "Tag", Text),
        UNIT,
        Column::new("counter", "Counter", Text),
        Column::new("value", "Stands at", Text).shown_only(),
        Column::new("value_thousandths", "Stands at, in thousandths", Integer),
        Column::new("total", "In all", Text).shown_only(),
        Column::new("total_thousandths", "In all, in thousandths", Integer),
        Column::new("readings", "Readings", Integer),
        Column::new("read_at", "Read", Time),
        Column::new("reset_at", "Reset", Time).nullable(),
        Column::new("reset_reason", "Reset because", Text).nullable(),
        SEEN_BY,
        CHANGED_AT,
    ],
    key: &["asset_id", "counter"],
    default_sort: "asset_id,counter",
};

const SHARES: Dataset = Dataset {
    name: "maintenance.asset_shares",
    label: "Shares of assets",
    table: "read.maintenance_shares",
    projections: &["maintenance_asset_shares", "maintenance_assets"],
    permission: Some(Permission::MaintenanceAssetsRead),
    owner: None,
    units: Some(Units::OwnOrShared),
    columns: &[
        Column::new("asset_id", "Asset", Id),
        Column::new("tag", "Tag", Text),
        UNIT,
        Column::new("with_kind", "Shared with a", Text),
        Column::new("with_id", "Shared with", Id),
        Column::new("level", "Level", Text),
        SEEN_BY,
        Column::new("shared_at", "Shared", Time),
    ],
    key: &["asset_id", "with_kind", "with_id"],
    default_sort: "asset_id,with_kind,with_id",
};

/// What schedules are, by the units of their assets; not by the shares of these, which are of the asset itself.
const SCHEDULES: Dataset = Dataset {
    name: "maintenance.schedules",
    label: "Schedules of assets",
    table: "read.maintenance_schedules",
    projections: &["maintenance_plan_schedules", "maintenance_assets", "scheduling_triggers"],
    permission: Some(Permission::MaintenancePlansRead),
    owner: None,
    units: Some(Units::Own),
    columns: &[
        Column::new("schedule_id", "Schedule", Id),
        Column::new("asset_id", "Asset", Id),
        Column::new("tag", "Tag", Text),
        UNIT,
        Column::new("title", "Title", Text),
        Column::new("owned_by", "Owner", Id),
        Column::new("kind", "Recurs by", Text),
        Column::new("spec", "Recurrence", Json),
        Column::new("modifiers", "Modifiers", Json),
        Column::new("starts_at", "Begins", Time).nullable(),
        Column::new("ends_at", "Ends", Time).nullable(),
        Column::new("max_fires", "At most", Integer).nullable(),
        Column::new("lead_secs", "Made so many seconds before", Integer).nullable(),
        Column::new("task", "What there is to do", Json),
        Column::new("depends_on", "Comes after", Json).shown_only(),
        Column::new("revision", "Revision", Integer),
        Column::new("effective_from", "Revised from", Time).nullable(),
        Column::new("status", "Status", Text),
        Column::new("next_at", "Due next", Time).nullable(),
        Column::new("tasks_open", "Tasks that are not over", Integer),
        Column::new("occurrences_waiting", "Waiting for others", Integer),
        Column::new("last_due_at", "Due last", Time).nullable(),
        Column::new("last_left_out_at", "Left out last", Time).nullable(),
        Column::new("last_left_out_because", "Left out because", Text).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["schedule_id"],
    default_sort: "title",
};

const DEPENDENCIES: Dataset = Dataset {
    name: "maintenance.schedule_dependencies",
    label: "What comes before what",
    table: "read.maintenance_schedule_dependencies",
    projections: &["maintenance_plan_dependencies", "maintenance_assets"],
    permission: Some(Permission::MaintenancePlansRead),
    owner: None,
    units: Some(Units::Own),
    columns: &[
        Column::new("schedule_id", "Schedule", Id),
        Column::new("depends_on_id", "Comes after", Id),
        Column::new("asset_id", "Asset", Id),
        Column::new("tag", "Tag", Text),
        UNIT,
        Column::new("since", "Since", Time),
    ],
    key: &["schedule_id", "depends_on_id"],
    default_sort: "schedule_id,depends_on_id",
};

const OCCURRENCES: Dataset = Dataset {
    name: "maintenance.occurrences",
    label: "Occurrences of schedules",
    table: "read.maintenance_occurrences",
    projections: &["maintenance_plan_occurrences", "maintenance_assets"],
    permission: Some(Permission::MaintenancePlansRead),
    owner: None,
    units: Some(Units::Own),
    columns: &[
        Column::new("task_id", "Task", Id),
        Column::new("schedule_id", "Schedule", Id),
        Column::new("asset_id", "Asset", Id),
        Column::new("tag", "Tag", Text),
        UNIT,
        Column::new("occurrence", "For the day", Text),
        Column::new("due_at", "Due", Time),
        Column::new("revision", "Revision", Integer),
        Column::new("state", "State", Text),
        Column::new("waits_for", "Waits for", Json).shown_only(),
        Column::new("generated_at", "Made", Time).nullable(),
        Column::new("closed_at", "Over", Time).nullable(),
        CHANGED_AT,
    ],
    key: &["task_id"],
    default_sort: "-due_at",
};
