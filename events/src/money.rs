//! Amounts of money: exact, in a currency, with the digits that the currency has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decimal::{Decimal, NoDecimal};
use crate::identity::currencies::is_currency;

/// An amount in a currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// The amount, as a text such as `1250.00`.
    pub amount: String,
    /// The currency by ISO 4217, such as `EUR`.
    pub currency: String,
}

/// What is wrong with an amount; reads on after the name of its field and a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// The amount is no number.
    #[error("amount {0}")]
    Amount(NoDecimal),
    /// The currency is not known.
    #[error("currency is not one of ISO 4217: write it like EUR")]
    Currency,
    /// The amount is finer than the currency.
    #[error("amount has more than the {0} digits after the point that the currency has: round it")]
    Digits(usize),
}

impl Default for Flaw {
    fn default() -> Self {
        Self::Digits(2)
    }
}

impl Money {
    /// The amount in its usual spelling.
    pub fn checked(self) -> Result<Self, Flaw> {
        let Self { amount, currency } = self;
        if !is_currency(&currency) {
            return Err(Flaw::Currency);
        }
        let amount: Decimal = amount.parse().map_err(Flaw::Amount)?;
        let digits = digits(&currency);
        if amount.digits() > digits {
            return Err(Flaw::Digits(digits));
        }
        Ok(Self { amount: amount.fixed(digits), currency })
    }

    /// How many of the smallest coin it is, once its spelling is the usual one.
    pub fn minor(&self) -> u64 {
        let digits: String = self.amount.chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_default()
    }
}

/// The digits that a currency has after the point.
fn digits(currency: &str) -> usize {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: &str, currency: &str) -> Money {
        Money { amount: amount.into(), currency: currency.into() }
    }

    #[test]
    fn an_amount_has_the_digits_of_its_currency() {
        for (given, usual, currency) in [
            ("1250", "1250.00", "EUR"),
            ("12.5", "12.50", "CHF"),
            ("7", "7", "JPY"),
            ("1.2", "1.200", "KWD"),
        ] {
            assert_eq!(money(given, currency).checked(), Ok(money(usual, currency)));
        }
        assert_eq!((money("1250.50", "EUR").minor(), money("7", "JPY").minor()), (125_050, 7));
    }

    #[test]
    fn what_is_no_amount_or_no_currency_is_refused() {
        for (given, flaw) in [
            (money("1", "eur"), Flaw::Currency),
            (money("1", "XAU"), Flaw::Currency),
            (money("1,50", "EUR"), Flaw::Amount(NoDecimal)),
            (money("-1", "EUR"), Flaw::Amount(NoDecimal)),
            (money("1.005", "EUR"), Flaw::Digits(2)),
            (money("1.5", "JPY"), Flaw::Digits(0)),
        ] {
            assert_eq!(given.checked(), Err(flaw));
        }
    }
}
