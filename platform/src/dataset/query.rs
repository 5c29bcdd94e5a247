//! What is asked of a dataset: which rows, in which order, which columns.

use events::UserId;
use jiff::Timestamp;

use super::filter::{self, Filter};
use super::sql::{self, Statement};
use super::{Column, Dataset, Refused};
use crate::clock;

/// Rows of a page when none are asked for.
pub const DEFAULT_LIMIT: u32 = 50;
/// Most rows of a page.
pub const MAX_LIMIT: u32 = 500;
const MAX_SORT_KEYS: usize = 5;

/// A question to a dataset, checked against its columns.
#[derive(Debug, Clone)]
pub struct Query {
    /// Which rows.
    pub filter: Option<Filter>,
    /// In which order; the dataset's key always comes last, so that no two rows are alike.
    pub sort: Vec<Sort>,
    /// Which columns.
    pub fields: Vec<&'static Column>,
    /// Only rows of this owner.
    pub owner: Option<UserId>,
    /// And those that are shared with them.
    pub with_shared: bool,
    /// The filter as SQL.
    pub(super) condition: Statement,
    /// What `now` is in filters; the present unless told.
    now: Option<Timestamp>,
}

/// One key of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub column: &'static Column,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// Whether the rows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Count {
    /// Not at all.
    #[default]
    None,
    /// What the planner of Postgres thinks.
    Estimate,
    /// One by one.
    Exact,
}

impl Query {
    /// Every row and column in the usual order.
    pub fn everything(dataset: &'static Dataset) -> Result<Self, Refused> {
        Ok(Self {
            filter: None,
            sort: sort_keys(dataset, dataset.default_sort)?,
            fields: dataset.columns.iter().collect(),
            owner: None,
            with_shared: false,
            condition: Statement::default(),
            now: None,
        })
    }

    /// Only the rows that `text` describes; `me` is the caller.
    pub fn filtered(
        self,
        dataset: &'static Dataset,
        text: &str,
        me: Option<UserId>,
    ) -> Result<Self, Refused> {
        if text.trim().is_empty() {
            return Ok(self);
        }
        self.narrowed(dataset, filter::parse(text)?, me)
    }

    /// With `now` in filters being that moment.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self { now: Some(now), ..self }
    }

    /// Only the rows for which `filter` holds as well.
    pub fn narrowed(
        mut self,
        dataset: &'static Dataset,
        filter: Filter,
        me: Option<UserId>,
    ) -> Result<Self, Refused> {
        let filter = match self.filter.take() {
            Some(before) => Filter::All(vec![before, filter]),
            None => filter,
        };
        self.condition =
            sql::condition(dataset, &filter, (me, self.now.unwrap_or_else(clock::now)))?;
        self.filter = Some(filter);
        Ok(self)
    }

    /// In the order of `text`, for example `-created_at,id`.
    pub fn sorted(self, dataset: &'static Dataset, text: &str) -> Result<Self, Refused> {
        Ok(Self { sort: sort_keys(dataset, text)?, ..self })
    }

    /// Only these columns.
    pub fn only<'a>(
        self,
        dataset: &'static Dataset,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Refused> {
        let column = |key: &'a str| {
            dataset.column(key.trim()).ok_or_else(|| {
                Refused::new(
                    "fields",
                    "FIELDS_INVALID",
                    format!("there is no column `{}`; there are {}", key.trim(), names(dataset)),
                )
            })
        };
        let fields = keys.into_iter().map(column).collect::<Result<Vec<_>, _>>()?;
        if fields.is_empty() {
            return Ok(self);
        }
        Ok(Self { fields, ..self })
    }

    /// Only rows of this owner.
    #[must_use]
    pub fn of_owner(self, owner: UserId) -> Self {
        Self { owner: Some(owner), ..self }
    }

    /// Where only rows of an owner are asked for, those that are shared with them as well. A list of these could not be read in
    /// the order of an index, so this is for single rows.
    #[must_use]
    pub fn or_shared(self) -> Self {
        Self { with_shared: true, ..self }
    }

    /// How many of the selected rows have which values of these columns together: the values as texts, then the number.
    pub fn counts(&self, dataset: &Dataset, columns: &[&Column]) -> Statement {
        let values =
            columns.iter().map(|column| format!("coalesce(t.\"{}\"::text, '')", column.key));
        let values = values.collect::<Vec<_>>().join(", ");
        let what = format!("array[{values}], count(*) as number");
        let mut statement = sql::filtered(dataset, self, &what);
        statement.push(" group by 1");
        statement
    }

    /// The question as text: two with the same text select the same rows in the same order.
    pub fn fingerprint(&self) -> String {
        let filter = self.filter.as_ref().map(ToString::to_string).unwrap_or_default();
        let sort = self
            .sort
            .iter()
            .map(|key| format!("{}{}", if key.descending { "-" } else { "" }, key.column.key));
        let owner = self.owner.map(|owner| owner.to_string()).unwrap_or_default();
        format!("{filter}\n{}\n{owner}", sort.collect::<Vec<_>>().join(","))
    }
}

pub(super) fn names(dataset: &Dataset) -> String {
    dataset.columns.iter().map(|column| column.key).collect::<Vec<_>>().join(", ")
}

fn sort_keys(dataset: &'static Dataset, text: &str) -> Result<Vec<Sort>, Refused> {
    let refused = |detail: String| Refused::new("sort", "SORT_INVALID", detail);
    let mut keys: Vec<Sort> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (descending, name) = match part.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, part),
        };
        let column = dataset
            .column(name)
            .filter(|column| column.sortable)
            .ok_or_else(|| refused(format!("lists are not sorted by `{name}`")))?;
        if keys.iter().any(|key| key.column == column) {
            return Err(refused(format!("`{name}` stands twice in the order")));
        }
        keys.push(Sort { column, descending });
    }
    if keys.len() > MAX_SORT_KEYS {
        return Err(refused(format!("an order has at most {MAX_SORT_KEYS} keys")));
    }
    let descending = keys.last().is_some_and(|key| key.descending);
    for name in dataset.key {
        if let Some(column) = dataset.column(name)
            && keys.iter().all(|key| key.column != column)
        {
            keys.push(Sort { column, descending });
        }
    }
    Ok(keys)
}
