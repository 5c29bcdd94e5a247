//! Datasets: the read models that can be listed, filtered, sorted, paged and exported, and the one grammar for all of it.

mod audit;
mod catalogue;
mod collaboration;
pub mod cursor;
mod exports;
mod files;
pub mod filter;
mod maintenance;
mod order;
mod query;
mod rbac;
pub mod rows;
mod scheduling;
mod signing_in;
mod sql;
#[cfg(test)]
mod tests;
mod units;
mod webhooks;

use axum::http::StatusCode;
use events::Permission;

pub use catalogue::{datasets, find};
pub use order::order;
pub use query::{Count, DEFAULT_LIMIT, MAX_LIMIT, Query, Sort};
pub use sql::{Bind, Statement, count, matching, moment, one, page, select};
pub use units::{READERS, UNIT, Units};

use crate::problem::{Fault, Problem};

/// One read model as people see it.
#[derive(Debug, PartialEq, Eq)]
pub struct Dataset {
    /// `<module>.<plural>`.
    pub name: &'static str,
    /// What it holds, for people.
    pub label: &'static str,
    /// Schema and table.
    pub table: &'static str,
    /// The projections that fill the table, or those behind the view.
    pub projections: &'static [&'static str],
    /// What a caller needs to read it; nothing means that signing in is enough.
    pub permission: Option<Permission>,
    /// Set where a caller sees own rows only.
    pub owner: Option<Owner>,
    /// How its rows belong to units; nothing where they can be seen by whoever may everywhere, and by nobody else.
    pub units: Option<Units>,
    /// Its columns in their usual order.
    pub columns: &'static [Column],
    /// The columns that together tell rows apart within one organisation; two empty values count as the same.
    pub key: &'static [&'static str],
    /// The order when none is asked for, as in `sort=`.
    pub default_sort: &'static str,
}

/// Whose rows a caller sees.
#[derive(Debug, PartialEq, Eq)]
pub struct Owner {
    /// The column with the owner's user id.
    pub column: &'static str,
    /// The permission to see everybody's rows, where there is one.
    pub everybody: Option<Permission>,
    /// The column with the list of users who see the row as well, where rows are shared.
    pub shared: Option<&'static str>,
}

impl Owner {
    /// The condition that a row `t` is of the user with that number among the arguments, or shared with them where that counts.
    fn is(&self, number: usize, with_shared: bool) -> String {
        let own = format!("t.\"{}\" = ${number}", self.column);
        match self.shared.filter(|_| with_shared) {
            Some(list) => format!("({own} or t.\"{list}\" ? ${number}::text)"),
            None => own,
        }
    }
}

/// One column of a dataset.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of one another")]
pub struct Column {
    /// Name in the table, in JSON and in filters.
    pub key: &'static str,
    /// Heading for people.
    pub label: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether filters may use it.
    pub filterable: bool,
    /// Whether lists may be sorted by it.
    pub sortable: bool,
    /// Left out of exports unless it is asked for by name.
    pub sensitive: bool,
    /// Whether it can be empty.
    pub nullable: bool,
    /// Where each item of a list has a row of its own, so that an index finds it.
    pub rows: Option<ItemRows>,
}

/// A table with a row for each item of the lists of a column, beside the key of the dataset's row that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemRows {
    /// The table, with a column for the item and those of the dataset's key.
    pub table: &'static str,
    /// The column that holds the item.
    pub item: &'static str,
}

impl ItemRows {
    /// The condition that a row of the dataset, called `t`, is one of those with the item that is bound to this number.
    fn holds(self, dataset: &Dataset, number: usize) -> String {
        let Self { table, item } = self;
        let key = |of: &str| {
            let key = ["tenant_id"].iter().chain(dataset.key);
            key.map(|column| format!("{of}.\"{column}\"")).collect::<Vec<_>>().join(", ")
        };
        let (row, of_item) = (key("t"), key("i"));
        format!("({row}) in (select {of_item} from {table} i where i.\"{item}\" = ${number})")
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Text.
    Text,
    /// A UUID.
    Id,
    /// A whole number.
    Integer,
    /// Yes or no.
    Boolean,
    /// A moment.
    Time,
    /// A list of texts, as JSON.
    List,
    /// Anything, as JSON.
    Json,
}

impl Column {
    /// A column that can be filtered and sorted.
    pub const fn new(key: &'static str, label: &'static str, kind: Kind) -> Self {
        let ordered = !matches!(kind, Kind::Json | Kind::List);
        Self {
            key,
            label,
            kind,
            filterable: true,
            sortable: ordered,
            sensitive: false,
            nullable: false,
            rows: None,
        }
    }

    /// It can be empty.
    #[must_use]
    pub const fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// Its items have rows of their own.
    #[must_use]
    pub const fn by_rows(self, rows: ItemRows) -> Self {
        Self { rows: Some(rows), ..self }
    }

    /// It is left out of exports unless asked for.
    #[must_use]
    pub const fn sensitive(self) -> Self {
        Self { sensitive: true, ..self }
    }

    /// It is only shown.
    #[must_use]
    pub const fn shown_only(self) -> Self {
        Self { filterable: false, sortable: false, ..self }
    }
}

impl Dataset {
    /// The column of this key.
    pub fn column(&self, key: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.key == key)
    }

    /// Whether its rows hold what is personal as events have it, sealed: it is opened when they are shown.
    pub fn is_sealed(&self) -> bool {
        matches!(
            self.name,
            "audit.trail" | "audit.restored" | "identity.sessions" | "collaboration.comments"
        )
    }
}

/// Why a filter, a sort order, a list of fields or a cursor is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter} is not accepted: {detail}")]
pub struct Refused {
    /// The query parameter at fault.
    pub parameter: &'static str,
    /// Stable code.
    pub code: &'static str,
    /// What is wrong.
    pub detail: String,
    /// Where, in characters from 1.
    pub column: Option<usize>,
    /// What could stand there.
    pub expected: Vec<&'static str>,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// Whether it was right once: an old cursor.
    pub gone: bool,
}

impl Refused {
    /// A fault in a query parameter.
    pub fn new(parameter: &'static str, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            parameter,
            code,
            detail: detail.into(),
            column: None,
            expected: Vec::new(),
            suggestion: None,
            gone: false,
        }
    }

    /// A fault at a place in a filter, in characters from 1.
    pub fn filter(column: usize, detail: impl Into<String>) -> Self {
        Self { column: Some(column), ..Self::new("filter", "FILTER_INVALID", detail) }
    }

    fn gone(detail: impl Into<String>) -> Self {
        Self { gone: true, ..Self::new("after", "CURSOR_EXPIRED", detail) }
    }

    fn code(self, code: &'static str) -> Self {
        Self { code, ..self }
    }

    fn suggestion(self, text: String) -> Self {
        Self { suggestion: Some(text), ..self }
    }

    fn expected(self, tokens: &[&'static str]) -> Self {
        Self { expected: tokens.to_vec(), ..self }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let status = if refused.gone { StatusCode::GONE } else { StatusCode::BAD_REQUEST };
        let mut detail = refused.detail;
        if let Some(suggestion) = &refused.suggestion {
            detail = format!("{detail}; write {suggestion}");
        }
        let mut problem = Self::new(status, refused.code, detail.clone());
        if let Some(column) = refused.column {
            problem = problem.with("column", column);
        }
        if !refused.expected.is_empty() {
            problem = problem.with("expected", refused.expected);
        }
        if let Some(suggestion) = refused.suggestion {
            problem = problem.with("suggestion", suggestion);
        }
        problem.errors = vec![Fault::new(refused.parameter, refused.code, detail)];
        problem
    }
}
