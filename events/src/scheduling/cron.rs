//! The five fields of crontab(5), read and matched by croner on the local clock.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;

/// Longest expression.
pub const EXPRESSION_MAX_CHARS: usize = 128;

/// An expression that was understood.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    cron: Box<Cron>,
    repeats: bool,
}

impl Expression {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > EXPRESSION_MAX_CHARS || !text.is_ascii() {
            return None;
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed);
        let cron = Box::new(parser.build().parse(text).ok()?);
        let repeats = text.split_whitespace().nth(1) == Some("*") || text.trim() == "@hourly";
        Some(Self { cron, repeats })
    }

    /// Whether it holds for every hour, so also for the one that comes twice when clocks go back.
    pub(super) fn repeats(&self) -> bool {
        self.repeats
    }

    /// The first local time after one; the clock is taken as it reads, without a zone.
    pub(super) fn next(&self, after: DateTime) -> Option<DateTime> {
        self.cron.find_next_occurrence(&after, false).ok()
    }
}
