//! A day's refusals, counted.

use serde::{Deserialize, Serialize};

/// What was refused on one day. The record itself is the events; no rule needs more than their number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SecurityLog {
    /// Commands refused by a rule.
    pub refusals: u64,
    /// Requests refused for want of a permission.
    pub denials: u64,
}
