//! A template as its rules see it.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::exports::Report;

/// A report under a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Whether files can be made by it.
    pub status: Status,
    /// What people call it.
    pub name: String,
    /// What its files show.
    pub report: Report,
}

/// Where a template stands in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// Files can be made by it.
    Defined,
    /// They cannot any more.
    Retired,
}

impl Template {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Defined { name, report } => {
                let (name, report) = (name.clone(), report.clone());
                *self = Self { status: Status::Defined, name, report };
            }
            Event::Renamed { name, .. } => self.name.clone_from(name),
            Event::Revised { report } => self.report.clone_from(report),
            Event::Retired { .. } => self.status = Status::Retired,
        }
    }
}
