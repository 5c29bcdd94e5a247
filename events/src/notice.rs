//! Notice of an end that is near: whom it concerns is told some days before, once.

use jiff::{SignedDuration, Timestamp};

/// So long before an end whom it concerns is told.
pub const NOTICE_DAYS: i64 = 7;

/// So long before an end whom it concerns is told.
pub const NOTICE: SignedDuration = SignedDuration::from_hours(24 * NOTICE_DAYS);

/// Whether somebody is to be told of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// It has come, or there is none.
    Never,
    /// Not yet.
    Later,
    /// Of this end.
    Due(Timestamp),
}

impl Notice {
    /// Of what ends then.
    pub(crate) fn of(end: Option<Timestamp>, now: Timestamp) -> Self {
        match end {
            Some(end) if now < end && end.duration_since(now) > NOTICE => Self::Later,
            Some(end) if now < end => Self::Due(end),
            Some(_) | None => Self::Never,
        }
    }
}
