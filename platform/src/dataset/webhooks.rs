//! The dataset of the addresses that hear of events.

use events::Permission;

use super::Kind::{Id, Integer, List, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT, VERSION};
use super::{Column, Dataset};

pub(super) const WEBHOOKS: &[Dataset] = &[ENDPOINTS];

const ENDPOINTS: Dataset = Dataset {
    name: "webhooks.endpoints",
    label: "Webhooks",
    table: "read.webhooks_endpoints",
    projections: &["webhooks_endpoints"],
    permission: Some(Permission::WebhooksEndpointsRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("endpoint_id", "Endpoint", Id),
        Column::new("url", "Address", Text),
        Column::new("events", "Events", List),
        Column::new("description", "Description", Text).nullable(),
        Column::new("owned_by", "Owner", Id),
        Column::new("status", "Status", Text),
        Column::new("disabled_reason", "Disabled because", Text).nullable(),
        Column::new("rotated_at", "Secret rotated", Time).nullable(),
        Column::new("old_valid_until", "Secret before signs until", Time).nullable(),
        Column::new("failing_since", "Without answer since", Time).nullable(),
        Column::new("dead_letters", "Given up", Integer),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["endpoint_id"],
    default_sort: "-created_at",
};
