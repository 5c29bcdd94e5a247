//! From times as clocks show them to moments, through the nights on which clocks are changed.
//!
//! As RFC 5545 has it (3.3.5): a time that no clock shows is taken by the offset before the gap, and of a time that clocks show
//! twice the first counts. What runs every hour runs in both.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// A local time of a recurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Local {
    /// As the clock shows it.
    pub(super) time: DateTime,
    /// The day of the month that was meant and does not exist.
    pub(super) missing: Option<u8>,
}

/// A local time of a recurrence, and its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meant {
    pub(super) at: Timestamp,
    pub(super) local: Local,
    /// Whether no clock shows it.
    pub(super) in_gap: bool,
}

/// More changes of clocks than lie before the end of any search.
const CHANGES_MAX: usize = 1_000;
const TICK: SignedDuration = SignedDuration::from_nanos(1);
/// No clock is changed by more.
const MARGIN: SignedDuration = SignedDuration::from_hours(48);

/// A stretch of time in which clocks are not changed.
struct Stretch {
    offset: Offset,
    /// When it begins, and the offset before.
    begins: Option<(Timestamp, Offset)>,
    ends: Option<Timestamp>,
}

impl Stretch {
    fn at(zone: &TimeZone, moment: Timestamp) -> Self {
        let next = moment.checked_add(TICK).unwrap_or(moment);
        let begins = zone.preceding(next).next().map(|change| change.timestamp());
        let before = |begins: Timestamp| {
            let offset = zone.to_offset(begins.checked_sub(TICK).unwrap_or(begins));
            (begins, offset)
        };
        Self {
            offset: zone.to_offset(moment),
            begins: begins.map(before),
            ends: zone.following(moment).next().map(|change| change.timestamp()),
        }
    }

    /// The first in the gap that begins it, after a moment.
    fn in_gap(&self, after: Timestamp, next: &impl Fn(DateTime) -> Option<Local>) -> Option<Meant> {
        let (begins, before) = self.begins.filter(|(_, before)| *before < self.offset)?;
        let (from, to) = (before.to_datetime(begins), self.offset.to_datetime(begins));
        let floor = before.to_datetime(after).max(from.checked_sub(TICK).ok()?);
        let local = (floor < to).then(|| next(floor)).flatten().filter(|it| it.time < to)?;
        let at = before.to_timestamp(local.time).ok()?;
        Some(Meant { at, local, in_gap: true })
    }

    /// The first that clocks show, after a moment; not yet known to lie within the stretch.
    fn shown(
        &self,
        after: Timestamp,
        next: &impl Fn(DateTime) -> Option<Local>,
        repeats: bool,
    ) -> Option<Meant> {
        let mut floor = self.offset.to_datetime(after);
        if let Some((begins, before)) = self.begins.filter(|_| !repeats)
            && before > self.offset
        {
            // Until then clocks show what they have shown before.
            floor = floor.max(before.to_datetime(begins).checked_sub(TICK).ok()?);
        }
        let local = next(floor)?;
        let at = self.offset.to_timestamp(local.time).ok()?;
        Some(Meant { at, local, in_gap: false })
    }
}

/// The first moment after one at which a recurrence on the local clock is meant.
pub(super) fn next(
    zone: &TimeZone,
    after: Timestamp,
    next: impl Fn(DateTime) -> Option<Local>,
    repeats: bool,
) -> Option<Meant> {
    let (mut moment, mut after) = (after, after);
    for _ in 0..CHANGES_MAX {
        let stretch = Stretch::at(zone, moment);
        let in_gap = stretch.in_gap(after, &next);
        let shown = stretch.shown(after, &next, repeats);
        let within = shown.filter(|meant| stretch.ends.is_none_or(|ends| meant.at < ends));
        let found = match (in_gap, within) {
            (Some(gap), Some(shown)) => Some(if gap.at < shown.at { gap } else { shown }),
            (gap, shown) => gap.or(shown),
        };
        if found.is_some() {
            return found;
        }
        // Nothing here: on to the next stretch, or to the one where the next time is shown.
        let far = shown?.at.checked_sub(MARGIN).ok()?;
        moment = stretch.ends?.max(far);
        after = after.max(moment.checked_sub(TICK).ok()?);
    }
    None
}
