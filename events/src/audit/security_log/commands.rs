//! What can be asked of a day's record of refusals.

use std::convert::Infallible;

use super::events::{AccessDenied, CommandRefused};
use crate::aggregate::{Class, Refusal, Rejection};

/// An intent for a day's record of refusals.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Record that a rule refused a command.
    RecordRefusal(CommandRefused),
    /// Record that a caller lacked a permission.
    RecordDenial(AccessDenied),
}

/// A refusal is always recorded, so there is no way to refuse that.
impl Rejection for Infallible {
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
