//! The datasets of assets, what they were used, and who is let in. Numbers with digits after the point are texts; where lists are
//! sorted by them or summed up, a whole number stands beside.

use events::Permission;

use super::Kind::{Id, Integer, Json, List, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT, VERSION};
use super::{Column, Dataset, READERS, Units};

pub(super) const MAINTENANCE: &[Dataset] = &[ASSETS, USAGE, SHARES];

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
