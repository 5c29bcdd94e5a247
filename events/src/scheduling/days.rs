//! Which days are open, and what becomes of an occurrence on one that is not.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Day, Modifiers, Roll};
use crate::ids::BlackoutCalendarId;

/// An open day is looked for over so many days.
pub const STEPS_MAX: usize = 366;
/// What a weekend is where nobody says otherwise.
const WEEKEND: &[Day] = &[Day::Saturday, Day::Sunday];

/// Days on which nothing is to happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blackout {
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
    /// What they are, for people.
    pub label: String,
    /// Whether they come again.
    #[serde(default)]
    pub recurring: Recurring,
}

/// Whether days come again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recurring {
    /// They do not.
    #[default]
    None,
    /// Every year from then on, by month and day.
    Yearly,
}

impl Blackout {
    /// Whether it closes a day.
    pub fn covers(&self, date: Date) -> bool {
        match self.recurring {
            Recurring::None => (self.from..=self.to).contains(&date),
            Recurring::Yearly => {
                let of = |date: Date| (date.month(), date.day());
                let (from, to, day) = (of(self.from), of(self.to), of(date));
                let within =
                    if from <= to { from <= day && day <= to } else { day >= from || day <= to };
                within && date >= self.from
            }
        }
    }
}

/// Why a day is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Closed {
    /// It belongs to the weekend.
    Weekend,
    /// It is blacked out.
    Blackout {
        /// By which calendar.
        calendar_id: BlackoutCalendarId,
        /// What the calendar calls it.
        label: String,
    },
}

/// Where an occurrence goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It stays.
    Here,
    /// It moves.
    Moved(Date, Closed),
    /// It is left out.
    Nowhere(Closed),
}

/// Which days are open, and what becomes of what falls on one that is not.
#[derive(Debug, Clone, Default)]
pub struct Days {
    weekend: Vec<Day>,
    blackouts: Vec<(BlackoutCalendarId, Blackout)>,
    /// Of those that do not come again, by their first day: it, and which of it and those before it lasts longest.
    once: Vec<(Date, usize)>,
    /// Of those that come every year, by month and day: the one that began first.
    yearly: BTreeMap<(i8, i8), usize>,
    roll: Roll,
}

type Blackouts = [(BlackoutCalendarId, Blackout)];

fn once(blackouts: &Blackouts) -> Vec<(Date, usize)> {
    let is_once = |of: &Blackout| of.recurring == Recurring::None;
    let mut once: Vec<(Date, usize)> = blackouts
        .iter()
        .enumerate()
        .filter(|(_, (_, blackout))| is_once(blackout))
        .map(|(index, (_, blackout))| (blackout.from, index))
        .collect();
    once.sort_unstable();
    let mut longest: Option<usize> = None;
    for (_, index) in &mut once {
        let lasts = longest.filter(|known| blackouts[*known].1.to >= blackouts[*index].1.to);
        *index = lasts.unwrap_or(*index);
        longest = Some(*index);
    }
    once
}

fn yearly(blackouts: &Blackouts) -> BTreeMap<(i8, i8), usize> {
    let mut yearly = BTreeMap::new();
    for (index, (_, blackout)) in blackouts.iter().enumerate() {
        if blackout.recurring == Recurring::None {
            continue;
        }
        let days = std::iter::successors(Some(blackout.from), |date| date.tomorrow().ok());
        let days = days.take_while(|date| *date <= blackout.to).take(STEPS_MAX);
        // Over the end of February they hold the day that only some years have.
        let of = |date: Date| match (date.month(), date.day()) {
            (2, 28) if date < blackout.to => vec![(2, 28), (2, 29)],
            day => vec![day],
        };
        for day in days.flat_map(of) {
            let known = yearly.entry(day).or_insert(index);
            if blackout.from < blackouts[*known].1.from {
                *known = index;
            }
        }
    }
    yearly
}

impl Days {
    /// As modifiers have it, with what the calendars that they name hold.
    pub fn new(modifiers: &Modifiers, blackouts: Vec<(BlackoutCalendarId, Blackout)>) -> Self {
        let weekend = match (modifiers.business_days_only, modifiers.weekend.as_slice()) {
            (false, _) => &[],
            (true, []) => WEEKEND,
            (true, weekend) => weekend,
        };
        let (once, yearly) = (once(&blackouts), yearly(&blackouts));
        Self { weekend: weekend.to_vec(), blackouts, once, yearly, roll: modifiers.roll }
    }

    /// Whether occurrences are moved to other days.
    pub fn moves(&self) -> bool {
        self.roll.moves() && !(self.weekend.is_empty() && self.blackouts.is_empty())
    }

    /// Why a day is closed, if it is.
    pub fn closed(&self, date: Date) -> Option<Closed> {
        let begun = self.once.partition_point(|(from, _)| *from <= date);
        let once = begun.checked_sub(1).map(|last| self.once[last].1);
        let yearly = self.yearly.get(&(date.month(), date.day())).copied();
        let found = [once, yearly].into_iter().flatten().map(|index| &self.blackouts[index]);
        if let Some((calendar_id, blackout)) = found.into_iter().find(|it| it.1.covers(date)) {
            let label = blackout.label.clone();
            return Some(Closed::Blackout { calendar_id: *calendar_id, label });
        }
        self.weekend.contains(&date.weekday().into()).then_some(Closed::Weekend)
    }

    /// What becomes of an occurrence on a day.
    pub fn place(&self, date: Date) -> Place {
        let Some(closed) = self.closed(date) else { return Place::Here };
        let following = || self.open(date, Date::tomorrow);
        let preceding = || self.open(date, Date::yesterday);
        let open = match self.roll {
            Roll::None | Roll::Skip => None,
            Roll::Following => following(),
            Roll::Preceding => preceding(),
            Roll::ModifiedFollowing => {
                let month = (date.year(), date.month());
                following().filter(|open| (open.year(), open.month()) == month).or_else(preceding)
            }
        };
        match open {
            Some(open) => Place::Moved(open, closed),
            None => Place::Nowhere(closed),
        }
    }

    /// The first day from which something can be moved to a day, or past it.
    pub(super) fn reaches_from(&self, date: Date) -> Date {
        let mut first = date;
        for _ in 0..STEPS_MAX {
            match first.yesterday() {
                Ok(before) if self.closed(before).is_some() => first = before,
                Ok(_) | Err(_) => break,
            }
        }
        first
    }

    fn open(&self, date: Date, step: fn(Date) -> Result<Date, jiff::Error>) -> Option<Date> {
        let days = std::iter::successors(step(date).ok(), |date| step(*date).ok());
        days.take(STEPS_MAX).find(|date| self.closed(*date).is_none())
    }

    /// The day so many open days after a day, or before it: WORKDAY of spreadsheets.
    pub fn workday(&self, start: Date, days: i32) -> Option<Date> {
        let step = if days < 0 { Date::yesterday } else { Date::tomorrow };
        (0..days.unsigned_abs()).try_fold(start, |date, _| self.open(date, step))
    }

    /// How many open days lie between two, both included, negative when the second is earlier: NETWORKDAYS of spreadsheets.
    pub fn networkdays(&self, start: Date, end: Date) -> i64 {
        let (first, last, sign) = if start <= end { (start, end, 1) } else { (end, start, -1) };
        let days = std::iter::successors(Some(first), |date| date.tomorrow().ok());
        let open = days.take_while(|date| *date <= last).filter(|d| self.closed(*d).is_none());
        sign * i64::try_from(open.count()).unwrap_or(i64::MAX)
    }
}
