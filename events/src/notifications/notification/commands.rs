//! What can be asked of a notification.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, Link, Priority};
use crate::ids::UserId;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Puts the message into somebody's inbox.
    Send(Send),
    /// The recipient has read it.
    MarkRead,
    /// The recipient wants it gone.
    Delete,
    /// It was kept long enough.
    Expire,
}

/// Puts a message into somebody's inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// The recipient.
    pub user_id: UserId,
    /// What it is about.
    pub kind: Kind,
    /// Its first line.
    pub title: String,
    /// The rest of it.
    #[serde(default)]
    pub message: String,
    /// What it leads to.
    #[serde(default)]
    pub link: Option<Link>,
    /// How much it matters.
    #[serde(default)]
    pub priority: Priority,
    /// What the sender calls it, to tell the recipient once.
    #[serde(default)]
    pub dedupe_key: Option<String>,
}
