//! The datasets of assets, what they were used, and who is let in, and of tasks with their parts. Numbers with digits after the point are texts; where lists are
//! sorted by them or summed up, a whole number stands beside.

use events::Permission;

use super::Kind::{Boolean, Id, Integer, Json, List, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT, VERSION};
use super::{Column, Dataset, ItemRows, READERS, Units};

pub(super) const MAINTENANCE: &[Dataset] =
    &[ASSETS, USAGE, SHARES, TASKS, TASK_DETAILS, TASK_ASSIGNEES, SUBTASKS, TASK_REQUIREMENTS];

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

/// Whoever is assigned is found by a row of their own.
const fn by_assignee(item: &'static str) -> ItemRows {
    ItemRows { table: "read.maintenance_task_assignees", item }
}

const TASK_ID: Column = Column::new("task_id", "Task", Id);
const OF_TASK: Column = Column::new("task_title", "Of the task", Text);
const SEEN_BY_ASSIGNEES: Column = SEEN_BY.by_rows(by_assignee("reader"));
const ASSIGNEES: Column =
    Column::new("assignees", "Assigned to", List).by_rows(by_assignee("assignee"));
const OF_TASKS: &[&str] =
    &["maintenance_tasks", "maintenance_task_assignees", "maintenance_assets"];

const TASKS: Dataset = Dataset {
    name: "maintenance.tasks",
    label: "Tasks",
    table: "read.maintenance_task_list",
    projections: OF_TASKS,
    permission: Some(Permission::MaintenanceTasksRead),
    owner: None,
    units: Some(Units::OwnOrShared),
    columns: &[
        TASK_ID,
        Column::new("title", "Title", Text),
        Column::new("details", "Details", Text).nullable(),
        Column::new("status", "Status", Text),
        Column::new("priority", "Priority", Text),
        Column::new("asset_id", "Asset", Id).nullable(),
        Column::new("asset_tag", "Tag of the asset", Text).nullable(),
        UNIT,
        Column::new("schedule_id", "Schedule", Id).nullable(),
        Column::new("occurrence", "For the day", Text).nullable(),
        Column::new("schedule_version", "Version of the schedule", Integer).nullable(),
        Column::new("due_at", "Due", Time).nullable(),
        ASSIGNEES,
        Column::new("subtasks_count", "Subtasks", Integer),
        Column::new("subtasks_done", "Subtasks done", Integer),
        Column::new("requirements_count", "Requirements", Integer),
        Column::new("requirements_done", "Requirements done", Integer),
        Column::new("reason", "Because", Text).nullable(),
        SEEN_BY_ASSIGNEES,
        Column::new("started_at", "Started", Time).nullable(),
        Column::new("completed_at", "Completed", Time).nullable(),
        Column::new("ended_at", "Ended", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["task_id"],
    default_sort: "-created_at",
};

const TASK_DETAILS: Dataset = Dataset {
    name: "maintenance.task_details",
    label: "Tasks with all that belongs to them",
    table: "read.maintenance_task_details",
    projections: OF_TASKS,
    permission: Some(Permission::MaintenanceTasksRead),
    owner: None,
    units: Some(Units::OwnOrShared),
    columns: &[
        TASK_ID,
        Column::new("title", "Title", Text),
        Column::new("details", "Details", Text).nullable(),
        Column::new("status", "Status", Text),
        Column::new("priority", "Priority", Text),
        Column::new("asset_id", "Asset", Id).nullable(),
        Column::new("asset_tag", "Tag of the asset", Text).nullable(),
        UNIT,
        Column::new("schedule_id", "Schedule", Id).nullable(),
        Column::new("occurrence", "For the day", Text).nullable(),
        Column::new("schedule_version", "Version of the schedule", Integer).nullable(),
        Column::new("due_at", "Due", Time).nullable(),
        ASSIGNEES,
        Column::new("subtasks", "Subtasks", Json).shown_only(),
        Column::new("requirements", "Requirements", Json).shown_only(),
        Column::new("photos", "Photos", List),
        Column::new("prerequisites", "Tasks before it", Json).shown_only(),
        Column::new("missing", "Missing", Json).shown_only(),
        Column::new("reason", "Because", Text).nullable(),
        SEEN_BY_ASSIGNEES,
        Column::new("started_at", "Started", Time).nullable(),
        Column::new("completed_at", "Completed", Time).nullable(),
        Column::new("ended_at", "Ended", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["task_id"],
    default_sort: "-created_at",
};

const TASK_ASSIGNEES: Dataset = Dataset {
    name: "maintenance.task_assignees",
    label: "Who is to do which task",
    table: "read.maintenance_assignments",
    projections: &["maintenance_task_assignees", "maintenance_tasks"],
    permission: Some(Permission::MaintenanceTasksRead),
    owner: None,
    units: Some(Units::OwnOrShared),
    columns: &[
        TASK_ID,
        Column::new("title", "Title", Text),
        Column::new("status", "Status", Text),
        Column::new("due_at", "Due", Time).nullable(),
        UNIT,
        Column::new("user_id", "User", Id),
        Column::new("assigned_at", "Assigned", Time),
        Column::new("confirmed_at", "Confirmed", Time).nullable(),
        SEEN_BY,
    ],
    key: &["task_id", "user_id"],
    default_sort: "task_id,user_id",
};

const SUBTASKS: Dataset = Dataset {
    name: "maintenance.subtasks",
    label: "Parts of tasks",
    table: "read.maintenance_subtasks",
    projections: &["maintenance_tasks"],
    permission: Some(Permission::MaintenanceTasksRead),
    owner: None,
    units: Some(Units::OwnOrShared),
    columns: &[
        TASK_ID,
        OF_TASK,
        UNIT,
        Column::new("subtask_id", "Subtask", Id),
        Column::new("parent_id", "Part of", Id).nullable(),
        Column::new("title", "Title", Text),
        Column::new("mandatory", "Mandatory", Boolean),
        Column::new("done", "Done", Boolean),
        Column::new("assignees", "Assigned to", List),
        SEEN_BY,
        CHANGED_AT,
    ],
    key: &["task_id", "subtask_id"],
    default_sort: "task_id,subtask_id",
};

const TASK_REQUIREMENTS: Dataset = Dataset {
    name: "maintenance.task_requirements",
    label: "What tasks take",
    table: "read.maintenance_task_requirements",
    projections: &["maintenance_tasks"],
    permission: Some(Permission::MaintenanceTasksRead),
    owner: None,
    units: Some(Units::OwnOrShared),
    columns: &[
        TASK_ID,
        OF_TASK,
        UNIT,
        Column::new("number", "Number", Integer),
        Column::new("kind", "Kind", Text),
        Column::new("requirement_id", "Item, criterion or assignee", Id).nullable(),
        Column::new("title", "Title", Text).nullable(),
        Column::new("mandatory", "Mandatory", Boolean),
        Column::new("done", "Done", Boolean),
        Column::new("op", "Has to compare", Text).nullable(),
        Column::new("wanted", "To", Text).nullable(),
        Column::new("found", "Found", Text).nullable(),
        SEEN_BY,
        CHANGED_AT,
    ],
    key: &["task_id", "number"],
    default_sort: "task_id,number",
};
