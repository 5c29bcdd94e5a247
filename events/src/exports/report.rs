//! What a file shows and how its pages look: the part of a request that a template can hold.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::export::{
    COLUMN_MAX_CHARS, COLUMNS_MAX_COUNT, FILTER_MAX_CHARS, Misfit, Options, SORT_MAX_COLUMNS, Sort,
    TITLE_MAX_CHARS,
};
use crate::text::{self, Fault};

/// Longest text above or below every page.
pub const PAGE_TEXT_MAX_CHARS: usize = 200;

/// What a file shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The data set it is made from.
    pub dataset: String,
    /// The columns, in the order of the file.
    pub columns: Vec<String>,
    /// Which rows, in the filter grammar; all of them without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The order of the rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sort: Vec<Sort>,
    /// What stands above the rows and in the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The language and region of numbers and dates, a BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// The time zone of moments, an IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How its pages look, where it has pages.
    #[serde(default, skip_serializing_if = "Layout::is_usual")]
    pub layout: Layout,
    /// How files are made, where that is wished otherwise than usual.
    #[serde(default, skip_serializing_if = "Options::is_usual")]
    pub options: Options,
}

/// How pages look; of no consequence where a file has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// How the paper lies; by the width of the table unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orientation: Option<Orientation>,
    /// What stands above every page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What stands below every page, beside its number; title and time of the file unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
}

/// How paper lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Orientation {
    /// Upright.
    Portrait,
    /// On its side.
    Landscape,
}

/// What is wrong with a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The name of the data set is not one.
    Dataset,
    /// The columns are none, too many, twice the same, or not names.
    Columns,
    /// The filter cannot be used.
    Filter(Fault),
    /// The order of rows is not well formed.
    Sort,
    /// The title cannot be used.
    Title(Fault),
    /// The locale is not a language tag.
    Locale,
    /// The time zone is not known.
    TimeZone,
    /// The text above or below the pages cannot be used.
    Layout(Misprint),
    /// How files are made does not fit the columns.
    Options(Misfit),
}

/// Why a text of pages cannot be used; reads on after `layout.`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Misprint {
    /// It is not said which.
    #[default]
    #[error("header and layout.footer are lines of text: correct them")]
    Text,
    /// The text above.
    #[error("header {0}")]
    Header(Fault),
    /// The text below.
    #[error("footer {0}")]
    Footer(Fault),
}

impl Misprint {
    /// Where it stands in a request.
    pub fn pointer(&self) -> &'static str {
        match self {
            Self::Text => "/layout",
            Self::Header(_) => "/layout/header",
            Self::Footer(_) => "/layout/footer",
        }
    }
}

impl Layout {
    /// Whether nothing was wished.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    fn checked(self) -> Result<Self, Misprint> {
        let line = |text: String| text::line(&text, PAGE_TEXT_MAX_CHARS);
        Ok(Self {
            orientation: self.orientation,
            header: self.header.map(line).transpose().map_err(Misprint::Header)?,
            footer: self.footer.map(line).transpose().map_err(Misprint::Footer)?,
        })
    }
}

impl Report {
    /// The report as it is stored, or what is wrong with it.
    pub fn checked(self) -> Result<Self, Flaw> {
        if !is_name(&self.dataset) {
            return Err(Flaw::Dataset);
        }
        if !(1..=COLUMNS_MAX_COUNT).contains(&self.columns.len()) || !are_names(&self.columns) {
            return Err(Flaw::Columns);
        }
        let sorted = self.sort.iter().map(|sort| &sort.column);
        if self.sort.len() > SORT_MAX_COLUMNS || !are_names(sorted) {
            return Err(Flaw::Sort);
        }
        let filter = self.filter.map(|filter| text::lines(&filter, FILTER_MAX_CHARS));
        let title = self.title.map(|title| text::line(&title, TITLE_MAX_CHARS));
        let locale = self.locale.map(|tag| text::locale(&tag).ok_or(Flaw::Locale));
        let zone = self
            .time_zone
            .map(|name| text::time_zone(&name).ok_or(Flaw::TimeZone).map(str::to_owned));
        let options = self.options.checked(&self.columns).map_err(Flaw::Options)?;
        Ok(Self {
            dataset: self.dataset,
            columns: self.columns,
            filter: filter.transpose().map_err(Flaw::Filter)?,
            sort: self.sort,
            title: title.transpose().map_err(Flaw::Title)?,
            locale: locale.transpose()?,
            time_zone: zone.transpose()?,
            layout: self.layout.checked().map_err(Flaw::Layout)?,
            options,
        })
    }
}

fn is_name(text: &str) -> bool {
    text::is_identifier(text, COLUMN_MAX_CHARS)
}

fn are_names<'a>(names: impl IntoIterator<Item = &'a String>) -> bool {
    let mut seen = BTreeSet::new();
    names.into_iter().all(|name| is_name(name) && seen.insert(name))
}
