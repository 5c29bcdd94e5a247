//! What was measured: gathered round by round, printed as a table, written as JSON.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;

use crate::Effort;
use crate::bed::machine::Machine;
use crate::samples::median;

/// What a number should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

impl Aim {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {}", number(least)),
            Self::AtMost(most) => format!("<= {}", number(most)),
        }
    }
}

/// One measure: a value per round.
#[derive(Debug, Clone, Serialize)]
struct Row {
    what: String,
    who: String,
    unit: &'static str,
    median: f64,
    rounds: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aim: Option<Aim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aim_met: Option<bool>,
}

/// Everything measured by one scenario.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    name: &'static str,
    began_at: String,
    rounds: u64,
    seconds: u64,
    quick: bool,
    machine: Machine,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(name: &'static str, effort: &Effort, machine: Machine) -> Self {
        Self {
            name,
            began_at: platform::clock::now().to_string(),
            rounds: effort.rounds,
            seconds: effort.seconds,
            quick: effort.quick,
            machine,
            rows: Vec::new(),
        }
    }

    /// Adds one round's value.
    pub(crate) fn add(&mut self, what: &str, who: &str, unit: &'static str, value: f64) {
        let row = self.row(what, who, unit);
        row.rounds.push(value);
        row.median = median(&row.rounds);
        row.aim_met = row.aim.map(|aim| aim.is_met(row.median));
    }

    /// Sets what the median of a measure should be.
    pub(crate) fn aim(&mut self, what: &str, who: &str, unit: &'static str, aim: Aim) {
        let row = self.row(what, who, unit);
        row.aim = Some(aim);
        row.aim_met = (!row.rounds.is_empty()).then(|| aim.is_met(row.median));
    }

    /// Adds how one contestant stands to another, round by round: what disturbs a round disturbs both.
    pub(crate) fn ratio(
        &mut self,
        what: &str,
        (over, under): (&str, &str),
        unit: &'static str,
        aim: Option<Aim>,
    ) {
        let (over_values, under_values) =
            (self.row(what, over, unit).rounds.clone(), self.row(what, under, unit).rounds.clone());
        let who = format!("{over} / {under}");
        for (over, under) in over_values.iter().zip(&under_values).filter(|(_, u)| **u > 0.0) {
            self.add(what, &who, "ratio", over / under);
        }
        if let Some(aim) = aim {
            self.aim(what, &who, "ratio", aim);
        }
    }

    fn row(&mut self, what: &str, who: &str, unit: &'static str) -> &mut Row {
        let same = |row: &Row| row.what == what && row.who == who && row.unit == unit;
        let place = self.rows.iter().position(same).unwrap_or_else(|| {
            let (what, who) = (what.to_owned(), who.to_owned());
            let rounds = Vec::new();
            self.rows.push(Row { what, who, unit, median: 0.0, rounds, aim: None, aim_met: None });
            self.rows.len() - 1
        });
        &mut self.rows[place]
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        println!("{}", self.table());
    }

    fn table(&self) -> String {
        let mut text = format!(
            "\n## {}: medians of {} round(s) of {} s{}\n\n| what | who | median | lowest | highest | unit | aim |\n\
             |---|---|--:|--:|--:|---|---|\n",
            self.name,
            self.rounds,
            self.seconds,
            self.reservation()
        );
        for row in &self.rows {
            let lowest = row.rounds.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = row.rounds.iter().copied().fold(0.0, f64::max);
            let aim = match (row.aim, row.aim_met) {
                (Some(aim), Some(true)) => format!("{}: met", aim.text()),
                (Some(aim), Some(false) | None) => format!("{}: missed", aim.text()),
                (None, _) => String::new(),
            };
            let _cannot_fail = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {aim} |",
                row.what,
                row.who,
                number(row.median),
                number(lowest),
                number(highest),
                row.unit
            );
        }
        text
    }

    /// Why these numbers say nothing about Annals, where they do not.
    fn reservation(&self) -> &'static str {
        match (self.machine.release, self.quick) {
            (false, _) => ", built without optimisation: not to be quoted",
            (true, true) => ", quick: not to be quoted",
            (true, false) => "",
        }
    }

    /// Writes `target/bench/<name>.json`.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let folder = folder()?;
        std::fs::create_dir_all(&folder).context("cannot make target/bench")?;
        let suffix = if self.quick { "-quick" } else { "" };
        let path = folder.join(format!("{}{suffix}.json", self.name));
        std::fs::write(&path, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("written to {}", path.display());
        Ok(())
    }
}

/// Beside the folder of the profile that this program was built with.
fn folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let target = program.ancestors().nth(2).context("this program lies outside a target folder")?;
    Ok(target.join("bench"))
}

/// As many digits as say something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => grouped(&format!("{value:.0}")),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn grouped(digits: &str) -> String {
    let length = digits.len();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (length - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let effort = Effort { rounds: 3, seconds: 1, quick: false };
        Report::new("test", &effort, Machine::default())
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        let mut report = report();
        for (ours, theirs) in [(10.0, 5.0), (40.0, 10.0), (9.0, 3.0)] {
            report.add("one", "ours", "/s", ours);
            report.add("one", "theirs", "/s", theirs);
        }
        report.ratio("one", ("ours", "theirs"), "/s", Some(Aim::AtLeast(2.5)));
        let ratio = report.rows.last().unwrap();
        assert_eq!(ratio.rounds, [2.0, 4.0, 3.0]);
        assert!((ratio.median - 3.0).abs() < f64::EPSILON);
        assert_eq!(ratio.aim_met, Some(true));
        assert!(
            report
                .table()
                .contains("| one | ours / theirs | 3.00 | 2.00 | 4.00 | ratio | >= 2.50: met |")
        );
    }

    #[test]
    fn numbers_are_as_long_as_they_need_to_be() {
        assert_eq!(number(1_234_567.8), "1,234,568");
        assert_eq!(number(123.0), "123");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(0.126), "0.13");
    }
}
