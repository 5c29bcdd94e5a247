//! What a request for a file leans on besides its own stream.

use crate::exports::template::Status;

/// What the rules of an export need to know of other streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Where the template stands that a request names.
    pub template: Option<Status>,
}
