//! The datasets of exports, and of background work of every kind.

use events::Permission;

use super::Kind::{Boolean, Id, Integer, Json, List, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT, VERSION};
use super::{Column, Dataset, Owner, Units};

pub(super) const EXPORTS: &[Dataset] = &[FILES, JOBS];

const FILES: Dataset = Dataset {
    name: "exports.exports",
    label: "Exports",
    table: "read.exports_exports",
    projections: &["exports_exports"],
    permission: Some(Permission::ExportsFilesRequest),
    owner: Some(Owner { column: "requested_by", everybody: Some(Permission::ExportsFilesReadAll) }),
    units: Some(Units::Somebodys),
    columns: &[
        Column::new("export_id", "Export", Id),
        Column::new("requested_by", "Requested by", Id),
        Column::new("format", "Format", Text),
        Column::new("dataset", "Dataset", Text),
        Column::new("columns", "Columns", List),
        Column::new("filter", "Filter", Text).nullable(),
        Column::new("sort", "Order", Json),
        Column::new("title", "Title", Text).nullable(),
        Column::new("locale", "Language", Text),
        Column::new("time_zone", "Time zone", Text),
        Column::new("status", "Status", Text),
        Column::new("attempts", "Attempts", Integer),
        Column::new("rows_done", "Rows done", Integer),
        Column::new("rows_total", "Rows in all", Integer).nullable(),
        Column::new("file_id", "File", Id).nullable(),
        Column::new("file_name", "File name", Text).nullable(),
        Column::new("size_bytes", "Bytes", Integer).nullable(),
        Column::new("sha256", "SHA-256", Text).nullable(),
        Column::new("rows", "Rows", Integer).nullable(),
        Column::new("as_of_position", "As of position", Integer).nullable(),
        Column::new("expires_at", "Expires", Time).nullable(),
        Column::new("error_code", "Error", Text).nullable(),
        Column::new("error_message", "Message", Text).nullable(),
        Column::new("retryable", "Can be retried", Boolean).nullable(),
        Column::new("downloads", "Downloads", Integer),
        Column::new("started_at", "Started", Time).nullable(),
        Column::new("ended_at", "Ended", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["export_id"],
    default_sort: "-created_at",
};

const JOBS: Dataset = Dataset {
    name: "exports.jobs",
    label: "Background work",
    table: "read.exports_jobs",
    projections: &["exports_jobs"],
    permission: None,
    owner: Some(Owner { column: "requested_by", everybody: Some(Permission::ExportsJobsReadAll) }),
    units: None,
    columns: &[
        Column::new("job_id", "Job", Id),
        Column::new("kind", "Kind", Text),
        Column::new("label", "What", Text),
        Column::new("requested_by", "Requested by", Id).nullable(),
        Column::new("state", "State", Text),
        Column::new("attempts", "Attempts", Integer),
        Column::new("done", "Done", Integer).nullable(),
        Column::new("total", "In all", Integer).nullable(),
        Column::new("unit", "Counted in", Text).nullable(),
        Column::new("error_code", "Error", Text).nullable(),
        Column::new("error_message", "Message", Text).nullable(),
        Column::new("retryable", "Can be retried", Boolean).nullable(),
        Column::new("started_at", "Started", Time).nullable(),
        Column::new("ended_at", "Ended", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["job_id"],
    default_sort: "-created_at",
};
