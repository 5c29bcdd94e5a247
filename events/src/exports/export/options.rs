//! How a file is made of its rows, and which wishes a kind of file can fulfil.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Format;
use crate::ids::ExportId;
use crate::text::{self, Fault};

/// Longest heading that somebody gives to a column.
pub const LABEL_MAX_CHARS: usize = 64;
/// Room for all headings together, because each is in the signed manifest too.
pub const LABELS_MAX_BYTES: usize = 8_192;
/// Most columns that are summed up.
pub const TOTALS_MAX_COUNT: usize = 20;

/// How a file is made; whatever is not said is as it is usual for the kind of file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How values are written; `formatted` unless told, `raw` in NDJSON, Parquet and raw CSV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
    /// For whom a CSV file is; `excel` unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// What the columns are called; `labels` unless told, `keys` in NDJSON, Parquet and raw CSV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headings: Option<Headings>,
    /// Headings of single columns, by the columns' names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What the file is, on a first sheet or above the table; unless told, a workbook has it on its last sheet, and a PDF above the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<bool>,
    /// Columns of numbers whose sums stand below the rows, in a workbook or a PDF.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub totals: Vec<String>,
    /// What happens at the limits of a kind of file; unless told, a workbook splits and a PDF fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_policy: Option<LimitPolicy>,
    /// Only what has changed since an earlier file that was asked for so, in CSV, NDJSON or Parquet: each row after what became of it,
    /// `added`, `changed` or `removed`, and what is gone by its key alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
}

/// Since when changes are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// The export whose file is known; the last such file of the same requester that shows the same when absent, and everything where
    /// there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<ExportId>,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// For people: moments on the clock of the file's zone to the second, numbers as the locale has them.
    Formatted,
    /// As the API gives them: moments as RFC 3339 in UTC and to their full precision, numbers with a point.
    Raw,
}

/// For whom a CSV file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// For spreadsheet programs: byte order mark, separators of the locale, and an apostrophe before text that would run as a formula.
    Excel,
    /// For programs: commas, points, and nothing added.
    Raw,
}

/// What columns are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Headings {
    /// By their names for people.
    Labels,
    /// By their names for programs.
    Keys,
}

/// What happens to rows and texts that a kind of file has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitPolicy {
    /// Rows go on on further sheets; a text longer than a cell is cut, which the file and its manifest say.
    Split,
    /// There is no file.
    Fail,
    /// Rows and texts end at the limit, which the file and its manifest say.
    Truncate,
}

impl Options {
    /// Whether nothing was wished.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The dialect of a CSV file.
    pub fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or(Dialect::Excel)
    }

    /// How values are written in a file of that kind.
    pub fn style(&self, format: Format) -> Style {
        self.style.unwrap_or(if self.is_for_programs(format) {
            Style::Raw
        } else {
            Style::Formatted
        })
    }

    /// What columns are called in a file of that kind.
    pub fn headings(&self, format: Format) -> Headings {
        self.headings.unwrap_or(if self.is_for_programs(format) {
            Headings::Keys
        } else {
            Headings::Labels
        })
    }

    /// What happens at the limits of a kind of file.
    pub fn limit_policy(&self, format: Format) -> LimitPolicy {
        self.limit_policy.unwrap_or(match format {
            Format::Xlsx => LimitPolicy::Split,
            Format::Pdf | Format::Csv | Format::Ndjson | Format::Parquet => LimitPolicy::Fail,
        })
    }

    fn is_for_programs(&self, format: Format) -> bool {
        match format {
            Format::Csv => self.dialect() == Dialect::Raw,
            Format::Xlsx | Format::Pdf => false,
            Format::Ndjson | Format::Parquet => true,
        }
    }

    /// Refuses names that are not among the columns of a file; gives the headings as they are stored.
    pub(in crate::exports) fn checked(self, columns: &[String]) -> Result<Self, Misfit> {
        let known: BTreeSet<&String> = columns.iter().collect();
        let mut seen = BTreeSet::new();
        let summed = |column| known.contains(column) && seen.insert(column);
        if self.totals.len() > TOTALS_MAX_COUNT || !self.totals.iter().all(summed) {
            return Err(Misfit::Totals);
        }
        if !self.labels.keys().all(|column| known.contains(column)) {
            return Err(Misfit::LabelsUnknown);
        }
        if self.labels.values().map(String::len).sum::<usize>() > LABELS_MAX_BYTES {
            return Err(Misfit::LabelsTooLong);
        }
        let labels = self.labels.into_iter().map(|(column, label)| {
            Ok((column, text::line(&label, LABEL_MAX_CHARS).map_err(Misfit::Label)?))
        });
        Ok(Self { labels: labels.collect::<Result<_, _>>()?, ..self })
    }

    /// Refuses what a kind of file cannot do.
    pub fn fits(&self, format: Format, columns: &[String]) -> Result<(), Misfit> {
        let mut seen = BTreeSet::new();
        let is_new = |column| seen.insert(self.labels.get(column).unwrap_or(column));
        let is_paged = matches!(format, Format::Xlsx | Format::Pdf);
        let is_data = matches!(format, Format::Ndjson | Format::Parquet);
        if is_data && !columns.iter().all(is_new) {
            return Err(Misfit::LabelsAlike);
        }
        if self.dialect.is_some() && format != Format::Csv {
            return Err(Misfit::Dialect);
        }
        if is_data && self.style == Some(Style::Formatted) {
            return Err(Misfit::Style);
        }
        if is_data && self.headings == Some(Headings::Labels) {
            return Err(Misfit::Headings);
        }
        if self.cover.is_some() && !is_paged {
            return Err(Misfit::Cover);
        }
        if self.changes.is_some() && is_paged {
            return Err(Misfit::Changes);
        }
        if !self.totals.is_empty() && !is_paged {
            return Err(Misfit::TotalsNowhere);
        }
        match self.limit_policy {
            Some(_) if !is_paged => Err(Misfit::LimitPolicy),
            Some(LimitPolicy::Split) if format == Format::Pdf => Err(Misfit::Split),
            Some(_) | None => Ok(()),
        }
    }
}

/// Why a wish cannot be fulfilled; reads on after `options.`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Misfit {
    /// Of no use outside CSV.
    #[default]
    #[error("dialect is of CSV alone: leave it out")]
    Dialect,
    /// NDJSON and Parquet are data.
    #[error("style must be raw in NDJSON and Parquet: choose CSV or XLSX for formatted values")]
    Style,
    /// Names of members have to be distinct, which labels need not be.
    #[error("headings must be keys in NDJSON and Parquet: rename single columns by labels")]
    Headings,
    /// A cover would be a row among the data.
    #[error("cover is of XLSX and PDF alone: choose one of them, or leave it out")]
    Cover,
    /// Who looks at pages wants to see what is there.
    #[error("changes are of CSV, NDJSON and Parquet: choose one of them, or leave them out")]
    Changes,
    /// A row of totals would be a row among the data.
    #[error("totals are of XLSX and PDF alone: choose one of them, or leave them out")]
    TotalsNowhere,
    /// Columns that are not there.
    #[error(
        "totals must be at most {TOTALS_MAX_COUNT} different columns of the file: correct the list"
    )]
    Totals,
    /// There is no limit.
    #[error("limit_policy is of XLSX and PDF alone, which have limits: leave it out")]
    LimitPolicy,
    /// A PDF has no sheets.
    #[error("limit_policy of a PDF is fail or truncate: choose XLSX to split")]
    Split,
    /// Headings of columns that are not there.
    #[error("labels name columns that are not in the file: correct the names")]
    LabelsUnknown,
    /// Two members of one name.
    #[error("labels give two columns one name: choose different ones")]
    LabelsAlike,
    /// Headings that are too long together.
    #[error("labels have more than {LABELS_MAX_BYTES} bytes together: shorten them")]
    LabelsTooLong,
    /// A heading that cannot be used.
    #[error("labels has a heading that {0}")]
    Label(Fault),
}

impl Misfit {
    pub(in crate::exports) fn pointer(self) -> &'static str {
        match self {
            Self::Dialect => "/options/dialect",
            Self::Style => "/options/style",
            Self::Headings => "/options/headings",
            Self::Cover => "/options/cover",
            Self::Changes => "/options/changes",
            Self::TotalsNowhere | Self::Totals => "/options/totals",
            Self::LimitPolicy | Self::Split => "/options/limit_policy",
            Self::LabelsUnknown | Self::LabelsAlike | Self::LabelsTooLong | Self::Label(_) => {
                "/options/labels"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{request, requested};
    use super::super::{Command, Event, Export, Rejection, Request};
    use super::*;
    use crate::aggregate::Rejection as _;
    use crate::testing::given;

    fn with(format: Format, options: Options) -> Request {
        Request { format, options, ..request() }
    }

    fn every_wish() -> Options {
        Options {
            style: Some(Style::Formatted),
            headings: Some(Headings::Labels),
            labels: [("name".to_owned(), " Name ".to_owned())].into(),
            cover: Some(true),
            totals: vec!["level".into()],
            limit_policy: Some(LimitPolicy::Split),
            dialect: None,
            changes: None,
        }
    }

    #[test]
    fn wishes_are_stored_as_they_are_cleaned_and_the_usual_is_not_stored() {
        let asked = given::<Export>([]).when(Command::Request(with(Format::Xlsx, every_wish())));
        let Event::Requested { options, .. } = &asked.result().unwrap()[0] else {
            panic!("no request")
        };
        assert_eq!(options.labels["name"], "Name");
        let written = serde_json::to_value(requested()).unwrap();
        assert!(written.get("options").is_none(), "{written}");
    }

    #[test]
    fn refuses_wishes_that_the_kind_of_file_cannot_fulfil() {
        let refused = |format, options, misfit| {
            let request = Command::Request(with(format, options));
            given::<Export>([]).when(request).refused(Rejection::OptionInvalid(misfit));
        };
        let usual = Options::default;
        let dialect = Options { dialect: Some(Dialect::Raw), ..usual() };
        let style = Options { style: Some(Style::Formatted), ..usual() };
        let cover = Options { cover: Some(false), ..usual() };
        let totals =
            |of: &[&str]| Options { totals: of.iter().map(|it| (*it).into()).collect(), ..usual() };
        let limits = |policy| Options { limit_policy: Some(policy), ..usual() };
        let labels = |column: &str, label: String| Options {
            labels: [(column.into(), label)].into(),
            ..usual()
        };
        for format in [Format::Xlsx, Format::Pdf, Format::Ndjson, Format::Parquet] {
            refused(format, dialect.clone(), Misfit::Dialect);
        }
        for format in [Format::Ndjson, Format::Parquet] {
            refused(format, style.clone(), Misfit::Style);
            let headings = Options { headings: Some(Headings::Labels), ..usual() };
            refused(format, headings, Misfit::Headings);
            refused(format, labels("name", "level".into()), Misfit::LabelsAlike);
        }
        let changes = Options { changes: Some(Changes::default()), ..usual() };
        for format in [Format::Xlsx, Format::Pdf] {
            refused(format, changes.clone(), Misfit::Changes);
        }
        for format in [Format::Csv, Format::Ndjson, Format::Parquet] {
            refused(format, cover.clone(), Misfit::Cover);
            refused(format, totals(&["level"]), Misfit::TotalsNowhere);
            refused(format, limits(LimitPolicy::Fail), Misfit::LimitPolicy);
        }
        refused(Format::Pdf, limits(LimitPolicy::Split), Misfit::Split);
        for wrong in [&["size"][..], &["level", "level"]] {
            refused(Format::Xlsx, totals(wrong), Misfit::Totals);
        }
        refused(Format::Csv, labels("size", "Size".into()), Misfit::LabelsUnknown);
        refused(Format::Csv, labels("name", " ".into()), Misfit::Label(Fault::Empty));
        refused(Format::Csv, labels("name", "x".repeat(9_000)), Misfit::LabelsTooLong);
        let refusal = Rejection::OptionInvalid(Misfit::Totals);
        assert_eq!(
            (refusal.code(), refusal.pointer()),
            ("EXPORT_OPTION_INVALID", Some("/options/totals"))
        );
    }

    #[test]
    fn programs_get_keys_and_raw_values_and_people_labels() {
        let raw = Options { dialect: Some(Dialect::Raw), ..Options::default() };
        for (format, options) in [
            (Format::Csv, raw),
            (Format::Ndjson, Options::default()),
            (Format::Parquet, Options::default()),
        ] {
            assert_eq!(
                (options.style(format), options.headings(format)),
                (Style::Raw, Headings::Keys)
            );
        }
        let usual = Options::default();
        for format in [Format::Csv, Format::Xlsx, Format::Pdf] {
            assert_eq!(
                (usual.style(format), usual.headings(format)),
                (Style::Formatted, Headings::Labels)
            );
        }
    }
}
