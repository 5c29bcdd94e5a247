//! The rules of a template.

use super::{Command, Event, Revise, Status, Template};
use crate::aggregate::{Class, Context, Decider};
use crate::exports::export::{COLUMNS_MAX_COUNT, Misfit, SORT_MAX_COLUMNS};
use crate::exports::{Flaw, Misprint, Report};
use crate::modules::Module;
use crate::text::{self, Fault};

/// Longest name.
pub const NAME_MAX_CHARS: usize = 100;

/// Why a template refuses.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    serde::Serialize,
    thiserror::Error,
    strum::IntoStaticStr,
    strum::VariantNames,
    strum::EnumIter,
    strum::EnumMessage,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", prefix = "TEMPLATE_")]
pub enum Rejection {
    /// There is no such template.
    #[error("there is no such template: define one")]
    Unknown,
    /// The template exists already.
    #[error("the template exists already: define another")]
    Exists,
    /// The template is retired.
    #[error("the template is retired: define another")]
    Retired,
    /// The name cannot be used.
    #[error("name {0}")]
    NameInvalid(Fault),
    /// The name of the data set is not one.
    #[error(
        "dataset is not a name of a-z, digits, dots and underscores: choose one of the data sets"
    )]
    DatasetInvalid,
    /// The columns are none, too many, twice the same, or not names.
    #[error(
        "columns must be 1 to {COLUMNS_MAX_COUNT} different names of columns: correct the list"
    )]
    ColumnsInvalid,
    /// The filter cannot be used.
    #[error("filter {0}")]
    FilterInvalid(Fault),
    /// The order of rows is not well formed.
    #[error("sort must be at most {SORT_MAX_COLUMNS} different names of columns: correct the list")]
    SortInvalid,
    /// The title cannot be used.
    #[error("title {0}")]
    TitleInvalid(Fault),
    /// The locale is not a language tag.
    #[error("locale is not a BCP 47 tag: write it like de-CH")]
    LocaleInvalid,
    /// The time zone is not known.
    #[error("time_zone is not an IANA name: write it like Europe/Berlin")]
    TimeZoneUnknown,
    /// A text of the pages cannot be used.
    #[error("layout.{0}")]
    LayoutInvalid(Misprint),
    /// How files are made does not fit the columns.
    #[error("options.{0}")]
    OptionInvalid(Misfit),
}

impl crate::aggregate::Rejection for Rejection {
    fn code(&self) -> &'static str {
        self.into()
    }

    fn every() -> Vec<crate::aggregate::Refusal> {
        crate::aggregate::refusals::<Self>()
    }

    fn class(&self) -> Class {
        match self {
            Self::Unknown => Class::Absent,
            Self::NameInvalid(_)
            | Self::DatasetInvalid
            | Self::ColumnsInvalid
            | Self::FilterInvalid(_)
            | Self::SortInvalid
            | Self::TitleInvalid(_)
            | Self::LocaleInvalid
            | Self::TimeZoneUnknown
            | Self::LayoutInvalid(_)
            | Self::OptionInvalid(_) => Class::Invalid,
            Self::Exists | Self::Retired => Class::Conflict,
        }
    }

    fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::NameInvalid(_) => Some("/name"),
            Self::DatasetInvalid => Some("/dataset"),
            Self::ColumnsInvalid => Some("/columns"),
            Self::FilterInvalid(_) => Some("/filter"),
            Self::SortInvalid => Some("/sort"),
            Self::TitleInvalid(_) => Some("/title"),
            Self::LocaleInvalid => Some("/locale"),
            Self::TimeZoneUnknown => Some("/time_zone"),
            Self::LayoutInvalid(misprint) => Some(misprint.pointer()),
            Self::OptionInvalid(misfit) => Some(misfit.pointer()),
            Self::Unknown | Self::Exists | Self::Retired => None,
        }
    }
}

impl From<Flaw> for Rejection {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Dataset => Self::DatasetInvalid,
            Flaw::Columns => Self::ColumnsInvalid,
            Flaw::Filter(fault) => Self::FilterInvalid(fault),
            Flaw::Sort => Self::SortInvalid,
            Flaw::Title(fault) => Self::TitleInvalid(fault),
            Flaw::Locale => Self::LocaleInvalid,
            Flaw::TimeZone => Self::TimeZoneUnknown,
            Flaw::Layout(misprint) => Self::LayoutInvalid(misprint),
            Flaw::Options(misfit) => Self::OptionInvalid(misfit),
        }
    }
}

impl Decider for Template {
    const TYPE: &'static str = "exports.template";
    const MODULE: Module = Module::Exports;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;
    type Facts = ();

    fn decide(&self, command: Command, (): &(), _: &Context) -> Result<Vec<Event>, Rejection> {
        match (self.status, command) {
            (Status::Absent, Command::Define { name, report }) => {
                Ok(vec![Event::Defined { name: checked_name(&name)?, report: report.checked()? }])
            }
            (Status::Absent, Command::Revise(_) | Command::Retire) => Err(Rejection::Unknown),
            (Status::Defined | Status::Retired, Command::Define { .. }) => Err(Rejection::Exists),
            (Status::Defined, Command::Revise(revise)) => self.revise(revise),
            (Status::Defined, Command::Retire) => {
                Ok(vec![Event::Retired { name: self.name.clone() }])
            }
            (Status::Retired, Command::Revise(_)) => Err(Rejection::Retired),
            (Status::Retired, Command::Retire) => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.evolve(event);
    }
}

impl Template {
    fn revise(&self, revise: Revise) -> Result<Vec<Event>, Rejection> {
        let name = revise.name.as_deref().map(checked_name).transpose()?;
        let report = self.report.clone().with(revise).checked()?;
        let renamed = name
            .filter(|name| *name != self.name)
            .map(|name| Event::Renamed { previous: self.name.clone(), name });
        let revised = (report != self.report).then_some(Event::Revised { report });
        Ok(renamed.into_iter().chain(revised).collect())
    }
}

impl Report {
    fn with(self, revise: Revise) -> Self {
        let text = |given: Option<String>, before: Option<String>| match given {
            Some(given) => Some(given).filter(|text| !text.is_empty()),
            None => before,
        };
        Self {
            dataset: self.dataset,
            columns: revise.columns.unwrap_or(self.columns),
            filter: text(revise.filter, self.filter),
            sort: revise.sort.unwrap_or(self.sort),
            title: text(revise.title, self.title),
            locale: text(revise.locale, self.locale),
            time_zone: text(revise.time_zone, self.time_zone),
            layout: revise.layout.unwrap_or(self.layout),
            options: revise.options.unwrap_or(self.options),
        }
    }
}

fn checked_name(name: &str) -> Result<String, Rejection> {
    text::line(name, NAME_MAX_CHARS).map_err(Rejection::NameInvalid)
}
