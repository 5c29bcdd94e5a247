//! The closed list of feature flags, and the bucket of each user in each of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A feature that can be on for some and off for others; its text is stored in events, so none is
/// ever renamed or removed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::VariantArray,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Flag {
    /// The console in the browser.
    WebConsole,
    /// Search over all that one may see.
    GlobalSearch,
    /// Events sent to addresses of the organisation's choice.
    Webhooks,
    /// Calendars that other programs subscribe to.
    CalendarSync,
    /// Many commands in one request.
    CommandBatches,
}

/// Into so many buckets the users fall.
pub const BUCKETS: u8 = 100;

impl Flag {
    /// Every flag.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Every flag that something asks. One whose feature is not there yet is known where it is stored, and cannot be switched.
    pub fn offered() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|flag| match flag {
            Self::WebConsole | Self::GlobalSearch | Self::Webhooks | Self::CalendarSync => false,
            Self::CommandBatches => true,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// One sentence for people.
    pub fn title(self) -> &'static str {
        strum::EnumMessage::get_documentation(&self).unwrap_or_default()
    }

    /// Whether the feature is on where nobody has said anything.
    pub fn is_on_by_default(self) -> bool {
        match self {
            Self::WebConsole | Self::GlobalSearch | Self::Webhooks | Self::CalendarSync => false,
            Self::CommandBatches => true,
        }
    }
}

/// The bucket, 0 to 99, of a user (or of a service, by its name) in a flag.
///
/// It is the first eight bytes, big-endian, of the SHA-256 of `<flag>:<user id>` modulo 100, the id
/// in lower case with hyphens. A flag at `n` per cent is on for the buckets below `n`: whoever has
/// the feature keeps it while the percentage grows, and each flag draws its own users.
pub fn bucket(flag: Flag, user: &str) -> u8 {
    let digest = Sha256::digest(format!("{}:{user}", flag.name()));
    let head = digest.iter().take(8).fold(0_u64, |head, byte| (head << 8) | u64::from(*byte));
    u8::try_from(head % u64::from(BUCKETS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_a_name_and_a_title() {
        for flag in Flag::ALL {
            let name = flag.name();
            assert!(crate::text::is_identifier(name, 64), "{name}");
            assert!(flag.title().ends_with('.'), "{name} has no title");
            assert_eq!(serde_json::to_value(flag).unwrap(), name);
            assert_eq!(name.parse(), Ok(*flag));
        }
    }

    /// Published: whoever works buckets out elsewhere must find the same.
    const VECTORS: &[(Flag, &str, u8)] = &[
        (Flag::WebConsole, "01900000-0000-7000-8000-000000000001", 7),
        (Flag::WebConsole, "01900000-0000-7000-8000-000000000002", 81),
        (Flag::GlobalSearch, "01900000-0000-7000-8000-000000000001", 1),
        (Flag::Webhooks, "0199c1f4-7f0e-7c61-9b0e-5b1c4f6d2a10", 12),
        (Flag::CalendarSync, "workers", 7),
    ];

    #[test]
    fn a_bucket_is_the_same_for_good() {
        for (flag, user, expected) in VECTORS {
            assert_eq!(bucket(*flag, user), *expected, "{}:{user}", flag.name());
        }
    }

    #[test]
    fn users_spread_evenly_and_differently_for_each_flag() {
        let users: Vec<String> = (0..20_000_u128)
            .map(|number| crate::testing::id::<crate::UserId>(number).to_string())
            .collect();
        for flag in Flag::ALL {
            let below = |pct| users.iter().filter(|user| bucket(*flag, user) < pct).count();
            assert!((1_700..2_300).contains(&below(10)), "{}", flag.name());
            assert!((9_500..10_500).contains(&below(50)), "{}", flag.name());
            assert_eq!(below(BUCKETS), users.len());
        }
        let both = users.iter().filter(|user| {
            bucket(Flag::WebConsole, user) < 50 && bucket(Flag::Webhooks, user) < 50
        });
        assert!((4_500..5_500).contains(&both.count()), "flags draw independently");
    }
}
