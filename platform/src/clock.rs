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

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9562, appendix A.6.
    #[test]
    fn the_example_of_the_standard_is_read_and_made_as_it_stands_there() {
        let example: Uuid = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F".parse().unwrap();
        let millis = 1_645_557_742_000; // 2022-02-22T14:22:22-05:00
        let (seconds, nanos) = example.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds * 1000 + u64::from(nanos) / 1_000_000), millis);
        let random = [0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
        let made = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        assert_eq!(made, example);
        let new: Uuid = new_id();
        assert_eq!((new.get_version_num(), new.get_variant()), (7, example.get_variant()));
    }
}
