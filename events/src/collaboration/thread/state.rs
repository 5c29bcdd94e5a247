//! The comments on a record as their rules see them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Event;
use crate::ids::{CommentId, TenantId, ThreadId, UserId};
use crate::subject::Subject;

/// Namespace of the ids of threads (RFC 9562, version 5).
const SPACE: Uuid = Uuid::from_u128(0x2d6f_81b0_94c7_5e3a_a1d8_63f2_7c05_be49);

/// The comments on one record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The record; nothing before the first comment.
    pub subject: Option<Subject>,
    /// The comments, deleted ones too.
    pub comments: BTreeMap<CommentId, Comment>,
}

/// A comment; what it says is not kept here, only by what it is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Whose it is.
    pub author_id: UserId,
    /// The comment that it answers.
    pub parent_id: Option<CommentId>,
    /// Until when its author can edit it.
    pub editable_until: Timestamp,
    /// SHA-256 of what it says.
    pub body_sha256: [u8; 32],
    /// Everybody whom it called so far.
    pub called: BTreeSet<UserId>,
    /// Whether it is deleted.
    pub deleted: bool,
}

impl Thread {
    /// The thread of a record, always the same.
    pub fn of(tenant: TenantId, subject: &Subject) -> ThreadId {
        ThreadId(Uuid::new_v5(&SPACE, format!("{tenant}/{subject}").as_bytes()))
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::CommentPosted {
                comment_id,
                subject,
                author_id,
                body,
                mentions,
                parent_id,
                editable_until,
            } => {
                self.subject = Some(*subject);
                let comment = Comment {
                    author_id: *author_id,
                    parent_id: *parent_id,
                    editable_until: *editable_until,
                    body_sha256: digest(body),
                    called: mentions.iter().copied().collect(),
                    deleted: false,
                };
                self.comments.insert(*comment_id, comment);
            }
            Event::CommentEdited { comment_id, body, mentions_added, .. } => {
                if let Some(comment) = self.comments.get_mut(comment_id) {
                    comment.body_sha256 = digest(body);
                    comment.called.extend(mentions_added);
                }
            }
            Event::CommentDeleted { comment_id } => {
                if let Some(comment) = self.comments.get_mut(comment_id) {
                    comment.deleted = true;
                }
            }
        }
    }
}

pub(super) fn digest(body: &str) -> [u8; 32] {
    Sha256::digest(body).into()
}
