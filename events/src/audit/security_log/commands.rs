//! What can be asked of a day's security log.

use super::events::{AccessDenied, CommandRefused, DataRead};
use crate::aggregate::{Class, Refusal, Rejection};

/// An intent for a day's security log.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Record that a rule refused a command.
    RecordRefusal(CommandRefused),
    /// Record that a caller lacked a permission.
    RecordDenial(AccessDenied),
    /// Record that somebody read what is sensitive.
    RecordRead(DataRead),
}

/// What goes into the security log is always recorded, so there is no way to refuse that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, thiserror::Error)]
pub enum Never {}

impl Rejection for Never {
    fn code(&self) -> &'static str {
        match *self {}
    }

    fn every() -> Vec<Refusal> {
        Vec::new()
    }

    fn class(&self) -> Class {
        match *self {}
    }
}
