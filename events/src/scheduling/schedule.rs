//! A schedule ready to be asked: what runs when, what is moved and what is left out, and why.

use std::collections::VecDeque;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cron::Expression;
use super::days::{Blackout, Closed, Days, Place};
use super::local::{self, Local, Meant};
use super::rule::Rule;
use super::{Basis, Day, Fault, Hemisphere, Modifiers, Overflow, Season, Spec, seasons};
use crate::ids::BlackoutCalendarId;

/// After so many steps a search ends, whatever it found.
pub const STEPS_MAX: usize = 20_000;
/// After so many closed days as well; each that would be moved and finds no open day in a year counts for several.
const CLOSED_MAX: usize = 4_000;
const NOWHERE: usize = 10;
/// Of a season's first day by the calendar, offset and difference by the sun included, nothing is further away.
const SEASON_YEARS: i16 = 2;

/// What becomes of one occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It runs.
    Runs {
        /// When.
        at: Timestamp,
        /// Where it was meant to be, if that is elsewhere.
        #[serde(skip_serializing_if = "Option::is_none")]
        shift: Option<Shift>,
    },
    /// It is left out. Of a day that is closed, only the first is told.
    Skipped {
        /// When it would have been.
        at: Timestamp,
        /// The same as clocks show it.
        planned: DateTime,
        /// Why.
        reason: Reason,
    },
}

/// Where an occurrence was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shift {
    /// The local time that was meant.
    pub planned: DateTime,
    /// Why it is elsewhere.
    pub reason: Reason,
}

/// Why an occurrence is moved or left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// The day belongs to the weekend.
    Weekend,
    /// The day is blacked out.
    Blackout {
        /// By which calendar.
        calendar_id: BlackoutCalendarId,
        /// What the calendar calls it.
        label: String,
    },
    /// The month has no such day.
    NonexistentDay {
        /// Its number.
        day: u8,
    },
    /// No clock shows the time: it lies in the gap when clocks go forward.
    NonexistentTime,
}

impl From<Closed> for Reason {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Weekend => Self::Weekend,
            Closed::Blackout { calendar_id, label } => Self::Blackout { calendar_id, label },
        }
    }
}

impl Outcome {
    /// When it is, or would have been.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Runs { at, .. } | Self::Skipped { at, .. } => *at,
        }
    }

    /// When it runs, if it does.
    pub fn runs(&self) -> Option<Timestamp> {
        match self {
            Self::Runs { at, .. } => Some(*at),
            Self::Skipped { .. } => None,
        }
    }
}

/// A schedule ready to be asked.
#[derive(Debug, Clone)]
pub struct Schedule {
    zone: TimeZone,
    days: Days,
    recurrence: Recurrence,
}

#[derive(Debug, Clone)]
enum Recurrence {
    Never,
    Once(Timestamp),
    Every { every: SignedDuration, from: Timestamp },
    Cron(Expression),
    Rule(Box<Rule>),
    Dates { dates: Dates, time: Time },
}

#[derive(Debug, Clone)]
enum Dates {
    Every,
    Weekly(Vec<Day>),
    Monthly { day: u8, overflow: Overflow },
    Seasonal { seasons: Vec<Season>, offset_days: i16, by: (Hemisphere, Basis) },
}

impl Schedule {
    /// The schedule of a recurrence that was checked; `begins` is what an interval without a beginning is counted from.
    pub fn new(
        spec: &Spec,
        modifiers: &Modifiers,
        blackouts: Vec<(BlackoutCalendarId, Blackout)>,
        begins: Timestamp,
    ) -> Result<Self, Fault> {
        let zone = super::check::zone(&modifiers.time_zone)?;
        let dates = |dates: Dates, time: &Time| Recurrence::Dates { dates, time: *time };
        let recurrence = match spec {
            Spec::Once { at } => Recurrence::Once(*at),
            Spec::Interval { every, from } => {
                Recurrence::Every { every: *every, from: from.unwrap_or(begins) }
            }
            Spec::Cron { expression } => {
                Recurrence::Cron(Expression::parse(expression).ok_or(Fault::Cron)?)
            }
            Spec::Rrule { starts, rule, except } => {
                let rule = Rule::parse(*starts, rule, except, &zone).ok_or(Fault::Rrule)?;
                Recurrence::Rule(Box::new(rule))
            }
            Spec::Daily { time } => dates(Dates::Every, time),
            Spec::Weekly { days, time } => dates(Dates::Weekly(days.clone()), time),
            Spec::MonthlyDay { day, time, overflow } => {
                dates(Dates::Monthly { day: *day, overflow: *overflow }, time)
            }
            Spec::Seasonal { seasons, offset_days, hemisphere, basis, time } => {
                let (seasons, by) = (seasons.clone(), (*hemisphere, *basis));
                dates(Dates::Seasonal { seasons, offset_days: *offset_days, by }, time)
            }
            Spec::Usage { .. } => Recurrence::Never,
        };
        Ok(Self { zone, days: Days::new(modifiers, blackouts), recurrence })
    }

    /// What becomes of every occurrence after a moment, in order; it ends where nothing follows or too much was looked at.
    pub fn after(&self, after: Timestamp) -> Occurrences<'_> {
        let cursor = if self.days.moves() {
            let first = self.days.reaches_from(self.zone.to_datetime(after).date());
            self.begin_of(first).map_or(after, |begin| begin.min(after))
        } else {
            after
        };
        let (day, ready) = (None, VecDeque::new());
        Occurrences { schedule: self, after, cursor, steps: 0, closed: 0, day, ready }
    }

    /// The first that runs after a moment.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.after(after).find_map(|outcome| outcome.runs())
    }

    /// What becomes of the next that run and of those left out between them, so many in all.
    pub fn preview(&self, after: Timestamp, most: usize) -> Vec<Outcome> {
        self.after(after).take(most).collect()
    }

    /// What is meant next, before days are looked at.
    fn meant(&self, after: Timestamp) -> Option<Meant> {
        let plain = |at: Timestamp| {
            let local = Local { time: self.zone.to_datetime(at), missing: None };
            Meant { at, local, in_gap: false }
        };
        let local = |time: DateTime| Local { time, missing: None };
        let (zone, repeats) = (&self.zone, false);
        match &self.recurrence {
            Recurrence::Never => None,
            Recurrence::Once(at) => (*at > after).then(|| plain(*at)),
            Recurrence::Every { every, from } => every_after(*every, *from, after).map(plain),
            Recurrence::Cron(cron) => {
                local::next(zone, after, |floor| cron.next(floor).map(local), cron.repeats())
            }
            Recurrence::Rule(rule) => {
                local::next(zone, after, |floor| rule.next(floor).map(local), repeats)
            }
            Recurrence::Dates { dates, time } => {
                local::next(zone, after, |floor| dates.next(floor, *time, zone), repeats)
            }
        }
    }

    /// Just before a day begins.
    fn begin_of(&self, date: Date) -> Option<Timestamp> {
        let begins = self.zone.to_ambiguous_timestamp(date.to_datetime(Time::midnight()));
        begins.compatible().ok()?.checked_sub(SignedDuration::from_nanos(1)).ok()
    }

    fn moment(&self, local: DateTime) -> Option<Timestamp> {
        self.zone.to_ambiguous_timestamp(local).compatible().ok()
    }
}

fn every_after(every: SignedDuration, from: Timestamp, after: Timestamp) -> Option<Timestamp> {
    if from > after {
        return Some(from);
    }
    let (every_s, elapsed) = (every.as_secs().max(1), from.duration_until(after).as_secs());
    let next = SignedDuration::from_secs((elapsed / every_s + 1).checked_mul(every_s)?);
    from.checked_add(next).ok()
}

impl Dates {
    /// The first at `time` after a local time.
    fn next(&self, after: DateTime, time: Time, zone: &TimeZone) -> Option<Local> {
        let on = |date: Date| Local { time: date.to_datetime(time), missing: None };
        match self {
            Self::Every => days_from(after.date()).map(on).find(|local| local.time > after),
            Self::Weekly(days) => days_from(after.date())
                .filter(|date| days.contains(&date.weekday().into()))
                .map(on)
                .find(|local| local.time > after),
            Self::Monthly { day, overflow } => {
                let months = std::iter::successors(Some(after.date().first_of_month()), |date| {
                    date.last_of_month().tomorrow().ok()
                });
                let of_month = |month: Date| {
                    let wanted = i8::try_from(*day).unwrap_or(i8::MAX);
                    let date = month.with().day(wanted.min(month.days_in_month())).build().ok()?;
                    let lacks = wanted > month.days_in_month() && *overflow == Overflow::Skip;
                    Some(Local { missing: lacks.then_some(*day), ..on(date) })
                };
                months.take(3).filter_map(of_month).find(|local| local.time > after)
            }
            Self::Seasonal { seasons, offset_days, by } => {
                let years = after.year() - SEASON_YEARS..=after.year() + SEASON_YEARS;
                let starts = years.flat_map(|year| {
                    seasons.iter().filter_map(move |it| seasons::begins(year, *it, *by, zone))
                });
                let offset = SignedDuration::from_hours(24 * i64::from(*offset_days));
                let dates = starts.filter_map(|date| date.checked_add(offset).ok());
                dates.map(on).filter(|local| local.time > after).min_by_key(|local| local.time)
            }
        }
    }
}

/// A day and those after it, a fortnight in all.
fn days_from(date: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(date), |date| date.tomorrow().ok()).take(14)
}

/// What becomes of the occurrences of a schedule, one after the other.
#[derive(Debug)]
pub struct Occurrences<'a> {
    schedule: &'a Schedule,
    after: Timestamp,
    cursor: Timestamp,
    steps: usize,
    closed: usize,
    /// The day that is gathered, and what belongs to it: what is moved to a day comes among what it had anyhow.
    day: Option<(Date, Vec<Outcome>)>,
    ready: VecDeque<Outcome>,
}

impl Occurrences<'_> {
    /// Whether it was ended before it was known that nothing follows.
    pub fn gave_up(&self) -> bool {
        self.steps >= STEPS_MAX || self.closed >= CLOSED_MAX
    }

    /// What becomes of the next one that is meant, and on which day.
    fn step(&mut self) -> Option<(Date, Outcome)> {
        if self.gave_up() {
            return None;
        }
        self.steps += 1;
        let schedule = self.schedule;
        let meant = schedule.meant(self.cursor)?;
        self.cursor = meant.at;
        let (at, planned) = (meant.at, meant.local.time);
        let date = planned.date();
        let skipped = |reason| (date, Outcome::Skipped { at, planned, reason });
        if let Some(day) = meant.local.missing {
            return Some(skipped(Reason::NonexistentDay { day }));
        }
        let here = || {
            let gap = || Shift { planned, reason: Reason::NonexistentTime };
            (date, Outcome::Runs { at, shift: meant.in_gap.then(gap) })
        };
        match schedule.days.place(date) {
            Place::Here => Some(here()),
            Place::Moved(to, closed) => {
                let shift = Some(Shift { planned, reason: closed.into() });
                match schedule.moment(to.to_datetime(planned.time())) {
                    Some(at) => Some((to, Outcome::Runs { at, shift })),
                    None => Some(here()),
                }
            }
            Place::Nowhere(closed) => {
                self.closed += if schedule.days.moves() { NOWHERE } else { 1 };
                let day_after = date.tomorrow().ok().and_then(|next| schedule.begin_of(next));
                self.cursor = day_after.map_or(self.cursor, |begins| begins.max(self.cursor));
                Some(skipped(closed.into()))
            }
        }
    }

    /// Lets go of the day that was gathered.
    fn release(&mut self) {
        let Some((_, mut outcomes)) = self.day.take() else { return };
        // Of two at one moment, the one that was not moved is told.
        outcomes.sort_by_key(|outcome| (outcome.at(), is_moved(outcome)));
        outcomes.dedup_by_key(|outcome| outcome.at());
        let after = self.after;
        self.ready.extend(outcomes.into_iter().filter(|outcome| outcome.at() > after));
    }
}

fn is_moved(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Runs { shift, .. } => shift.is_some(),
        Outcome::Skipped { .. } => true,
    }
}

impl Iterator for Occurrences<'_> {
    type Item = Outcome;

    fn next(&mut self) -> Option<Outcome> {
        if !self.schedule.days.moves() {
            return self.step().map(|(_, outcome)| outcome);
        }
        loop {
            if let Some(outcome) = self.ready.pop_front() {
                return Some(outcome);
            }
            let Some((date, outcome)) = self.step() else {
                self.day.as_ref()?;
                self.release();
                continue;
            };
            match &mut self.day {
                Some((day, outcomes)) if *day == date => outcomes.push(outcome),
                Some(_) | None => {
                    self.release();
                    self.day = Some((date, vec![outcome]));
                }
            }
        }
    }
}
