//! Who may deal with an asset besides whoever holds a permission in its unit, and how far.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Asset, Event, Facts, Rejection, SHARES_MAX_COUNT};
use crate::ids::{UnitId, UserId};
use crate::lists::repeats;

/// Whoever belongs to the organisation, among readers.
pub const EVERYBODY: &str = "organization";

/// Who sees an asset besides whoever holds the permission where it belongs.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Visibility {
    /// Nobody but those whom it is shared with.
    #[default]
    Private,
    /// The people of its unit.
    Unit,
    /// Everybody in the organisation.
    Organization,
}

/// How far somebody is let in.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Level {
    /// To see it.
    #[default]
    View,
    /// To record its usage as well.
    Work,
    /// To change it as well, and say who else is let in.
    Manage,
}

impl Level {
    /// All levels, the lowest first.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;
}

/// Whom something is shared with.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum With {
    /// A user.
    User(UserId),
    /// The people of a unit.
    Unit(UnitId),
}

impl With {
    /// The id of the user or the unit.
    pub fn id(self) -> Uuid {
        match self {
            Self::User(user) => user.0,
            Self::Unit(unit) => unit.0,
        }
    }
}

/// As it stands among readers.
impl std::fmt::Display for With {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Unit(unit) => write!(f, "unit:{unit}"),
        }
    }
}

/// Somebody is let in so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Who.
    pub with: With,
    /// How far.
    pub level: Level,
}

/// As whom somebody is found among the readers of what is shared: as a member of the organisation, as themselves, and as one of the
/// people of units, which are those in which they have a role or access and all above.
pub fn seen_as(user: UserId, units: impl IntoIterator<Item = UnitId>) -> Vec<String> {
    let units = units.into_iter().map(|unit| With::Unit(unit).to_string());
    [EVERYBODY.to_owned(), With::User(user).to_string()].into_iter().chain(units).collect()
}

/// Who sees what is in that unit, of that visibility and shared with those.
pub fn readers(
    unit_id: Option<UnitId>,
    visibility: Visibility,
    with: impl IntoIterator<Item = With>,
) -> Vec<String> {
    let all = match visibility {
        Visibility::Private => None,
        // What belongs to no unit belongs to the organisation, whose people are everybody.
        Visibility::Unit => {
            Some(unit_id.map_or(EVERYBODY.to_owned(), |it| With::Unit(it).to_string()))
        }
        Visibility::Organization => Some(EVERYBODY.to_owned()),
    };
    let readers: BTreeSet<String> =
        all.into_iter().chain(with.into_iter().map(|with| with.to_string())).collect();
    readers.into_iter().collect()
}

impl Asset {
    /// Who sees it besides whoever holds the permission where it belongs.
    pub fn readers(&self) -> Vec<String> {
        readers(self.unit_id, self.visibility, self.shares.iter().map(|share| share.with))
    }

    /// How far it lets in one of the people of these units, whatever permission they hold.
    pub fn lets_in(&self, user: UserId, units: &[UnitId]) -> Option<Level> {
        let names = |with: With| match with {
            With::User(named) => named == user,
            With::Unit(unit) => units.contains(&unit),
        };
        let seen = match self.visibility {
            Visibility::Private => false,
            Visibility::Unit => self.unit_id.is_none_or(|unit| units.contains(&unit)),
            Visibility::Organization => true,
        };
        let shared = self.shares.iter().filter(|share| names(share.with)).map(|share| share.level);
        shared.chain(seen.then_some(Level::View)).max()
    }

    pub(super) fn set_sharing(
        &self,
        visibility: Visibility,
        shares: &[Share],
        facts: &Facts,
    ) -> Result<Vec<Event>, Rejection> {
        if shares.len() > SHARES_MAX_COUNT {
            return Err(Rejection::SharesFull);
        }
        let named: Vec<With> = shares.iter().map(|share| share.with).collect();
        if repeats(&named) {
            let mut seen = BTreeSet::new();
            let twice = named.iter().find(|with| !seen.insert(**with));
            return Err(Rejection::SharedTwice(twice.map(|with| with.id()).unwrap_or_default()));
        }
        if let Some(stranger) = facts.strangers.iter().find(|with| named.contains(with)) {
            return Err(Rejection::SharedWithNobody(stranger.id()));
        }
        let chosen =
            (visibility != self.visibility).then_some(Event::VisibilityChosen { visibility });
        let gone = self.shares.iter().filter(|share| !named.contains(&share.with));
        let gone = gone.map(|share| Event::Unshared { with: share.with });
        let new = shares.iter().filter(|share| !self.shares.contains(share));
        let new = new.map(|Share { with, level }| Event::Shared { with: *with, level: *level });
        Ok(chosen.into_iter().chain(gone).chain(new).collect())
    }

    /// Those of the named whom it is not shared with yet.
    pub fn newcomers<'a>(&'a self, shares: &'a [Share]) -> impl Iterator<Item = With> + 'a {
        let known = |with| self.shares.iter().any(|share| share.with == with);
        shares.iter().map(|share| share.with).filter(move |with| !known(*with))
    }
}
