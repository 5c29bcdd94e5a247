//! The datasets of the audit trail.

use events::Permission;

use super::Kind::{Id, Integer, Json, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT, VERSION};
use super::{Column, Dataset};

pub(super) const AUDIT: &[Dataset] = &[TRAIL, RESTORED, TRAIL_ARCHIVES];

const TRAIL_ARCHIVES: Dataset = Dataset {
    name: "audit.archives",
    label: "Archived months",
    table: "read.audit_archives",
    projections: &["audit_archives"],
    permission: Some(Permission::AuditTrailRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("month", "Month", Text),
        Column::new("file_id", "File", Id),
        Column::new("sha256", "SHA-256", Text),
        Column::new("size_bytes", "Bytes", Integer),
        Column::new("rows", "Entries", Integer),
        Column::new("first_seq", "First number", Integer),
        Column::new("last_seq", "Last number", Integer),
        Column::new("checkpoint_size", "Sealed up to", Integer),
        Column::new("checkpoint_root", "Root", Text),
        Column::new("archived_at", "Archived", Time),
        Column::new("dropped_at", "Dropped", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["month"],
    default_sort: "-month",
};

const TRAIL: Dataset = Dataset {
    name: "audit.trail",
    label: "Audit trail",
    table: "audit.trail",
    projections: &["audit_trail"],
    permission: Some(Permission::AuditTrailRead),
    owner: None,
    units: None,
    columns: &[
        Column::new("tenant_seq", "Number", Integer),
        Column::new("event_id", "Event", Id),
        Column::new("at", "Time", Time),
        Column::new("actor_kind", "Kind of actor", Text).nullable(),
        Column::new("actor_id", "Actor", Text).nullable(),
        Column::new("on_behalf_of", "On behalf of", Text).nullable(),
        Column::new("session_id", "Session", Text).nullable(),
        Column::new("api_key_id", "API key", Text).nullable(),
        Column::new("through", "Through", Text).nullable(),
        Column::new("ip", "Address", Text).nullable().sensitive(),
        Column::new("user_agent", "Program", Text).nullable().sensitive(),
        Column::new("request_id", "Request", Text).nullable(),
        Column::new("correlation_id", "Correlation", Text).nullable(),
        Column::new("causation_id", "Causation", Text).nullable(),
        Column::new("command", "Command", Text).nullable(),
        Column::new("action", "Action", Text),
        Column::new("module", "Module", Text),
        Column::new("resource_type", "Kind of resource", Text),
        Column::new("resource_id", "Resource", Text).nullable(),
        Column::new("aggregate_type", "Kind of stream", Text),
        Column::new("aggregate_id", "Stream", Text),
        VERSION,
        Column::new("status", "Status", Text),
        Column::new("reason", "Reason", Text).nullable(),
        Column::new("changes", "Changes", Json),
        Column::new("detail", "Detail", Json).nullable(),
    ],
    key: &["tenant_seq"],
    default_sort: "-tenant_seq",
};

const RESTORED: Dataset = Dataset {
    name: "audit.restored",
    label: "Restored months of the audit trail",
    table: "audit.trail_restored",
    projections: &[],
    ..TRAIL
};
