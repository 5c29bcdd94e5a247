//! What can be asked of a template.

use crate::exports::export::{Options, Sort};
use crate::exports::{Layout, Report};

/// An intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begins a template.
    Define {
        /// What people call it.
        name: String,
        /// What its files show.
        report: Report,
    },
    /// Changes what is given.
    Revise(Revise),
    /// Ends it: nobody makes files by it any more.
    Retire,
}

/// Changes what is given; what is absent stays. An empty text takes away what was there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revise {
    /// What people call it.
    pub name: Option<String>,
    /// The columns, in the order of the file.
    pub columns: Option<Vec<String>>,
    /// Which rows, in the filter grammar.
    pub filter: Option<String>,
    /// The order of the rows.
    pub sort: Option<Vec<Sort>>,
    /// What stands above the rows and in the file's name.
    pub title: Option<String>,
    /// The language and region of numbers and dates, a BCP 47 tag.
    pub locale: Option<String>,
    /// The time zone of moments, an IANA name.
    pub time_zone: Option<String>,
    /// How pages look, all of it.
    pub layout: Option<Layout>,
    /// How files are made, all of it.
    pub options: Option<Options>,
}
