//! What a file shows and how its pages look: the part of a request that a template can hold.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::export::{
    COLUMN_MAX_CHARS, COLUMNS_MAX_COUNT, FILTER_MAX_CHARS, Misfit, Options, SORT_MAX_COLUMNS, Sort,
    TITLE_MAX_CHARS,
};
use crate::files::Purpose;
use crate::files::file::{File, Status};
use crate::ids::FileId;
use crate::text::{self, Fault};

/// Types of the pictures that a page can show.
pub const LOGO_TYPES: &[&str] = &["image/png", "image/jpeg"];
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
    /// The picture at the top of the first page: a file of purpose `logo`, PNG or JPEG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<FileId>,
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
    /// The text above or below the pages, or their picture, cannot be used.
    Layout(Misprint),
    /// How files are made does not fit the columns.
    Options(Misfit),
}

/// Why a text or the picture of pages cannot be used; reads on after `layout.`.
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
    /// The picture.
    #[error("logo {0}")]
    Logo(Unshown),
}

/// Why a file is no picture for pages; reads on after `layout.logo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Unshown {
    /// There is none, or whoever asks may not read it.
    #[error("names no file that you may read: upload one with the purpose logo")]
    Unknown,
    /// It is for something else.
    #[error("is a file for another purpose: upload it with the purpose logo")]
    Purpose,
    /// It is not kept, not yet or not any more.
    #[error("is a file that is not stored: upload one with the purpose logo")]
    NotStored,
    /// Somebody holds it back.
    #[error("is a file that is held back: choose another")]
    Held,
    /// Pages cannot show it.
    #[error("is neither PNG nor JPEG: upload one of these")]
    Type,
}

/// Whether pages can show a file, of which is told whether whoever asks may read it.
pub fn check_logo(file: &File, readable: bool) -> Result<(), Unshown> {
    let wrong = if file.status == Status::Absent || !readable {
        Unshown::Unknown
    } else if file.purpose != Purpose::Logo {
        Unshown::Purpose
    } else if file.status != Status::Stored {
        Unshown::NotStored
    } else if file.flag.is_some() {
        Unshown::Held
    } else if !LOGO_TYPES.contains(&file.media_type.as_str()) {
        Unshown::Type
    } else {
        return Ok(());
    };
    Err(wrong)
}

impl Misprint {
    /// Where it stands in a request.
    pub fn pointer(&self) -> &'static str {
        match self {
            Self::Text => "/layout",
            Self::Header(_) => "/layout/header",
            Self::Footer(_) => "/layout/footer",
            Self::Logo(_) => "/layout/logo",
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
            logo: self.logo,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stored_picture_of_the_right_purpose_that_one_may_read_is_shown() {
        let logo = File {
            status: Status::Stored,
            purpose: Purpose::Logo,
            media_type: "image/png".into(),
            ..File::default()
        };
        assert_eq!(check_logo(&logo, true), Ok(()));
        assert_eq!(check_logo(&logo, false), Err(Unshown::Unknown));
        assert_eq!(check_logo(&File::default(), true), Err(Unshown::Unknown));
        let other = |change: fn(&mut File)| {
            let mut file = logo.clone();
            change(&mut file);
            check_logo(&file, true).unwrap_err()
        };
        assert_eq!(other(|file| file.purpose = Purpose::Photo), Unshown::Purpose);
        assert_eq!(other(|file| file.status = Status::Uploading), Unshown::NotStored);
        assert_eq!(other(|file| file.status = Status::Deleted), Unshown::NotStored);
        assert_eq!(other(|file| file.flag = Some("malware".into())), Unshown::Held);
        assert_eq!(other(|file| file.media_type = "image/gif".into()), Unshown::Type);
    }

    #[test]
    fn a_refusal_says_where_and_what_to_do() {
        let refused = Misprint::Logo(Unshown::Purpose);
        assert_eq!(refused.pointer(), "/layout/logo");
        assert!(refused.to_string().starts_with("logo is a file for another purpose: upload"));
    }
}
