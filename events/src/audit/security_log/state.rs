//! A day's security log, counted.

use serde::{Deserialize, Serialize};

/// What was refused and read on one day. The record itself is the events; no rule needs more than their number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SecurityLog {
    /// Commands refused by a rule.
    pub refusals: u64,
    /// Requests refused for want of a permission.
    pub denials: u64,
    /// Readings of what is sensitive.
    #[serde(default)]
    pub reads: u64,
}
