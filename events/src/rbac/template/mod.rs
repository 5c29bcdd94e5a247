//! Roles that an organisation of some kind usually begins with, as data.

mod booking;
mod maintenance;
mod manufacturing;
mod school;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of organisation whose roles are known.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Template {
    /// A school: administration, teachers, students.
    School,
    /// The upkeep of assets: planners, technicians, requesters.
    Maintenance,
    /// A plant: production, quality, stock.
    Manufacturing,
    /// Appointments with clients.
    Booking,
}

/// A role of a template.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TemplateRole {
    /// Its code; a role of that code that is there already stays as it is.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Its place on the ladder.
    pub level: u16,
    /// What it is granted: names and patterns.
    pub permissions: &'static [&'static str],
    /// The codes of the roles it inherits from.
    pub juniors: &'static [&'static str],
}

/// A permission that a template needs and the catalogue may not have.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TemplatePermission {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The permissions that come with it.
    pub implies: &'static [&'static str],
}

impl Template {
    /// All templates.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Its roles, seniors first.
    pub fn roles(self) -> &'static [TemplateRole] {
        match self {
            Self::School => school::ROLES,
            Self::Maintenance => maintenance::ROLES,
            Self::Manufacturing => manufacturing::ROLES,
            Self::Booking => booking::ROLES,
        }
    }

    /// The permissions it needs, those first that others imply.
    pub fn permissions(self) -> &'static [TemplatePermission] {
        match self {
            Self::School => school::PERMISSIONS,
            Self::Maintenance => maintenance::PERMISSIONS,
            Self::Manufacturing => manufacturing::PERMISSIONS,
            Self::Booking => booking::PERMISSIONS,
        }
    }
}
