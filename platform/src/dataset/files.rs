//! The dataset of uploaded files.

use events::Permission;

use super::Kind::{Id, Integer, Json, List, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT, VERSION};
use super::{Column, Dataset, ItemRows, Owner};

pub(super) const FILES: &[Dataset] = &[Dataset {
    name: "files.files",
    label: "Files",
    table: "read.files_files",
    projections: &["files_files", "files_links"],
    permission: Some(Permission::FilesFilesUse),
    owner: Some(Owner {
        column: "uploaded_by",
        everybody: Some(Permission::FilesFilesReadAll),
        shared: None,
    }),
    units: None,
    columns: &[
        Column::new("file_id", "File", Id),
        Column::new("name", "Name", Text),
        Column::new("media_type", "Type", Text),
        Column::new("size_bytes", "Bytes", Integer).nullable(),
        Column::new("sha256", "SHA-256", Text).nullable(),
        Column::new("purpose", "Purpose", Text),
        Column::new("status", "Status", Text),
        Column::new("uploaded_by", "Uploaded by", Id),
        Column::new("subjects", "About", List)
            .by_rows(ItemRows { table: "read.files_links", item: "subject" }),
        Column::new("links", "Links", Json).shown_only(),
        Column::new("flag_reason", "Held back because", Text).nullable(),
        Column::new("refused_reason", "Refused because", Text).nullable(),
        Column::new("downloads", "Downloads", Integer),
        Column::new("stored_at", "Stored", Time).nullable(),
        Column::new("ends_at", "Goes", Time).nullable(),
        VERSION,
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["file_id"],
    default_sort: "-created_at",
}];
