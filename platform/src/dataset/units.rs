//! Which rows are seen by whoever may see a dataset in units alone: one rule for lists, items and files.

use events::{UnitId, UserId};

use super::filter::{Comparison, Filter, Operator, Value};
use super::{Dataset, Query, Refused};
use crate::access::Places;

/// The column that names the unit of a row.
pub const UNIT: &str = "unit_id";
/// The column with the list of those who see a row besides.
pub const READERS: &str = "readers";

/// How rows belong to units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// Each to its own; rows of none belong to the organisation as a whole.
    Own,
    /// Each to its own; rows of none count in every unit, and are seen from each.
    OwnOrEvery,
    /// Each to its own; rows of none belong to the organisation as a whole. Whoever asks themselves sees those besides of which they are
    /// among the readers; a file, which outlives that, holds none of these.
    OwnOrShared,
    /// To none: each is somebody's, who sees it wherever they hold the permission.
    Somebodys,
}

impl Dataset {
    /// Whether its rows name the units that they belong to.
    pub fn is_by_unit(&self) -> bool {
        match self.units {
            Some(Units::Own | Units::OwnOrEvery | Units::OwnOrShared) => true,
            Some(Units::Somebodys) | None => false,
        }
    }

    /// Whether a row of that unit, or of none, is seen from there.
    pub fn is_seen_from(&self, places: &Places, unit: Option<UnitId>) -> bool {
        let of_every = unit.is_none() && self.units == Some(Units::OwnOrEvery);
        places.hold(unit) || of_every && *places != Places::Nowhere
    }
}

impl Query {
    /// Only the rows that belong where the permission is held; nothing where none of them can.
    pub fn seen_from(
        self,
        dataset: &'static Dataset,
        places: &Places,
        me: Option<UserId>,
    ) -> Result<Option<Self>, Refused> {
        let units = match places {
            Places::Everywhere => return Ok(Some(self)),
            Places::In(units) => units,
            Places::Nowhere => return Ok(None),
        };
        let of_none = Filter::Is(Comparison {
            operator: Operator::NotEqual,
            ..Comparison::equal(UNIT, Value::Present)
        });
        let of_units = units.iter().map(|unit| Filter::equals(UNIT, unit.to_string())).collect();
        match (dataset.units, me) {
            (Some(Units::Own | Units::OwnOrShared), _) => {
                self.narrowed(dataset, Filter::Any(of_units), me).map(Some)
            }
            (Some(Units::OwnOrEvery), _) => {
                let seen = [vec![of_none], of_units].concat();
                self.narrowed(dataset, Filter::Any(seen), me).map(Some)
            }
            (Some(Units::Somebodys), Some(me)) => Ok(Some(self.of_owner(me))),
            (Some(Units::Somebodys), None) | (None, _) => Ok(None),
        }
    }

    /// The same for whoever asks themselves, as one of these readers.
    pub fn seen_by(
        self,
        dataset: &'static Dataset,
        (places, readers): (&Places, &[String]),
        me: Option<UserId>,
    ) -> Result<Option<Self>, Refused> {
        let units = match (dataset.units, places) {
            (Some(Units::OwnOrShared), Places::In(units)) => Some(units),
            (Some(Units::OwnOrShared), Places::Nowhere) => None,
            (_, _) => return self.seen_from(dataset, places, me),
        };
        let of_units =
            units.into_iter().flatten().map(|unit| Filter::equals(UNIT, unit.to_string()));
        let shared = readers.iter().map(|reader| Filter::equals(READERS, reader));
        let seen: Vec<Filter> = of_units.chain(shared).collect();
        if seen.is_empty() {
            return Ok(None);
        }
        self.narrowed(dataset, Filter::Any(seen), me).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use events::testing::id;

    use super::*;
    use crate::dataset::find;

    /// The condition that is added, nothing where there is nothing to see.
    fn narrowed(seen: Result<Option<Query>, Refused>) -> Option<String> {
        let query = seen.unwrap()?;
        Some(query.filter.as_ref().map(ToString::to_string).unwrap_or_default())
    }

    #[test]
    fn what_is_shared_is_seen_by_its_readers_and_is_in_no_file() {
        let assets = find("maintenance.assets").unwrap();
        let all = || Query::everything(assets).unwrap();
        let (unit, reader) = (id::<UnitId>(3).to_string(), "user:1".to_owned());
        let there = Places::In(BTreeSet::from([id(3)]));
        let seen = |places: &Places, readers: &[String]| {
            narrowed(all().seen_by(assets, (places, readers), Some(id(1))))
        };
        let readers = [reader.clone()];
        assert_eq!(seen(&Places::Everywhere, &readers).as_deref(), Some(""));
        let both = seen(&there, &readers).unwrap();
        assert!(both.contains(&unit) && both.contains(&reader) && both.contains(" OR "), "{both}");
        let shared = seen(&Places::Nowhere, &readers).unwrap();
        assert!(!shared.contains(&unit) && shared.contains(&reader), "{shared}");
        assert_eq!(seen(&Places::Nowhere, &[]), None);
        let in_file = narrowed(all().seen_from(assets, &there, Some(id(1)))).unwrap();
        assert!(in_file.contains(&unit) && !in_file.contains(READERS), "{in_file}");
        assert_eq!(narrowed(all().seen_from(assets, &Places::Nowhere, Some(id(1)))), None);
    }

    #[test]
    fn readers_count_only_where_rows_are_shared() {
        let roles = find("rbac.roles").unwrap();
        let readers = ["organization".to_owned()];
        let query = Query::everything(roles).unwrap();
        let seen = query.seen_by(roles, (&Places::Nowhere, &readers), Some(id(1)));
        assert_eq!(narrowed(seen), None);
    }
}
