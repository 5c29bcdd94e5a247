//! An asset as its rules see it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Amended, Counter, Event, Share, Visibility};
use crate::decimal::Decimal;
use crate::ids::UnitId;
use crate::money::Money;

/// Something that is kept up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Where it stands in its life.
    pub status: Status,
    /// What stands on it.
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
    /// The last notice of its end: so many days before.
    pub warranty_notice: Option<u16>,
    /// What it cost.
    pub cost: Option<Money>,
    /// Who sees it besides whoever holds the permission where it belongs.
    pub visibility: Visibility,
    /// Who else is let in, and how far.
    pub shares: Vec<Share>,
    /// How much it was used, by the names of counters.
    pub counters: BTreeMap<String, Counter>,
}

/// Where an asset stands in its life.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// It does not exist.
    #[default]
    Absent,
    /// It is used and kept up.
    Active,
    /// It is not any more.
    Retired,
}

impl Asset {
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::Registered {
                tag,
                name,
                category,
                serial,
                unit_id,
                acquired_on,
                warranty_until,
                cost,
            } => {
                *self = Self {
                    status: Status::Active,
                    tag: tag.clone(),
                    name: name.clone(),
                    category: category.clone(),
                    serial: serial.clone(),
                    unit_id: *unit_id,
                    acquired_on: *acquired_on,
                    warranty_until: *warranty_until,
                    cost: cost.clone(),
                    ..Self::default()
                };
            }
            Event::Retagged { tag, .. } => self.tag.clone_from(tag),
            Event::Amended(amended) => self.amend(amended),
            Event::UsageRecorded { counter, value, total, at, .. } => {
                let read = Counter { value: *value, total: *total, at: *at };
                self.counters.insert(counter.clone(), read);
            }
            Event::CounterReset { counter, at, .. } => {
                if let Some(known) = self.counters.get_mut(counter) {
                    (known.value, known.at) = (Decimal::default(), *at);
                }
            }
            Event::VisibilityChosen { visibility } => self.visibility = *visibility,
            Event::Shared { with, level } => {
                self.shares.retain(|share| share.with != *with);
                self.shares.push(Share { with: *with, level: *level });
            }
            Event::Unshared { with } => self.shares.retain(|share| share.with != *with),
            Event::Moved { unit_id, .. } => self.unit_id = *unit_id,
            Event::WarrantyEndAnnounced { days, .. } => self.warranty_notice = Some(*days),
            Event::Retired => self.status = Status::Retired,
        }
    }

    fn amend(&mut self, amended: &Amended) {
        let Amended { name, category, serial, acquired_on, warranty_until, cost } = amended.clone();
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.category = category.unwrap_or_else(|| self.category.take());
        self.serial = serial.unwrap_or_else(|| self.serial.take());
        self.acquired_on = acquired_on.unwrap_or(self.acquired_on);
        if let Some(until) = warranty_until {
            (self.warranty_until, self.warranty_notice) = (until, None);
        }
        self.cost = cost.unwrap_or_else(|| self.cost.take());
    }
}
