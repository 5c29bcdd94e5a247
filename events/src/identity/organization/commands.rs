//! What can be asked of an organisation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UnitKind;
use crate::ids::UnitId;

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Creates the organisation.
    Create(Create),
    /// Gives it another name.
    Rename(Rename),
    /// Lets nobody work in it any more.
    Suspend(Suspend),
    /// Lets its users work in it again.
    Reactivate,
    /// Adds a unit.
    AddUnit(AddUnit),
    /// Makes a unit part of another, or puts it at the top.
    MoveUnit(MoveUnit),
    /// Gives a unit another name.
    RenameUnit(RenameUnit),
    /// Closes a unit for good.
    CloseUnit(CloseUnit),
    /// Asks for the organisation to be purged.
    RequestPurge(RequestPurge),
    /// Confirms that it is to be purged.
    ConfirmPurge(ConfirmPurge),
    /// Lets it be.
    CancelPurge,
    /// Purges it.
    Purge(Purge),
}

/// Creates an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Its name.
    pub name: String,
    /// Its short name in addresses: 2 to 63 of a-z, digits and inner hyphens, unique in the
    /// installation.
    pub slug: String,
    /// Its home time zone, an IANA name.
    pub time_zone: String,
    /// Its language and region, a BCP 47 tag.
    pub locale: String,
    /// The currency of its books, an ISO 4217 code.
    pub currency: String,
}

/// Lets nobody work in the organisation any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suspend {
    /// Why.
    pub reason: String,
}

/// Gives the organisation another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The new name.
    pub name: String,
}

/// Adds a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddUnit {
    /// The unit's id, made by the client or the server.
    pub unit_id: UnitId,
    /// What it is.
    pub kind: UnitKind,
    /// Its code, unique in the organisation whatever the case.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The unit it is part of; none puts it at the top.
    #[serde(default)]
    pub parent_id: Option<UnitId>,
    /// Its time zone where that is not its parent's.
    #[serde(default)]
    pub time_zone: Option<String>,
}

/// Makes a unit part of another, or puts it at the top.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveUnit {
    /// The unit.
    pub unit_id: UnitId,
    /// The unit it will be part of; none puts it at the top.
    #[serde(default)]
    pub parent_id: Option<UnitId>,
}

/// Gives a unit another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameUnit {
    /// The unit.
    pub unit_id: UnitId,
    /// The new name.
    pub name: String,
}

/// Closes a unit for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseUnit {
    /// The unit.
    pub unit_id: UnitId,
}

/// Asks for the organisation to be purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPurge {
    /// Its slug, repeated.
    pub slug: String,
}

/// Confirms that the organisation is to be purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmPurge {
    /// Its slug, repeated.
    pub slug: String,
}

/// Purges the organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// Whether the erasure ledger says that it was purged before: then this log is older, and there is nothing to ask.
    pub in_ledger: bool,
}
