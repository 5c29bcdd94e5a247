//! What can have happened to an organisation.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aggregate::Claim;
use crate::ids::{UnitId, UserId};

/// The namespace of slugs, unique in the installation.
pub const SLUG: &str = "identity.organization.slug";

/// A fact about an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// The organisation was created.
    #[serde(rename = "identity.organization.created")]
    Created {
        /// Its name.
        name: String,
        /// Its short name in addresses, lower-case.
        slug: String,
        /// Its home time zone, an IANA name.
        time_zone: String,
        /// Its language and region, a BCP 47 tag.
        locale: String,
        /// The currency of its books, an ISO 4217 code.
        currency: String,
    },
    /// The organisation got another name.
    #[serde(rename = "identity.organization.renamed")]
    Renamed {
        /// The new name.
        name: String,
    },
    /// Nobody can work in the organisation until it is reactivated; nothing in it changes.
    #[serde(rename = "identity.organization.suspended")]
    Suspended {
        /// Why.
        reason: String,
    },
    /// The organisation is at work again.
    #[serde(rename = "identity.organization.reactivated")]
    Reactivated,
    /// A unit was added to the organisation.
    #[serde(rename = "identity.organization.unit_added")]
    UnitAdded {
        /// The unit.
        unit_id: UnitId,
        /// What it is.
        kind: UnitKind,
        /// Its code, unique in the organisation.
        code: String,
        /// Its name.
        name: String,
        /// The unit it is part of; none at the top.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent_id: Option<UnitId>,
        /// Its time zone where that is not its parent's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_zone: Option<String>,
    },
    /// A unit became part of another unit, or went to the top.
    #[serde(rename = "identity.organization.unit_moved")]
    UnitMoved {
        /// The unit.
        unit_id: UnitId,
        /// The unit it is now part of; none at the top.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent_id: Option<UnitId>,
    },
    /// A unit got another name.
    #[serde(rename = "identity.organization.unit_renamed")]
    UnitRenamed {
        /// The unit.
        unit_id: UnitId,
        /// The new name.
        name: String,
    },
    /// A unit was closed.
    #[serde(rename = "identity.organization.unit_closed")]
    UnitClosed {
        /// The unit.
        unit_id: UnitId,
    },
    /// Somebody asked for the organisation to be purged; nothing happens before somebody else confirms it.
    #[serde(rename = "identity.organization.purge_requested")]
    PurgeRequested {
        /// Who asked, and may not confirm.
        by: UserId,
        /// From when on it can no longer be confirmed.
        lapses_at: Timestamp,
    },
    /// A second person confirmed the purge; it can be cancelled until it happens.
    #[serde(rename = "identity.organization.purge_confirmed")]
    PurgeConfirmed {
        /// Who confirmed.
        by: UserId,
        /// When it happens.
        effective_at: Timestamp,
    },
    /// The organisation is not to be purged after all.
    #[serde(rename = "identity.organization.purge_cancelled")]
    PurgeCancelled,
    /// The organisation is no more: nothing in it can be read or changed again.
    #[serde(rename = "identity.organization.purged")]
    Purged,
}

/// What a unit is.
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
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum UnitKind {
    /// A branch office, school or shop.
    Branch,
    /// A factory.
    Plant,
    /// A department.
    Department,
    /// A place.
    Site,
}

impl crate::aggregate::Event for Event {
    fn claims(&self, _: &str) -> Vec<Claim> {
        match self {
            Self::Created { slug, .. } => vec![Claim::take(SLUG, slug).global()],
            Self::Renamed { .. }
            | Self::Suspended { .. }
            | Self::Reactivated
            | Self::UnitAdded { .. }
            | Self::UnitMoved { .. }
            | Self::UnitRenamed { .. }
            | Self::UnitClosed { .. }
            | Self::PurgeRequested { .. }
            | Self::PurgeConfirmed { .. }
            | Self::PurgeCancelled
            // The slug stays taken: nobody else shall be taken for who had it.
            | Self::Purged => Vec::new(),
        }
    }
}
