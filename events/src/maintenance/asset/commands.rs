//! What can be asked of an asset.

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Level, Share, Visibility};
use crate::ids::UnitId;
use crate::money::Money;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begins it.
    Register(Register),
    /// Corrects what is known of it.
    Change(Change),
    /// A counter was read.
    RecordUsage(RecordUsage),
    /// A counter begins again at zero.
    ResetCounter {
        /// Which.
        counter: String,
        /// Why.
        reason: String,
    },
    /// Says who besides its unit may deal with it.
    SetSharing {
        /// Who sees it.
        visibility: Visibility,
        /// All whom it is shared with.
        shares: Vec<Share>,
    },
    /// It belongs somewhere else.
    Move {
        /// The unit; none for the organisation as a whole.
        unit_id: Option<UnitId>,
    },
    /// The end of its warranty is near; our workers say so.
    AnnounceWarrantyEnd,
    /// It is not used any more.
    Retire,
}

/// Begins an asset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Register {
    /// What stands on it, unique in the organisation.
    pub tag: String,
    /// What people call it.
    pub name: String,
    /// What kind of thing it is.
    pub category: Option<String>,
    /// Its maker's number.
    pub serial: Option<String>,
    /// The unit that it belongs to; none for the organisation as a whole.
    pub unit_id: Option<UnitId>,
    /// Since when it is there.
    pub acquired_on: Option<Date>,
    /// The last day of its warranty.
    pub warranty_until: Option<Date>,
    /// What it cost.
    pub cost: Option<Money>,
}

/// Corrects an asset; what is absent stays, and what is there without a value is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// What stands on it.
    pub tag: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// What kind of thing it is.
    pub category: Option<Option<String>>,
    /// Its maker's number.
    pub serial: Option<Option<String>>,
    /// Since when it is there.
    pub acquired_on: Option<Option<Date>>,
    /// The last day of its warranty.
    pub warranty_until: Option<Option<Date>>,
    /// What it cost.
    pub cost: Option<Option<Money>>,
}

/// A counter was read: exactly one of where it stands and how much came on top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordUsage {
    /// Which.
    pub counter: String,
    /// Where it stands.
    pub value: Option<String>,
    /// How much came on top of where it stood.
    pub delta: Option<String>,
    /// When it was read; the present where none is given.
    pub at: Option<Timestamp>,
}

impl Command {
    /// How far somebody must be let in to give it; nothing where its route has a permission of its own, or where it begins an asset
    /// and the permission there is asked for.
    pub fn needs(&self) -> Option<Level> {
        match self {
            Self::Register(_) | Self::AnnounceWarrantyEnd => None,
            Self::RecordUsage(_) => Some(Level::Work),
            Self::Change(_)
            | Self::ResetCounter { .. }
            | Self::SetSharing { .. }
            | Self::Move { .. }
            | Self::Retire => Some(Level::Manage),
        }
    }
}
