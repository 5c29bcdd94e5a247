//! Numbers with digits after the point, exact: whole ten-thousandths, written as texts so that no reader makes floats of them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Most digits after the point.
pub const DIGITS_MAX: usize = 4;
/// Most digits before it.
const WHOLE_MAX_DIGITS: usize = 12;
const ONE: u64 = 10_000;
const MAX: u64 = 9_999_999_999_999_999;

/// A number from 0 to 999999999999.9999.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(u64);

/// A text that is no such number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, thiserror::Error)]
#[error(
    "is no number of at most {WHOLE_MAX_DIGITS} digits before and {DIGITS_MAX} after the point: write it like \"12.5\""
)]
pub struct NoDecimal;

impl Decimal {
    /// How many digits after the point it takes.
    pub fn digits(self) -> usize {
        let zeros = (1..=DIGITS_MAX).take_while(|&zeros| {
            let unit = 10_u64.pow(u32::try_from(zeros).unwrap_or_default());
            self.0.is_multiple_of(unit)
        });
        DIGITS_MAX - zeros.count()
    }

    /// Both together, unless that is too large.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).filter(|sum| *sum <= MAX).map(Self)
    }

    /// What is left without the other, which is not larger.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// How many whole thousandths it is.
    pub fn thousandths(self) -> u64 {
        self.0 / 10
    }

    /// With so many digits after the point, which it does not exceed.
    pub fn fixed(self, digits: usize) -> String {
        let (whole, rest) = (self.0 / ONE, self.0 % ONE);
        match digits.min(DIGITS_MAX) {
            0 => whole.to_string(),
            digits => {
                let rest = format!("{rest:04}");
                format!("{whole}.{}", &rest[..digits])
            }
        }
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.fixed(self.digits()))
    }
}

impl std::str::FromStr for Decimal {
    type Err = NoDecimal;

    fn from_str(text: &str) -> Result<Self, NoDecimal> {
        let (whole, rest) = match text.split_once('.') {
            Some((whole, rest)) if !rest.is_empty() => (whole, rest),
            Some(_) => return Err(NoDecimal),
            None => (text, ""),
        };
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let leads = whole.len() > 1 && whole.starts_with('0');
        let fits = (1..=WHOLE_MAX_DIGITS).contains(&whole.len()) && rest.len() <= DIGITS_MAX;
        if !fits || leads || !is_number(whole) || !is_number(rest) {
            return Err(NoDecimal);
        }
        format!("{whole}{rest:0<DIGITS_MAX$}").parse().map(Self).map_err(|_| NoDecimal)
    }
}

impl TryFrom<String> for Decimal {
    type Error = NoDecimal;

    fn try_from(text: String) -> Result<Self, NoDecimal> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(number: Decimal) -> Self {
        number.to_string()
    }
}

impl JsonSchema for Decimal {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,4})?$"})
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_number_is_read_as_it_is_written_and_nothing_else_is() {
        for (text, usual) in [
            ("0", "0"),
            ("12.50", "12.5"),
            ("0.0001", "0.0001"),
            ("7.0", "7"),
            ("999999999999.9999", "999999999999.9999"),
        ] {
            assert_eq!(decimal(text).to_string(), usual);
        }
        for bad in [
            "",
            ".5",
            "5.",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "01",
            "1.00001",
            "1000000000000",
            " 1",
            "NaN",
            "1.2.3",
            "١",
        ] {
            assert_eq!(bad.parse::<Decimal>(), Err(NoDecimal), "{bad}");
        }
    }

    #[test]
    fn sums_are_exact_and_bounded() {
        assert_eq!(decimal("0.1").plus(decimal("0.2")), Some(decimal("0.3")));
        assert_eq!(decimal("999999999999.9999").plus(decimal("0.0001")), None);
        assert_eq!(decimal("1").minus(decimal("0.9999")), Some(decimal("0.0001")));
        assert_eq!(decimal("1").minus(decimal("1.5")), None);
    }

    #[test]
    fn it_is_shown_with_as_many_digits_as_asked_for() {
        assert_eq!(decimal("12.5").fixed(2), "12.50");
        assert_eq!(decimal("12").fixed(0), "12");
        assert_eq!(decimal("12").fixed(3), "12.000");
        assert_eq!(decimal("12.345").thousandths(), 12_345);
        assert_eq!((decimal("12").digits(), decimal("1.2030").digits()), (0, 3));
    }

    proptest! {
        #[test]
        fn every_number_survives_being_written(number in 0..=MAX) {
            let number = Decimal(number);
            prop_assert_eq!(number.to_string().parse(), Ok(number));
            let json = serde_json::to_string(&number).unwrap();
            prop_assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap(), number);
        }
    }
}
