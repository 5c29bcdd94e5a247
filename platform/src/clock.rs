//! The one place that reads the clock and makes ids.

use jiff::Timestamp;
use uuid::Uuid;

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A new UUIDv7 as any typed id.
#[expect(clippy::disallowed_methods, reason = "this is where ids come from")]
pub fn new_id<T: From<Uuid>>() -> T {
    T::from(Uuid::now_v7())
}
