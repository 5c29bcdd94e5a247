//! When a warranty is to end: people are told so 90, 30 and 7 days before its last day, and on that day.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{Asset, Event};

/// So many days before the last day of a warranty its end is announced, the earliest first.
pub const WARRANTY_NOTICE_DAYS: [u16; 4] = [90, 30, 7, 0];

/// When the end of a warranty with that last day is to be announced next after a moment; nothing where all of that is past. Days
/// begin as they do in UTC: an asset has no place on a clock.
pub fn next_warranty_notice(until: Date, after: Timestamp) -> Option<Timestamp> {
    WARRANTY_NOTICE_DAYS.iter().filter_map(|days| notice(until, *days)).find(|at| *at > after)
}

fn notice(until: Date, days: u16) -> Option<Timestamp> {
    let day = until.checked_sub(Span::new().days(days)).ok()?;
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

impl Asset {
    /// Announces what is due now, once; what was missed meanwhile is not made up for, and what is over is no news.
    pub(super) fn announce_warranty_end(&self, now: Timestamp) -> Vec<Event> {
        let today = now.to_zoned(TimeZone::UTC).date();
        let Some(warranty_until) = self.warranty_until.filter(|until| *until >= today) else {
            return Vec::new();
        };
        let is_due = |days: &u16| notice(warranty_until, *days).is_some_and(|at| at <= now);
        let due = WARRANTY_NOTICE_DAYS.iter().copied().rfind(is_due);
        let news = due.filter(|days| self.warranty_notice.is_none_or(|told| *days < told));
        let announced = news.map(|days| Event::WarrantyEndAnnounced { warranty_until, days });
        announced.into_iter().collect()
    }
}
