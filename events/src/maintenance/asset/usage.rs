//! How much an asset was used: counters that grow, and what they counted in all.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Asset, COUNTER_MAX_CHARS, COUNTER_MAX_DIGITS, COUNTERS_MAX_COUNT, Event, REASON_MAX_CHARS,
    RecordUsage, Rejection,
};
use crate::decimal::Decimal;
use crate::text;

/// A counter as it was read last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Where it stands.
    pub value: Decimal,
    /// What it has counted in all, whatever was reset in between.
    pub total: Decimal,
    /// When it was read or reset last.
    pub at: Timestamp,
}

impl Asset {
    pub(super) fn record_usage(
        &self,
        usage: &RecordUsage,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let counter = checked_counter(&usage.counter)?;
        let known = self.counters.get(&counter).copied();
        if known.is_none() && self.counters.len() >= COUNTERS_MAX_COUNT {
            return Err(Rejection::CountersFull);
        }
        let at = usage.at.unwrap_or(now);
        if at > now {
            return Err(Rejection::ReadAhead);
        }
        if let Some(before) = known.map(|known| known.at).filter(|before| at < *before) {
            return Err(Rejection::ReadBefore(before));
        }
        let before = known.unwrap_or_default();
        let (value, delta) = match (&usage.value, &usage.delta) {
            (Some(value), None) => {
                let value = shown(value).ok_or(Rejection::ValueInvalid)?;
                let delta = value.minus(before.value);
                (value, delta.ok_or(Rejection::UsageDecreases(before.value))?)
            }
            (None, Some(delta)) => {
                let delta = shown(delta).ok_or(Rejection::DeltaInvalid)?;
                (before.value.plus(delta).ok_or(Rejection::DeltaInvalid)?, delta)
            }
            (Some(_), Some(_)) | (None, None) => return Err(Rejection::ReadingInvalid),
        };
        let refused =
            if usage.delta.is_some() { Rejection::DeltaInvalid } else { Rejection::ValueInvalid };
        let total = before.total.plus(delta).ok_or(refused)?;
        let read = Counter { value, total, at };
        if known == Some(read) {
            return Ok(vec![]);
        }
        Ok(vec![Event::UsageRecorded { counter, value, delta, total, at }])
    }

    pub(super) fn reset_counter(
        &self,
        counter: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let counter = checked_counter(counter)?;
        let known = self.counters.get(&counter).ok_or(Rejection::CounterUnknown)?;
        let reason = text::line(reason, REASON_MAX_CHARS).map_err(Rejection::ReasonInvalid)?;
        if known.value == Decimal::default() {
            return Ok(vec![]);
        }
        // The clock of another machine may be ahead of ours; readings stay in their order all the same.
        let at = known.at.max(now);
        Ok(vec![Event::CounterReset { counter, previous: known.value, reason, at }])
    }
}

/// A number as counters show it.
fn shown(text: &str) -> Option<Decimal> {
    text.parse().ok().filter(|number: &Decimal| number.digits() <= COUNTER_MAX_DIGITS)
}

fn checked_counter(counter: &str) -> Result<String, Rejection> {
    let counter = counter.trim();
    if !text::is_identifier(counter, COUNTER_MAX_CHARS) {
        return Err(Rejection::CounterInvalid);
    }
    Ok(counter.to_owned())
}
