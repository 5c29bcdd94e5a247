//! What can have happened to an asset.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Level, Visibility, With};
use crate::aggregate::Claim;
use crate::decimal::Decimal;
use crate::ids::UnitId;
use crate::money::Money;
use crate::text::fold;

/// A tag is unique in its organisation, whatever its case.
pub const TAG: &str = "maintenance.asset.tag";

/// A fact about an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event {
    /// Somebody began it.
    #[serde(rename = "maintenance.asset.registered")]
    Registered {
        /// What stands on it.
        tag: String,
        /// What people call it.
        name: String,
        /// What kind of thing it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        category: Option<String>,
        /// Its maker's number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        serial: Option<String>,
        /// The unit that it belongs to; absent for the organisation as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit_id: Option<UnitId>,
        /// Since when it is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        acquired_on: Option<Date>,
        /// The last day of its warranty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warranty_until: Option<Date>,
        /// What it cost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost: Option<Money>,
    },
    /// Another tag stands on it.
    #[serde(rename = "maintenance.asset.retagged")]
    Retagged {
        /// What stood on it; another may be tagged so now.
        previous: String,
        /// What stands on it.
        tag: String,
    },
    /// What is known of it was corrected: only what is there changed, and what is null is known no more.
    #[serde(rename = "maintenance.asset.amended")]
    Amended(Amended),
    /// A counter was read.
    #[serde(rename = "maintenance.asset.usage_recorded")]
    UsageRecorded {
        /// Which.
        counter: String,
        /// Where it stands.
        value: Decimal,
        /// How much came on top of where it stood.
        delta: Decimal,
        /// What it has counted in all, whatever was reset in between.
        total: Decimal,
        /// When it was read.
        at: Timestamp,
    },
    /// A counter begins again at zero.
    #[serde(rename = "maintenance.asset.counter_reset")]
    CounterReset {
        /// Which.
        counter: String,
        /// Where it stood.
        previous: Decimal,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// Others see it from now on.
    #[serde(rename = "maintenance.asset.visibility_chosen")]
    VisibilityChosen {
        /// Who.
        visibility: Visibility,
    },
    /// Somebody is let in so far.
    #[serde(rename = "maintenance.asset.shared")]
    Shared {
        /// Who.
        with: With,
        /// How far.
        level: Level,
    },
    /// Somebody is let in no more.
    #[serde(rename = "maintenance.asset.unshared")]
    Unshared {
        /// Who.
        with: With,
    },
    /// It belongs somewhere else.
    #[serde(rename = "maintenance.asset.moved")]
    Moved {
        /// Where it belonged; null for the organisation as a whole.
        from: Option<UnitId>,
        /// Where it belongs; null for the organisation as a whole.
        unit_id: Option<UnitId>,
    },
    /// People are told that its warranty is to end.
    #[serde(rename = "maintenance.asset.warranty_end_announced")]
    WarrantyEndAnnounced {
        /// The last day of its warranty.
        warranty_until: Date,
        /// The notice that was due: so many days before, or on, that day.
        days: u16,
    },
    /// It is not used any more.
    #[serde(rename = "maintenance.asset.retired")]
    Retired,
}

/// What changed of an asset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Amended {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What kind of thing it is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub category: Option<Option<String>>,
    /// Its maker's number.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub serial: Option<Option<String>>,
    /// Since when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub acquired_on: Option<Option<Date>>,
    /// The last day of its warranty.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub warranty_until: Option<Option<Date>>,
    /// What it cost.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub cost: Option<Option<Money>>,
}

/// A member that is there, be it null.
#[expect(clippy::option_option, reason = "absent, empty and filled are three things")]
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl crate::aggregate::Event for Event {
    fn claims(&self, _: &str) -> Vec<Claim> {
        match self {
            Self::Registered { tag, .. } => vec![Claim::take(TAG, fold(tag))],
            Self::Retagged { previous, tag } if fold(previous) != fold(tag) => {
                vec![Claim::release(TAG, fold(previous)), Claim::take(TAG, fold(tag))]
            }
            // What is retired keeps its tag: it stands on it still.
            Self::Retagged { .. }
            | Self::Amended(_)
            | Self::UsageRecorded { .. }
            | Self::CounterReset { .. }
            | Self::VisibilityChosen { .. }
            | Self::Shared { .. }
            | Self::Unshared { .. }
            | Self::Moved { .. }
            | Self::WarrantyEndAnnounced { .. }
            | Self::Retired => Vec::new(),
        }
    }
}
