//! Exact sums of columns, and the one formula that a file can hold.

use rust_xlsxwriter::{Formula, utility};

use super::{Cell, Header, Row, is_decimal};

/// What stands beside the sums.
pub(super) const LABEL: &str = "Total";

/// The sums of the columns that are summed up, row by row.
pub(super) struct Totals {
    sums: Vec<(usize, Sum)>,
}

impl Totals {
    pub(super) fn of(header: &Header) -> Self {
        Self { sums: header.look.totals.iter().map(|at| (*at, Sum::default())).collect() }
    }

    pub(super) fn are_wished(&self) -> bool {
        !self.sums.is_empty()
    }

    pub(super) fn add(&mut self, row: &Row) {
        for (at, sum) in &mut self.sums {
            match row.get(*at) {
                Some(Cell::Integer(value)) => sum.add(i128::from(*value), 0),
                Some(Cell::Number(digits)) => sum.add_digits(digits),
                Some(_) | None => {}
            }
        }
    }

    /// Each column with its sum as plain digits.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, String)> {
        self.sums.iter().map(|(at, sum)| (*at, sum.digits()))
    }

    /// The first column that has room for the word beside the sums.
    pub(super) fn label_at(&self, columns: usize) -> Option<usize> {
        (0..columns).find(|at| self.sums.iter().all(|(summed, _)| summed != at))
    }
}

/// A decimal sum without rounding.
#[derive(Debug, Default)]
struct Sum {
    units: i128,
    /// Digits behind the point.
    scale: u32,
    is_too_large: bool,
}

impl Sum {
    fn add(&mut self, units: i128, scale: u32) {
        let widest = self.scale.max(scale);
        let widened = |units: i128, by: u32| units.checked_mul(10_i128.checked_pow(by)?);
        let (own, other) =
            (widened(self.units, widest - self.scale), widened(units, widest - scale));
        match own.zip(other).and_then(|(own, other)| own.checked_add(other)) {
            Some(sum) => (self.units, self.scale) = (sum, widest),
            None => self.is_too_large = true,
        }
    }

    fn add_digits(&mut self, digits: &str) {
        if !is_decimal(digits) {
            return; // text that stands in a column of numbers
        }
        let scale = digits.split_once('.').map_or(0, |(_, part)| part.len());
        let units: Result<i128, _> = digits.replace('.', "").parse();
        match (units, u32::try_from(scale)) {
            (Ok(units), Ok(scale)) => self.add(units, scale),
            (Err(_), _) | (_, Err(_)) => self.is_too_large = true,
        }
    }

    fn digits(&self) -> String {
        if self.is_too_large {
            return "too large".to_owned();
        }
        let scale = usize::try_from(self.scale).unwrap_or_default();
        let sign = if self.units < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.units.unsigned_abs(), width = scale + 1);
        let (whole, part) = digits.split_at(digits.len() - scale);
        if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
    }
}

/// The sum of a column's visible rows, which follows the filter of a workbook. It is made of numbers of rows and columns alone: no text
/// from outside can become part of a formula, and there is no other way to make one.
pub(super) struct Subtotal {
    /// The column, counted from 0.
    pub(super) column: u16,
    /// The last row with data, counted from 1; the first is 2, below the headings.
    pub(super) last_row: u32,
}

impl Subtotal {
    /// The formula, with the sum for readers that compute nothing.
    pub(super) fn formula(&self, sum: &str) -> Formula {
        let column = utility::column_number_to_name(self.column);
        Formula::new(format!("=SUBTOTAL(109,{column}2:{column}{})", self.last_row)).set_result(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[&str]) -> String {
        let mut sum = Sum::default();
        for value in values {
            sum.add_digits(value);
        }
        sum.digits()
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(sum(&[]), "0");
        assert_eq!(sum(&["0.1", "0.2"]), "0.3");
        assert_eq!(sum(&["-0.02", "0.01"]), "-0.01");
        assert_eq!(sum(&["12345678901234567890", "0.5"]), "12345678901234567890.5");
        assert_eq!(sum(&["1", "=1+1", "2"]), "3");
        assert_eq!(sum(&[&"9".repeat(38), &"9".repeat(38)]), "too large");
    }
}
