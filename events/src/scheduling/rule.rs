//! Recurrence rules of RFC 5545, read and expanded by the rrule crate on the local clock; the only place that knows chrono.

use chrono::{Datelike as _, TimeZone as _, Timelike as _};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan as _};
use rrule::{Frequency, RRule, RRuleSet, Tz, Unvalidated};

/// Longest rule.
pub const RULE_MAX_CHARS: usize = 512;
/// Most exceptions of a rule.
pub const EXCEPT_MAX_COUNT: usize = 366;
/// Most occurrences that a rule can count.
pub const COUNT_MAX: u32 = 1_000;
/// Most steps between two of them.
const INTERVAL_MAX: u16 = 1_000;
/// So many occurrences are passed over before the one that is looked for.
const PASSED_MAX: usize = 150_000;
/// Most times of one day, of a rule that steps by weeks or more.
const TIMES_MAX: usize = 96;

/// A rule that was understood.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    starts: DateTime,
    /// Its UNTIL reads as the local clock does.
    recurs: RRule<Unvalidated>,
    except: Vec<DateTime>,
    step: Option<Span>,
}

impl Rule {
    pub(super) fn parse(
        starts: DateTime,
        text: &str,
        except: &[DateTime],
        zone: &TimeZone,
    ) -> Option<Self> {
        let fits = text.len() <= RULE_MAX_CHARS && text.is_ascii();
        if !fits || except.len() > EXCEPT_MAX_COUNT || starts.subsec_nanosecond() != 0 {
            return None;
        }
        let mut rule: RRule<Unvalidated> = text.parse().ok()?;
        let counted = rule.get_count().is_some_and(|count| count > COUNT_MAX);
        if counted || !is_bounded(&rule) || rule.get_interval() > INTERVAL_MAX {
            return None;
        }
        if let Some(until) = rule.get_until() {
            // With a local DTSTART it must be in UTC (3.3.10); here it is made to read as the local clock does.
            if until.timezone().is_local() {
                return None;
            }
            let until = Timestamp::from_second(until.timestamp()).ok()?;
            rule = rule.until(to_chrono(zone.to_datetime(until))?);
        }
        rule.clone().validate(to_chrono(starts)?).ok()?;
        let step = step(&rule, starts);
        Some(Self { starts, recurs: rule, except: except.to_vec(), step })
    }

    /// The first local time after one.
    pub(super) fn next(&self, after: DateTime) -> Option<DateTime> {
        let starts = to_chrono(self.begun(after))?;
        let rule = self.recurs.clone().validate(starts).ok()?;
        let set = RRuleSet::new(starts).rrule(rule).limit();
        let mut times = set.into_iter().take(PASSED_MAX).filter_map(|at| from_chrono(&at));
        times.find(|at| *at > after && !self.except.contains(at))
    }

    /// A start that leads to the same times after `after`, as late as may be: whole steps of a rule that does not count.
    fn begun(&self, after: DateTime) -> DateTime {
        let Some(step) = self.step.filter(|_| after > self.starts) else { return self.starts };
        let whole = |steps: i64| {
            let span = step.checked_mul(steps).ok()?;
            self.starts.checked_add(span).ok()
        };
        let (year, month) = (i64::from(step.get_years()), i64::from(step.get_months()));
        // As long as a step can be.
        let longest = match (year, month) {
            (0, 0) => whole(1).map_or(i64::MAX, |next| self.starts.duration_until(next).as_secs()),
            (years, months) => (years * 366 + months * 31) * 24 * 60 * 60,
        };
        let fit = self.starts.duration_until(after).as_secs() / longest.max(1);
        whole(fit - 2).filter(|at| *at > self.starts).unwrap_or(self.starts)
    }
}

/// Rules that step by seconds are none of ours, and rules that step by minutes through months without a match never end; nor
/// do those that have many times on every day of a year.
fn is_bounded(rule: &RRule<Unvalidated>) -> bool {
    let names_days = !rule.get_by_month().is_empty()
        || !rule.get_by_month_day().is_empty()
        || !rule.get_by_year_day().is_empty()
        || !rule.get_by_week_no().is_empty();
    let times = [rule.get_by_hour(), rule.get_by_minute(), rule.get_by_second()];
    let times: usize = times.iter().map(|of| of.len().max(1)).product();
    match rule.get_freq() {
        Frequency::Secondly => false,
        Frequency::Minutely => !names_days,
        Frequency::Hourly | Frequency::Daily => true,
        Frequency::Weekly | Frequency::Monthly | Frequency::Yearly => times <= TIMES_MAX,
    }
}

/// By what the start may be put off.
fn step(rule: &RRule<Unvalidated>, starts: DateTime) -> Option<Span> {
    if rule.get_count().is_some() {
        return None;
    }
    let every = i64::from(rule.get_interval().max(1));
    // What a year or a month says by its start alone must be in every one of them.
    let is_common = starts.day() <= 28;
    match rule.get_freq() {
        Frequency::Secondly => None,
        Frequency::Minutely => Some(every.minutes()),
        Frequency::Hourly => Some(every.hours()),
        Frequency::Daily => Some(every.days()),
        Frequency::Weekly => Some(every.weeks()),
        Frequency::Monthly => is_common.then(|| every.months()),
        Frequency::Yearly => (is_common && rule.get_by_week_no().is_empty()).then(|| every.years()),
    }
}

fn to_chrono(at: DateTime) -> Option<chrono::DateTime<Tz>> {
    let part = |value: i8| u32::try_from(value).ok();
    let (date, time) = (at.date(), at.time());
    let (month, day) = (part(date.month())?, part(date.day())?);
    let (hour, minute, second) = (part(time.hour())?, part(time.minute())?, part(time.second())?);
    let year = i32::from(date.year());
    Tz::UTC.with_ymd_and_hms(year, month, day, hour, minute, second).single()
}

fn from_chrono(at: &chrono::DateTime<Tz>) -> Option<DateTime> {
    let part = |value: u32| i8::try_from(value).ok();
    let year = i16::try_from(at.year()).ok()?;
    let (month, day) = (part(at.month())?, part(at.day())?);
    let (hour, minute, second) = (part(at.hour())?, part(at.minute())?, part(at.second())?);
    DateTime::new(year, month, day, hour, minute, second, 0).ok()
}
