//! The dataset of comments.

use events::Permission;

use super::Kind::{Id, List, Text, Time};
use super::catalogue::{CHANGED_AT, CREATED_AT};
use super::{Column, Dataset, Owner};

pub(super) const COLLABORATION: &[Dataset] = &[Dataset {
    name: "collaboration.comments",
    label: "Comments",
    table: "read.collaboration_comments",
    projections: &["collaboration_comments"],
    permission: Some(Permission::CollaborationCommentsUse),
    owner: Some(Owner {
        column: "author_id",
        everybody: Some(Permission::CollaborationCommentsModerate),
        shared: None,
    }),
    units: None,
    columns: &[
        Column::new("comment_id", "Comment", Id),
        Column::new("subject", "About", Text),
        Column::new("parent_id", "Answers", Id).nullable(),
        Column::new("author_id", "Written by", Id),
        Column::new("body", "Text", Text).nullable().shown_only(),
        Column::new("mentions", "Calls", List),
        Column::new("editable_until", "Editable until", Time),
        Column::new("edited_at", "Edited", Time).nullable(),
        Column::new("deleted_at", "Deleted", Time).nullable(),
        CREATED_AT,
        CHANGED_AT,
    ],
    key: &["comment_id"],
    default_sort: "created_at",
}];
