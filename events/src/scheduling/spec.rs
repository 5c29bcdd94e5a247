//! When something recurs, as it is written down and stored: closed lists whose shapes stay for good.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::BlackoutCalendarId;

/// When something recurs. Local times are those of [`Modifiers::time_zone`].
#[derive(Debug, Clone, PartialEq, Eq, strum::IntoStaticStr, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[strum(serialize_all = "snake_case")]
pub enum Spec {
    /// At one moment.
    Once {
        /// The moment.
        at: Timestamp,
    },
    /// Again after the same stretch of time, whatever clocks do.
    Interval {
        /// The stretch, at least a minute.
        every: SignedDuration,
        /// The moment it is counted from; when the trigger begins, where none is given.
        #[serde(default)]
        from: Option<Timestamp>,
    },
    /// By the five fields of crontab(5).
    Cron {
        /// Minute, hour, day of the month, month, day of the week.
        expression: String,
    },
    /// By a recurrence rule of RFC 5545.
    Rrule {
        /// DTSTART, as a local time.
        starts: DateTime,
        /// The rule, from FREQ on.
        rule: String,
        /// EXDATE, as local times.
        #[serde(default)]
        except: Vec<DateTime>,
    },
    /// Every day.
    Daily {
        /// At this local time.
        time: Time,
    },
    /// On days of the week.
    Weekly {
        /// Which.
        days: Vec<Day>,
        /// At this local time.
        time: Time,
    },
    /// On a day of every month.
    MonthlyDay {
        /// Its number, 1 to 31; 31 with `clamp` is the last day of every month.
        day: u8,
        /// At this local time.
        time: Time,
        /// What becomes of a month that has no such day.
        overflow: Overflow,
    },
    /// When seasons begin.
    Seasonal {
        /// Which seasons.
        seasons: Vec<Season>,
        /// So many days later, or earlier where it is negative.
        #[serde(default)]
        offset_days: i16,
        /// On which half of the earth.
        hemisphere: Hemisphere,
        /// By the calendar or by the sun.
        basis: Basis,
        /// At this local time.
        time: Time,
    },
    /// When a counter passes thresholds; it has no times of its own.
    Usage {
        /// What is counted on.
        subject: Subject,
        /// The counter's name.
        counter: String,
        /// Between two thresholds, in the counter's smallest unit.
        every: u64,
        /// The first threshold; `every` where none is given.
        #[serde(default)]
        first_at: Option<u64>,
    },
}

/// A record that is somewhere else: what a counter is read on, or what a trigger belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The kind of thing.
    pub kind: String,
    /// Which one.
    pub id: Uuid,
}

/// What holds for every occurrence, whatever it recurs by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Modifiers {
    /// The zone of local times and of days, an IANA name.
    pub time_zone: String,
    /// Whether the days of the weekend are closed.
    #[serde(default)]
    pub business_days_only: bool,
    /// What becomes of an occurrence on a closed day.
    #[serde(default)]
    pub roll: Roll,
    /// The days of the weekend; Saturday and Sunday where none are given.
    #[serde(default)]
    pub weekend: Vec<Day>,
    /// The calendars whose days are closed.
    #[serde(default)]
    pub blackout_ids: Vec<BlackoutCalendarId>,
    /// What becomes of occurrences that nobody was there for.
    #[serde(default)]
    pub misfire: Misfire,
}

/// Declares a closed list of words that are stored.
macro_rules! words {
    ($($(#[$meta:meta])* $name:ident { $($(#[$of:meta])* $variant:ident),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
            JsonSchema, strum::VariantArray, strum::IntoStaticStr,
        )]
        #[serde(rename_all = "snake_case")]
        #[strum(serialize_all = "snake_case")]
        pub enum $name { $($(#[$of])* $variant),+ }
    )+};
}

words! {
    /// A day of the week.
    Day {
        /// Monday.
        Monday,
        /// Tuesday.
        Tuesday,
        /// Wednesday.
        Wednesday,
        /// Thursday.
        Thursday,
        /// Friday.
        Friday,
        /// Saturday.
        Saturday,
        /// Sunday.
        Sunday,
    }

    /// What becomes of a month without the day.
    #[derive(Default)]
    Overflow {
        /// Its last day stands in.
        #[default]
        Clamp,
        /// It is left out.
        Skip,
    }

    /// A season.
    Season {
        /// Spring.
        Spring,
        /// Summer.
        Summer,
        /// Autumn.
        Fall,
        /// Winter.
        Winter,
    }

    /// A half of the earth.
    Hemisphere {
        /// Spring begins in March.
        North,
        /// Spring begins in September.
        South,
    }

    /// What seasons begin by.
    Basis {
        /// On the first of March, June, September and December.
        Meteorological,
        /// On the local day of the equinox or the solstice.
        Astronomical,
    }

    /// What becomes of an occurrence on a closed day: the conventions of ISDA, and leaving it out.
    #[derive(Default)]
    Roll {
        /// It does not move: a weekend does not matter, a blackout leaves it out.
        #[default]
        None,
        /// The next open day.
        Following,
        /// The open day before.
        Preceding,
        /// The next open day, or the one before where the next is in another month.
        ModifiedFollowing,
        /// It is left out.
        Skip,
    }
}

/// What becomes of occurrences that nobody was there for when they were due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
pub enum Misfire {
    /// The latest of them runs.
    #[default]
    FireOnce,
    /// None of them runs.
    Skip,
    /// The latest of them run, one after the other.
    CatchUp {
        /// So many at most.
        most: u32,
    },
}

impl Roll {
    /// Whether an occurrence is moved to another day.
    pub fn moves(self) -> bool {
        match self {
            Self::None | Self::Skip => false,
            Self::Following | Self::Preceding | Self::ModifiedFollowing => true,
        }
    }
}

impl From<Weekday> for Day {
    fn from(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}

/// How many thresholds a counter passes between two readings.
pub fn crossings(every: u64, first_at: Option<u64>, before: u64, now: u64) -> u64 {
    let first = first_at.unwrap_or(every);
    let passed = |reading: u64| match reading.checked_sub(first) {
        Some(beyond) => (beyond / every.max(1)).saturating_add(1),
        None => 0,
    };
    passed(now).saturating_sub(passed(before))
}
