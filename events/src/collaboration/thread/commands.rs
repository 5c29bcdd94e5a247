//! What can be asked of the comments on a record.

use crate::ids::{CommentId, UserId};
use crate::subject::Subject;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Says something.
    Post(Post),
    /// Has a comment say something else.
    Edit {
        /// The comment.
        comment_id: CommentId,
        /// What it is to say.
        body: String,
    },
    /// Takes a comment away.
    Delete {
        /// The comment.
        comment_id: CommentId,
    },
}

/// A comment to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The comment.
    pub comment_id: CommentId,
    /// The record that it is on.
    pub subject: Subject,
    /// Whose comment it is.
    pub author_id: UserId,
    /// What it says.
    pub body: String,
    /// The comment that it answers.
    pub parent_id: Option<CommentId>,
}
