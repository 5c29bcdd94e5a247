//! An organisation as its rules see it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Event, UnitKind};
use crate::ids::{UnitId, UserId};

/// An organisation and its units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Whether it exists.
    pub status: Status,
    /// Its name.
    pub name: String,
    /// Its short name in addresses.
    pub slug: String,
    /// Its home time zone, an IANA name.
    pub time_zone: String,
    /// Its language and region, a BCP 47 tag.
    pub locale: String,
    /// The currency of its books.
    pub currency: String,
    /// Its units, open and closed.
    pub units: BTreeMap<UnitId, Unit>,
    /// The purge that was asked for.
    pub purge: Option<PendingPurge>,
}

/// A purge that was asked for and has not happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingPurge {
    /// Who asked.
    pub requested_by: UserId,
    /// From when on it can no longer be confirmed.
    pub lapses_at: Timestamp,
    /// When it happens, once somebody else confirmed it.
    pub effective_at: Option<Timestamp>,
}

/// Where an organisation stands in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// It is at work.
    Open,
    /// Nobody can work in it for now.
    Suspended,
    /// It was purged, for good.
    Purged,
}

/// A part of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// What it is.
    pub kind: UnitKind,
    /// Its code, as it was written.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The unit it is part of.
    pub parent_id: Option<UnitId>,
    /// Its own time zone.
    pub time_zone: Option<String>,
    /// Whether it is closed.
    pub closed: bool,
}

impl Organization {
    /// A unit and its ancestors, nearest first; nothing for a unit that is not known.
    pub fn path(&self, unit: UnitId) -> Vec<UnitId> {
        let mut path = Vec::new();
        let mut next = Some(unit);
        while let Some(id) = next
            && let Some(unit) = self.units.get(&id)
            && path.len() < self.units.len()
        {
            path.push(id);
            next = unit.parent_id;
        }
        path
    }

    /// These units and all that are below one of them.
    pub fn below(&self, tops: &BTreeSet<UnitId>) -> BTreeSet<UnitId> {
        let is_below = |unit: &UnitId| self.path(*unit).iter().any(|above| tops.contains(above));
        self.units.keys().copied().filter(is_below).collect()
    }

    /// Those of these units that are below none of the others.
    pub fn highest(&self, units: &BTreeSet<UnitId>) -> Vec<UnitId> {
        let is_below =
            |unit: &UnitId| self.path(*unit).iter().skip(1).any(|above| units.contains(above));
        units.iter().copied().filter(|unit| !is_below(unit)).collect()
    }

    /// The units that are directly part of a unit.
    pub fn children(&self, of: UnitId) -> impl Iterator<Item = (UnitId, &Unit)> {
        self.units
            .iter()
            .filter(move |(_, unit)| unit.parent_id == Some(of))
            .map(|(id, u)| (*id, u))
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Created { name, slug, time_zone, locale, currency } => {
                *self = Self {
                    status: Status::Open,
                    name: name.clone(),
                    slug: slug.clone(),
                    time_zone: time_zone.clone(),
                    locale: locale.clone(),
                    currency: currency.clone(),
                    units: BTreeMap::new(),
                    purge: None,
                };
            }
            Event::PurgeRequested { by, lapses_at } => {
                let (requested_by, lapses_at) = (*by, *lapses_at);
                self.purge = Some(PendingPurge { requested_by, lapses_at, effective_at: None });
            }
            Event::PurgeConfirmed { effective_at, .. } => {
                if let Some(purge) = &mut self.purge {
                    purge.effective_at = Some(*effective_at);
                }
            }
            Event::PurgeCancelled => self.purge = None,
            Event::Purged => *self = Self { status: Status::Purged, ..Self::default() },
            Event::Suspended { .. } => self.status = Status::Suspended,
            Event::Reactivated => self.status = Status::Open,
            Event::Renamed { name } => self.name.clone_from(name),
            Event::UnitAdded { unit_id, kind, code, name, parent_id, time_zone } => {
                let unit = Unit {
                    kind: *kind,
                    code: code.clone(),
                    name: name.clone(),
                    parent_id: *parent_id,
                    time_zone: time_zone.clone(),
                    closed: false,
                };
                self.units.insert(*unit_id, unit);
            }
            Event::UnitMoved { unit_id, parent_id } => {
                self.unit(*unit_id, |unit| unit.parent_id = *parent_id);
            }
            Event::UnitRenamed { unit_id, name } => {
                self.unit(*unit_id, |unit| unit.name.clone_from(name));
            }
            Event::UnitClosed { unit_id } => self.unit(*unit_id, |unit| unit.closed = true),
        }
    }

    fn unit(&mut self, id: UnitId, change: impl FnOnce(&mut Unit)) {
        if let Some(unit) = self.units.get_mut(&id) {
            change(unit);
        }
    }
}
