//! Why an asset refuses.

use jiff::Timestamp;
use uuid::Uuid;

use super::Level;
use crate::aggregate::Class;
use crate::decimal::Decimal;
use crate::money;
use crate::text::Fault;

/// Longest tag.
pub const TAG_MAX_CHARS: usize = 64;
/// Longest name.
pub const NAME_MAX_CHARS: usize = 200;
/// Longest name of a category.
pub const CATEGORY_MAX_CHARS: usize = 64;
/// Longest number of a maker.
pub const SERIAL_MAX_CHARS: usize = 100;
/// Longest name of a counter; a trigger names it as well.
pub const COUNTER_MAX_CHARS: usize = crate::scheduling::COUNTER_MAX_CHARS;
/// Most counters of an asset.
pub const COUNTERS_MAX_COUNT: usize = 32;
/// Most digits after the point of what a counter shows: its smallest unit is a thousandth.
pub const COUNTER_MAX_DIGITS: usize = 3;
/// Longest reason.
pub const REASON_MAX_CHARS: usize = 500;
/// Most users and units whom an asset is shared with.
pub const SHARES_MAX_COUNT: usize = 100;

/// Why an asset refuses.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "ASSET_")]
pub enum Rejection {
    /// There is no such asset, or the caller may not know of it.
    #[error("there is no such asset: register one, or have it shared with you")]
    Unknown,
    /// The asset exists already.
    #[error("the asset exists already: register another")]
    Exists,
    /// The caller is not let in so far.
    #[error(
        "this takes the level {0} with the asset: have it shared with you so far, or ask for a role in its unit"
    )]
    BeyondLevel(Level),
    /// The asset is retired.
    #[error("the asset is retired: register another")]
    Retired,
    /// The tag cannot be used.
    #[error("tag {0}")]
    TagInvalid(Fault),
    /// The name cannot be used.
    #[error("name {0}")]
    NameInvalid(Fault),
    /// The category cannot be used.
    #[error("category {0}")]
    CategoryInvalid(Fault),
    /// The maker's number cannot be used.
    #[error("serial {0}")]
    SerialInvalid(Fault),
    /// The warranty ends before it begins.
    #[error("warranty_until is before acquired_on: correct the days")]
    WarrantyInvalid,
    /// What it cost cannot be used.
    #[error("cost.{0}")]
    CostInvalid(money::Flaw),
    /// There is no such unit.
    #[error("there is no such unit: choose one of the organisation's, or none")]
    UnitUnknown,
    /// The unit is closed.
    #[error("the unit is closed: choose another")]
    UnitClosed,
    /// The name of a counter is not one.
    #[error(
        "counter must be a name of at most {COUNTER_MAX_CHARS} a-z, digits, dots and underscores: correct it"
    )]
    CounterInvalid,
    /// The asset has no such counter.
    #[error("the asset has no such counter: look at its usage")]
    CounterUnknown,
    /// The asset has too many counters.
    #[error("an asset has at most {COUNTERS_MAX_COUNT} counters: use one that it has")]
    CountersFull,
    /// Neither or both of value and delta are given.
    #[error("a reading has either value or delta: give exactly one of the two")]
    ReadingInvalid,
    /// The value is no number that counters show.
    #[error(
        "value must be a number with at most {COUNTER_MAX_DIGITS} digits after the point, as a text: write it like \"12.5\""
    )]
    ValueInvalid,
    /// The delta is no number that counters show, or leads beyond the largest.
    #[error(
        "delta must be a number with at most {COUNTER_MAX_DIGITS} digits after the point, as a text: write it like \"12.5\""
    )]
    DeltaInvalid,
    /// A counter goes forward.
    #[error("value is less than {0}, which was read last: correct it, or reset the counter")]
    UsageDecreases(Decimal),
    /// The reading is of a moment to come.
    #[error("at is in the future: give the moment of the reading, or leave it out")]
    ReadAhead,
    /// A later reading is known.
    #[error("at is before {0}, of which the last reading is: give a later moment, or leave it out")]
    ReadBefore(Timestamp),
    /// The reason cannot be used.
    #[error("reason {0}")]
    ReasonInvalid(Fault),
    /// The asset would be shared with too many.
    #[error("shares must be at most {SHARES_MAX_COUNT}: share with a unit instead")]
    SharesFull,
    /// Somebody stands in the list twice.
    #[error("{0} stands in shares twice: name each user and unit once")]
    SharedTwice(Uuid),
    /// The asset would be shared with somebody who is not there.
    #[error("there is no active user or open unit {0}: correct shares")]
    SharedWithNobody(Uuid),
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        self.into()
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::Unknown | Self::CounterUnknown => Class::Absent,
            Self::BeyondLevel(_) => Class::Forbidden,
            Self::TagInvalid(_)
            | Self::NameInvalid(_)
            | Self::CategoryInvalid(_)
            | Self::SerialInvalid(_)
            | Self::WarrantyInvalid
            | Self::CostInvalid(_)
            | Self::UnitUnknown
            | Self::CounterInvalid
            | Self::ReadingInvalid
            | Self::ValueInvalid
            | Self::DeltaInvalid
            | Self::UsageDecreases(_)
            | Self::ReadAhead
            | Self::ReadBefore(_)
            | Self::ReasonInvalid(_)
            | Self::SharesFull
            | Self::SharedTwice(_)
            | Self::SharedWithNobody(_) => Class::Invalid,
            Self::Exists | Self::Retired | Self::UnitClosed | Self::CountersFull => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::TagInvalid(_) => Some("/tag"),
            Self::NameInvalid(_) => Some("/name"),
            Self::CategoryInvalid(_) => Some("/category"),
            Self::SerialInvalid(_) => Some("/serial"),
            Self::WarrantyInvalid => Some("/warranty_until"),
            Self::CostInvalid(money::Flaw::Currency) => Some("/cost/currency"),
            Self::CostInvalid(money::Flaw::Amount(_) | money::Flaw::Digits(_)) => {
                Some("/cost/amount")
            }
            Self::UnitUnknown | Self::UnitClosed => Some("/unit_id"),
            Self::CounterInvalid | Self::CounterUnknown | Self::CountersFull => Some("/counter"),
            Self::ReadingInvalid | Self::ValueInvalid | Self::UsageDecreases(_) => Some("/value"),
            Self::DeltaInvalid => Some("/delta"),
            Self::ReadAhead | Self::ReadBefore(_) => Some("/at"),
            Self::ReasonInvalid(_) => Some("/reason"),
            Self::SharesFull | Self::SharedTwice(_) | Self::SharedWithNobody(_) => Some("/shares"),
            Self::Unknown | Self::Exists | Self::BeyondLevel(_) | Self::Retired => None,
        }
    }
}
