//! Files from rows: pure functions from a header and typed cells to bytes, the same bytes for the same input.

pub mod csv;
pub mod ndjson;
pub mod parquet;
pub mod pdf;
mod total;
pub mod xlsx;

use std::borrow::Cow;
use std::fmt::Write as _;

use events::exports::Layout;
use events::exports::export::{Dialect, LimitPolicy, Style};
use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

/// What a file says about itself.
#[derive(Debug, Clone)]
pub struct Header {
    /// What the file shows, for people.
    pub title: String,
    /// The organisation's name.
    pub organization: String,
    /// For whom it was made.
    pub requested_by: String,
    /// The columns, in the order of the cells of a row.
    pub columns: Vec<Column>,
    /// BCP 47 tag; decides the separators of CSV and the language of a PDF.
    pub locale: String,
    /// The zone that moments are shown in.
    pub zone: TimeZone,
    /// The place in the log that the rows stand at.
    pub position: i64,
    /// Which rows there are, for people; all of them when empty.
    pub filter: String,
    /// How many rows there are of each kind, for people: what is counted, and the counts.
    pub counts: Vec<(&'static str, String)>,
    /// When the event at that place was recorded; the only time in the file that is not data, so that the same rows are the same bytes.
    pub as_of: Timestamp,
    /// How many rows there are, whether or not there is room for them.
    pub rows_total: u64,
    /// How the file is made.
    pub look: Look,
    /// What pages are laid out for.
    pub paper: Paper,
    /// How pages look, where the request or its template says.
    pub layout: Layout,
}

/// How a file is made of its rows.
#[derive(Debug, Clone)]
pub struct Look {
    /// How values are written.
    pub style: Style,
    /// For whom a CSV file is.
    pub dialect: Dialect,
    /// Whether the file says what it is, before its rows; where that is usual when not told.
    pub cover: Option<bool>,
    /// The columns whose sums stand below the rows, counted from 0.
    pub totals: Vec<usize>,
    /// What happens at the limits of a kind of file.
    pub limits: LimitPolicy,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            style: Style::Formatted,
            dialect: Dialect::Excel,
            cover: None,
            totals: Vec::new(),
            limits: LimitPolicy::Split,
        }
    }
}

/// A size of paper.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Paper {
    /// ISO 216 A4.
    #[default]
    A4,
    /// US Letter.
    Letter,
}

impl Paper {
    /// The shorter and the longer side in millimetres.
    fn sides_mm(self) -> (f32, f32) {
        match self {
            Self::A4 => (210.0, 297.0),
            Self::Letter => (215.9, 279.4),
        }
    }
}

/// One column.
#[derive(Debug, Clone)]
pub struct Column {
    /// The machine's name.
    pub key: String,
    /// What it is called in the file.
    pub label: String,
    /// What its cells hold.
    pub kind: Kind,
}

/// What the cells of a column hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A decimal number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Bool,
    /// A moment.
    Timestamp,
    /// A calendar date.
    Date,
    /// Several texts.
    List,
    /// A JSON value.
    Json,
}

/// One value. There is no formula among them, and no way to make one.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Any text.
    Text(String),
    /// A decimal number, as its digits; never a float, so nothing is lost.
    Number(String),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Bool(bool),
    /// A moment.
    Timestamp(Timestamp),
    /// A calendar date.
    Date(civil::Date),
    /// Several texts.
    List(Vec<String>),
    /// A JSON value, as its text.
    Json(String),
    /// Nothing.
    Empty,
}

/// One row.
pub type Row = Vec<Cell>;

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// Rows written.
    pub rows: u64,
    /// Rows that had no room; the file itself says so.
    pub rows_left_out: u64,
    /// Sheets or row groups that the rows stand on.
    pub parts: u32,
    /// Cells that the format could not hold whole; the file itself says so.
    pub cut_cells: u64,
    /// What whoever opens the file should know, as codes.
    pub warnings: Vec<&'static str>,
}

/// Texts are not in the file whole.
pub const CELLS_CUT: &str = "CELLS_CUT";
/// Rows are not in the file.
pub const ROWS_LEFT_OUT: &str = "ROWS_LEFT_OUT";
/// The font of the PDF lacks characters.
pub const CHARACTERS_MISSING: &str = "CHARACTERS_MISSING";
/// The table is too large to be read on pages; a workbook suits it better.
pub const LARGE_FOR_PDF: &str = "LARGE_FOR_PDF_TAKE_XLSX";

/// Why no file came out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rows ended in an error; a file with part of them is never published.
    #[error("the rows could not be read")]
    Rows(#[source] anyhow::Error),
    /// The file could not be written.
    #[error("the file could not be written")]
    Write(#[from] std::io::Error),
    /// The workbook could not be written.
    #[error("the workbook could not be written")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
    /// The font that is built in cannot be read.
    #[error("the built-in font cannot be read")]
    Font,
    /// The table could not be written.
    #[error("the Parquet file could not be written")]
    Table(#[from] ::parquet::errors::ParquetError),
    /// More rows than the format has room for.
    #[error("a {format} holds at most {limit} rows; {remedy}, or ask for fewer rows")]
    TooManyRows {
        /// The format.
        format: &'static str,
        /// The limit.
        limit: u64,
        /// What else there is.
        remedy: &'static str,
    },
    /// A text that a cell has no room for, where nothing shall be cut.
    #[error(
        "a cell of a workbook holds at most {limit} characters; ask for CSV, or for limit_policy truncate"
    )]
    CellTooLong {
        /// The limit.
        limit: usize,
    },
    /// More columns than the format has room for.
    #[error("a {format} holds at most {limit} columns; choose fewer")]
    TooManyColumns {
        /// The format.
        format: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl Header {
    /// A moment on the clock of the file's zone, to the second.
    fn local(&self, moment: Timestamp) -> civil::DateTime {
        let local = self.zone.to_datetime(moment);
        local.with().subsec_nanosecond(0).build().unwrap_or(local)
    }

    /// A moment as `2026-01-31 13:05:00`, which spreadsheets read as one.
    fn local_text(&self, moment: Timestamp) -> String {
        let mut text = String::with_capacity(20);
        self.write_local(moment, &mut text);
        text
    }

    fn write_local(&self, moment: Timestamp, text: &mut String) {
        let at = self.zone.to_datetime(moment);
        // Digit by digit: a million rows have millions of these, and the machinery of `write!` takes longer than all the rest of them.
        let year = at.year();
        if year >= 0
            && let Ok(century) = i8::try_from(year / 100)
        {
            push_two(century, text);
            push_two(i8::try_from(year % 100).unwrap_or_default(), text);
        } else {
            let _always_ok = write!(text, "{year:04}");
        }
        let parts = [at.month(), at.day(), at.hour(), at.minute(), at.second()];
        for (before, part) in ['-', '-', ' ', ':', ':'].into_iter().zip(parts) {
            text.push(before);
            push_two(part, text);
        }
    }

    /// Writes a value as the style has it, numbers with a point.
    fn write_value(&self, cell: &Cell, text: &mut String) {
        match cell {
            Cell::Timestamp(moment) if self.look.style == Style::Formatted => {
                self.write_local(*moment, text);
            }
            Cell::Text(_)
            | Cell::Number(_)
            | Cell::Integer(_)
            | Cell::Bool(_)
            | Cell::Timestamp(_)
            | Cell::Date(_)
            | Cell::List(_)
            | Cell::Json(_)
            | Cell::Empty => write_raw(cell, text),
        }
    }

    /// The zone's name.
    fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The lines that say what this file is, as pairs of name and value.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let filter = if self.filter.is_empty() { "all rows" } else { &self.filter };
        let mut facts = vec![
            ("Organisation", self.organization.clone()),
            ("Report", self.title.clone()),
            ("Filter", filter.to_owned()),
            ("Made for", self.requested_by.clone()),
            ("As of", self.local_text(self.as_of)),
            ("Time zone", self.zone_name().to_owned()),
            ("Log position", self.position.to_string()),
        ];
        facts.extend(self.counts.iter().cloned());
        facts
    }
}

/// Writes a number of at most two digits with both.
fn push_two(number: i8, text: &mut String) {
    let number = number.unsigned_abs();
    text.push(char::from(b'0' + number / 10 % 10));
    text.push(char::from(b'0' + number % 10));
}

/// Writes a value as the API gives it.
fn write_raw(cell: &Cell, text: &mut String) {
    let _always_ok = match cell {
        Cell::Text(value) | Cell::Number(value) | Cell::Json(value) => {
            text.push_str(value);
            Ok(())
        }
        Cell::Integer(value) => write!(text, "{value}"),
        Cell::Bool(value) => write!(text, "{value}"),
        Cell::Timestamp(moment) => write!(text, "{moment}"),
        Cell::Date(date) => write!(text, "{date}"),
        Cell::List(items) => {
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                text.push_str(item);
            }
            Ok(())
        }
        Cell::Empty => Ok(()),
    };
}

/// Whether the text is a plain decimal number: sign, digits, at most one point. Anything else is treated as text, so that a
/// wrongly typed value cannot pass for a number.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(part)
}

/// Whether a spreadsheet's number holds it: at most 15 digits, and no leading zero that it would drop.
fn fits_a_spreadsheet_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let significant = digits.bytes().filter(u8::is_ascii_digit).skip_while(|b| *b == b'0').count();
    !leading_zero && significant <= 15
}

/// Whether a program could take the cell for a formula: its first character, after spaces and byte order marks, is one of
/// those that start one.
fn looks_like_formula(text: &str) -> bool {
    const STARTS: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'];
    if text.bytes().next().is_none_or(|first| first.is_ascii_alphanumeric()) {
        return false; // as nearly all are
    }
    let blank = |c: char| c == '\u{feff}' || (c.is_whitespace() && !STARTS.contains(&c));
    text.trim_start_matches(blank).starts_with(STARTS)
}

/// A CSV cell's text made safe for programs that run formulas: text only, never a number or a date.
fn defused(text: &str) -> Cow<'_, str> {
    if looks_like_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// How a locale writes numbers and lists in CSV files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Separators {
    decimal: char,
    delimiter: u8,
}

/// The separators that spreadsheet programs expect in a locale.
fn separators(locale: &str) -> Separators {
    const COMMA_LANGUAGES: &[&str] = &[
        "bg", "bs", "ca", "cs", "da", "de", "el", "es", "et", "eu", "fi", "fr", "gl", "hr", "hu",
        "id", "is", "it", "lt", "lv", "mk", "nb", "nl", "nn", "no", "pl", "pt", "ro", "ru", "sk",
        "sl", "sq", "sr", "sv", "tr", "uk", "vi",
    ];
    const POINT_DECIMAL: &[&str] = &["de-ch", "de-li", "it-ch"];
    const ENGLISH_STYLE: &[&str] = &["es-mx", "es-us", "es-pr", "es-gt", "es-hn", "es-ni", "es-pa"];
    let tag = locale.to_ascii_lowercase().replace('_', "-");
    let language = tag.split('-').next().unwrap_or_default();
    if !COMMA_LANGUAGES.contains(&language) || ENGLISH_STYLE.contains(&tag.as_str()) {
        return Separators { decimal: '.', delimiter: b',' };
    }
    let decimal = if POINT_DECIMAL.contains(&tag.as_str()) { '.' } else { ',' };
    Separators { decimal, delimiter: b';' }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use events::testing::at;

    /// A header over columns `a`, `b`, `c` ... of the given kinds.
    pub(crate) fn header(kinds: &[Kind]) -> Header {
        let columns = kinds.iter().zip('a'..).map(|(kind, key)| Column {
            key: key.to_string(),
            label: format!("Column {key}"),
            kind: *kind,
        });
        Header {
            title: "Rollen".into(),
            organization: "Käserei Zürich".into(),
            requested_by: "Ada".into(),
            columns: columns.collect(),
            locale: "en".into(),
            zone: TimeZone::get("Europe/Zurich").unwrap(),
            position: 48213,
            filter: "status = open".into(),
            counts: Vec::new(),
            as_of: at("2026-06-30T22:30:00Z"),
            rows_total: 0,
            look: Look::default(),
            paper: Paper::A4,
            layout: Layout::default(),
        }
    }

    /// Texts that files have been corrupted by.
    pub(crate) const TRICKY: &[&str] = &[
        "-0.02",
        "+41 44 123 45 67",
        "=1+1",
        "@user",
        "=cmd|' /C calc'!A0",
        "  =1+1",
        "\u{feff}=1+1",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1+1",
        "＋1",
        "－1",
        "＠x",
        "漢字かな交じり文",
        "😀👩‍👩‍👧",
        "say \"hi\"",
        "line\nbreak",
        "line\r\nbreak",
        "a,b;c\td",
        "",
        " ",
        "  leading",
        "trailing ",
        "0041",
        "1e5",
        "CH93 0076 2011 6238 5295 7",
        "_x0041_",
        "<b>&amp;</b>",
        "it's",
        "'=1",
        "\u{1}\u{1f}",
        "é",
        "TRUE",
        "12345678901234567890",
        "#REF!",
        "https://example.org/?a=1&b=2",
    ];

    #[test]
    fn only_plain_decimals_pass_for_numbers() {
        for text in ["0", "-0.02", "12.50", "123456789012345678901234567890"] {
            assert!(is_decimal(text), "{text}");
        }
        for text in ["", "-", ".", "1.", ".5", "+1", "1e5", "=1", "1 000", "0x1", "١"] {
            assert!(!is_decimal(text), "{text}");
        }
    }

    #[test]
    fn long_numbers_and_leading_zeros_are_no_spreadsheet_numbers() {
        assert!(fits_a_spreadsheet_number("-0.02"));
        assert!(fits_a_spreadsheet_number("999999999999999"));
        assert!(!fits_a_spreadsheet_number("1234567890123456"));
        assert!(!fits_a_spreadsheet_number("007"));
    }

    #[test]
    fn moments_are_written_with_all_their_digits() {
        for (moment, expected) in [
            ("2026-01-02T03:04:05Z", "2026-01-02 04:04:05"),
            ("0099-12-31T12:00:00Z", "0099-12-31 12:34:08"),
            ("9999-12-30T21:59:59Z", "9999-12-30 22:59:59"),
            ("-000044-03-15T12:00:00Z", "-044-03-15 12:34:08"),
        ] {
            assert_eq!(header(&[]).local_text(at(moment)), expected);
        }
    }

    #[test]
    fn separators_follow_the_locale() {
        let of = |locale| (separators(locale).decimal, separators(locale).delimiter);
        assert_eq!(of("en-GB"), ('.', b','));
        assert_eq!(of("de-DE"), (',', b';'));
        assert_eq!(of("de_CH"), ('.', b';'));
        assert_eq!(of("es-MX"), ('.', b','));
        assert_eq!(of("ja"), ('.', b','));
    }
}
