//! When seasons begin: by the calendar, or by the sun after Jean Meeus, Astronomical Algorithms (second edition, 1998), chapter 27.
//!
//! His tables 27.B and 27.C hold for the years 1000 to 3000; between 1951 and 2050 they are within a minute of what is published.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Basis, Hemisphere, Season};

/// Of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The equinox of March.
    March,
    /// The solstice of June.
    June,
    /// The equinox of September.
    September,
    /// The solstice of December.
    December,
}

/// The years for which the tables hold.
const YEARS: std::ops::RangeInclusive<i16> = 1_000..=2_999;
/// The Julian day of 1970-01-01T00:00:00Z.
const UNIX_EPOCH: f64 = 2_440_587.5;
const SECONDS_PER_DAY: f64 = 86_400.0;

/// The day on which a season begins in a year, before any offset.
pub(super) fn begins(
    year: i16,
    season: Season,
    (hemisphere, basis): (Hemisphere, Basis),
    zone: &TimeZone,
) -> Option<Date> {
    let turn = Turn::of(season, hemisphere);
    match basis {
        Basis::Meteorological => Date::new(year, turn.month(), 1).ok(),
        Basis::Astronomical => turn.moment(year).map(|at| zone.to_datetime(at).date()),
    }
}

impl Turn {
    fn of(season: Season, hemisphere: Hemisphere) -> Self {
        match (hemisphere, season) {
            (Hemisphere::North, Season::Spring) | (Hemisphere::South, Season::Fall) => Self::March,
            (Hemisphere::North, Season::Summer) | (Hemisphere::South, Season::Winter) => Self::June,
            (Hemisphere::North, Season::Fall) | (Hemisphere::South, Season::Spring) => {
                Self::September
            }
            (Hemisphere::North, Season::Winter) | (Hemisphere::South, Season::Summer) => {
                Self::December
            }
        }
    }

    fn month(self) -> i8 {
        match self {
            Self::March => 3,
            Self::June => 6,
            Self::September => 9,
            Self::December => 12,
        }
    }

    /// Table 27.B: the mean moment, as a polynomial in thousands of years since 2000.
    fn mean(self) -> [f64; 5] {
        match self {
            Self::March => [2_451_623.809_84, 365_242.374_04, 0.051_69, -0.004_11, -0.000_57],
            Self::June => [2_451_716.567_67, 365_241.626_03, 0.003_25, 0.008_88, -0.000_30],
            Self::September => [2_451_810.217_15, 365_242.017_67, -0.115_75, 0.003_37, 0.000_78],
            Self::December => [2_451_900.059_52, 365_242.740_49, -0.062_23, -0.008_23, 0.000_32],
        }
    }

    /// The Julian ephemeris day on which the sun stands there.
    pub(super) fn ephemeris_day(self, year: i16) -> f64 {
        let thousands = (f64::from(year) - 2_000.0) / 1_000.0;
        let mean =
            self.mean().iter().rev().fold(0.0, |sum: f64, term| sum.mul_add(thousands, *term));
        let centuries = (mean - 2_451_545.0) / 36_525.0;
        let angle = 35_999.373_f64.mul_add(centuries, -2.47).to_radians();
        let speed = 0.000_7_f64.mul_add((2.0 * angle).cos(), 0.033_4_f64.mul_add(angle.cos(), 1.0));
        let terms = PERIODIC
            .iter()
            .map(|(size, phase, rate)| size * rate.mul_add(centuries, *phase).to_radians().cos());
        mean + 0.000_01 * terms.sum::<f64>() / speed
    }

    /// The moment in universal time, to the second.
    pub fn moment(self, year: i16) -> Option<Timestamp> {
        let days = YEARS.contains(&year).then(|| self.ephemeris_day(year) - UNIX_EPOCH)?;
        let seconds = days.mul_add(SECONDS_PER_DAY, -ahead(year)).round();
        #[expect(clippy::cast_possible_truncation, reason = "some 10^11 at most")]
        Timestamp::from_second(seconds as i64).ok()
    }
}

/// By how many seconds ephemeris time is ahead of universal time: Espenak and Meeus, Five Millennium Canon of Solar Eclipses, 2006.
fn ahead(year: i16) -> f64 {
    let year = f64::from(year);
    if (1_986.0..2_050.0).contains(&year) {
        let since = year - 2_000.0;
        since.mul_add(since.mul_add(0.005_589, 0.322_17), 62.92)
    } else {
        let centuries = (year - 1_820.0) / 100.0;
        let parabola = 32.0_f64.mul_add(centuries * centuries, -20.0);
        if year < 2_150.0 { parabola - 0.562_8 * (2_150.0 - year) } else { parabola }
    }
}

/// Table 27.C: size, phase and rate per century, angles in degrees.
const PERIODIC: &[(f64, f64, f64)] = &[
    (485.0, 324.96, 1_934.136),
    (203.0, 337.23, 32_964.467),
    (199.0, 342.08, 20.186),
    (182.0, 27.85, 445_267.112),
    (156.0, 73.14, 45_036.886),
    (136.0, 171.52, 22_518.443),
    (77.0, 222.54, 65_928.934),
    (74.0, 296.72, 3_034.906),
    (70.0, 243.58, 9_037.513),
    (58.0, 119.81, 33_718.147),
    (52.0, 297.17, 150.678),
    (50.0, 21.02, 2_281.226),
    (45.0, 247.54, 29_929.562),
    (44.0, 325.15, 31_555.956),
    (29.0, 60.93, 4_443.417),
    (18.0, 155.12, 67_555.328),
    (17.0, 288.79, 4_562.452),
    (16.0, 198.04, 62_894.029),
    (14.0, 199.76, 31_436.921),
    (12.0, 95.39, 14_577.848),
    (12.0, 287.11, 31_931.756),
    (12.0, 320.81, 34_777.259),
    (9.0, 227.73, 1_222.114),
    (8.0, 15.45, 16_859.074),
];
