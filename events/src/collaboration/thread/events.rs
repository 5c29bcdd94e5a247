//! What can have happened to the comments on a record.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::COMMENT;
use crate::aggregate::Claim;
use crate::ids::{CommentId, UserId};
use crate::personal::{self, Personal};
use crate::subject::Subject;

/// A fact about the comments on a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody said something.
    #[serde(rename = "collaboration.thread.comment_posted")]
    CommentPosted {
        /// The comment.
        comment_id: CommentId,
        /// The record.
        subject: Subject,
        /// Whose comment it is.
        author_id: UserId,
        /// What it says.
        body: String,
        /// Who is called in it, all of whom are to hear of it.
        mentions: Vec<UserId>,
        /// The comment that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent_id: Option<CommentId>,
        /// Until when its author can edit it.
        editable_until: Timestamp,
    },
    /// A comment says something else now.
    #[serde(rename = "collaboration.thread.comment_edited")]
    CommentEdited {
        /// The comment.
        comment_id: CommentId,
        /// Whose comment it is, whoever edited it.
        author_id: UserId,
        /// What it says.
        body: String,
        /// Who is called in it.
        mentions: Vec<UserId>,
        /// Those of them whom it never called before, who are to hear of it.
        mentions_added: Vec<UserId>,
    },
    /// A comment is gone, and its place is left.
    #[serde(rename = "collaboration.thread.comment_deleted")]
    CommentDeleted {
        /// The comment.
        comment_id: CommentId,
    },
}

impl Event {
    /// The comment that it is about.
    pub fn comment_id(&self) -> CommentId {
        match self {
            Self::CommentPosted { comment_id, .. }
            | Self::CommentEdited { comment_id, .. }
            | Self::CommentDeleted { comment_id } => *comment_id,
        }
    }

    /// Who is to hear of it, if they may.
    pub fn newly_called(&self) -> &[UserId] {
        match self {
            Self::CommentPosted { mentions, .. } => mentions,
            Self::CommentEdited { mentions_added, .. } => mentions_added,
            Self::CommentDeleted { .. } => &[],
        }
    }
}

const fn of_author(event_type: &'static str) -> Personal {
    let subject = personal::Subject::Member("author_id");
    Personal { event_type, members: &["body"], subject }
}

impl crate::aggregate::Event for Event {
    const PERSONAL: &'static [Personal] = &[
        of_author("collaboration.thread.comment_posted"),
        of_author("collaboration.thread.comment_edited"),
    ];

    fn claims(&self, _: &str) -> Vec<Claim> {
        match self {
            Self::CommentPosted { comment_id, .. } => {
                vec![Claim::take(COMMENT, comment_id.to_string())]
            }
            Self::CommentEdited { .. } | Self::CommentDeleted { .. } => Vec::new(),
        }
    }
}
