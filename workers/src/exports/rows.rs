//! Rows of a dataset, read through a cursor in one snapshot, and the typed cells that they become where they are used.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use events::TenantId;
use events::exports::export::{Format, Headings, Options};
use platform::dataset::{self, Column, Dataset, Kind, Query};
use platform::personal::{Keys, Personal, is_sealed, may_be_sealed, open_json, open_text};
use platform::transparency::manifest::AsOf;
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, PgPool, Postgres, Row as _, Transaction, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use super::as_of;
use super::render::{self, Cell, Row};

/// Cells of one fetch: not many, as several fetches are in memory at once.
const FETCH_CELLS: usize = 4_000;
/// Numbers cursors, so that no two of this process are called the same.
static CURSORS: AtomicU64 = AtomicU64::new(0);

/// The datasets of whose rows a file says first how many there are of each kind, and by which columns.
const SUMMARISED: &[(&str, &[&str])] = &[("audit.trail", &["status", "module"])];

/// One snapshot of a dataset.
pub(super) struct Rows {
    transaction: Transaction<'static, Postgres>,
    columns: Arc<[&'static Column]>,
    /// Asks for the next rows. Its words are this export's own: they are prepared once, and the same words would fetch other columns when the
    /// connection serves the next.
    fetch: String,
    tenant: TenantId,
    /// What has the keys to the cells, where the read model keeps what is personal sealed.
    personal: Option<(PgPool, Personal)>,
    /// The last event that the rows can depend on, of those that they were folded from.
    pub(super) as_of: AsOf,
    /// How many rows there are.
    pub(super) total: u64,
}

impl Rows {
    /// Opens the snapshot: one organisation, one position, all of it or nothing.
    pub(super) async fn open(
        pool: &PgPool,
        tenant: TenantId,
        dataset: &Dataset,
        query: &Query,
    ) -> Result<Self, sqlx::Error> {
        let mut transaction =
            pool.begin_with("begin isolation level repeatable read read only").await?;
        sqlx::query(
            "select set_config('app.tenant', $1, true), set_config('statement_timeout', '0', true),
                    set_config('idle_in_transaction_session_timeout', '10min', true)",
        )
        .bind(tenant.to_string())
        .execute(&mut *transaction)
        .await?;
        let position = position(&mut *transaction, dataset).await?;
        let as_of = as_of::read(&mut transaction, tenant, dataset, position).await?;
        let counting = dataset::count(dataset, query);
        let total: i64 = sqlx::query_scalar_with(&counting.sql, counting.arguments()?)
            .fetch_one(&mut *transaction)
            .await?;
        let select = dataset::select(dataset, query);
        let cursor = format!("rows_{}", CURSORS.fetch_add(1, Ordering::Relaxed));
        let declare = format!("declare {cursor} no scroll cursor for {}", select.sql);
        let declare = sqlx::query_with(&declare, select.arguments()?).persistent(false);
        declare.execute(&mut *transaction).await?;
        let total = u64::try_from(total).unwrap_or(0);
        let columns: Arc<[_]> = query.fields.as_slice().into();
        let fetch = format!("fetch {} from {cursor}", fetched_at_once(columns.len()));
        Ok(Self { transaction, columns, fetch, tenant, personal: None, as_of, total })
    }

    /// With what is personal opened.
    pub(super) fn opening(self, pool: &PgPool, personal: &Personal) -> Self {
        Self { personal: Some((pool.clone(), personal.clone())), ..self }
    }

    /// How many of the rows are of each kind, where that is worth knowing.
    pub(super) async fn counts(
        &mut self,
        dataset: &Dataset,
        query: &Query,
    ) -> Result<Vec<(&'static str, String)>, sqlx::Error> {
        let summarised = SUMMARISED.iter().filter(|(name, _)| *name == dataset.name);
        let columns = summarised.flat_map(|(_, columns)| *columns);
        let columns: Vec<&Column> = columns.filter_map(|key| dataset.column(key)).collect();
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let counting = query.counts(dataset, &columns); // at once, as each look at a million rows takes its time
        let found: Vec<(Vec<String>, i64)> =
            sqlx::query_as_with(&counting.sql, counting.arguments()?)
                .fetch_all(&mut *self.transaction)
                .await?;
        Ok((0..).zip(columns).map(|(at, column)| (column.label, of_each(at, &found))).collect())
    }

    /// How many rows are fetched at once.
    pub(super) fn at_once(&self) -> u64 {
        fetched_at_once(self.columns.len()) as u64
    }

    /// The next rows; none at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Fetched> {
        let rows = sqlx::query(&self.fetch).fetch_all(&mut *self.transaction).await?;
        let keys = self.keys(&rows).await?;
        Ok(Fetched { rows, columns: Arc::clone(&self.columns), tenant: self.tenant, keys })
    }

    /// The keys to what is sealed in some rows, asked for at once.
    async fn keys(&self, rows: &[PgRow]) -> anyhow::Result<Option<Keys>> {
        let Some((pool, personal)) = &self.personal else { return Ok(None) };
        let mut found = Vec::new();
        for row in rows {
            for (at, column) in self.columns.iter().enumerate() {
                if let Kind::Text | Kind::List | Kind::Json = column.kind {
                    found.extend(sealed(row, at)?);
                }
            }
        }
        let texts: Vec<&str> = found.iter().map(Cow::as_ref).collect();
        if texts.is_empty() {
            return Ok(None);
        }
        Ok(Some(personal.keys_of(pool, self.tenant, texts).await?))
    }
}

/// What is at a place of a row, if it may have something sealed in it, as it came: a sealed text stands in it as it is.
fn sealed(row: &PgRow, at: usize) -> anyhow::Result<Option<Cow<'_, str>>> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(None);
    }
    let bytes = value.as_bytes().map_err(anyhow::Error::from_boxed)?;
    Ok(may_be_sealed(bytes).then(|| String::from_utf8_lossy(bytes)))
}

/// Rows as they came. They become cells where these are used, one row after the other: cells take more room, and whoever frees them
/// should be the one who made them.
pub(super) struct Fetched {
    rows: Vec<PgRow>,
    columns: Arc<[&'static Column]>,
    tenant: TenantId,
    keys: Option<Keys>,
}

impl Fetched {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Their cells, with what is personal in them opened.
    pub(super) fn cells(self) -> impl Iterator<Item = anyhow::Result<Row>> {
        let Self { rows, columns, tenant, keys } = self;
        rows.into_iter().map(move |row| {
            let mut cells = cells(&columns, &row)?;
            if let Some(keys) = &keys {
                for cell in &mut cells {
                    open(cell, keys, tenant);
                }
            }
            Ok(cells)
        })
    }
}

/// Opens what is personal in a cell.
fn open(cell: &mut Cell, keys: &Keys, tenant: TenantId) {
    match cell {
        Cell::Text(text) if is_sealed(text) => {
            *text = open_text(keys, tenant, text).into_owned();
        }
        Cell::Json(text) if is_sealed(text) => {
            *text = open_json(keys, tenant, text).into_owned();
        }
        Cell::List(items) => {
            for item in items.iter_mut().filter(|item| is_sealed(item)) {
                *item = open_text(keys, tenant, item).into_owned();
            }
        }
        Cell::Text(_)
        | Cell::Json(_)
        | Cell::Number(_)
        | Cell::Integer(_)
        | Cell::Bool(_)
        | Cell::Timestamp(_)
        | Cell::Date(_)
        | Cell::Empty => {}
    }
}

fn cells(columns: &[&Column], row: &PgRow) -> anyhow::Result<Row> {
    columns.iter().enumerate().map(|(at, column)| cell(row, at, column.kind)).collect()
}

/// The position up to which all projections behind a dataset have come.
pub(super) async fn position(
    database: impl PgExecutor<'_>,
    dataset: &Dataset,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(POSITION).bind(dataset.projections).fetch_one(database).await
}

fn fetched_at_once(columns: usize) -> usize {
    FETCH_CELLS.div_ceil(columns.max(1))
}

/// The values of one of several columns that were counted together, the most frequent first.
fn of_each(at: usize, found: &[(Vec<String>, i64)]) -> String {
    let mut numbers: BTreeMap<&str, i64> = BTreeMap::new();
    for (values, number) in found {
        *numbers.entry(values.get(at).map_or("", String::as_str)).or_default() += number;
    }
    let mut numbers: Vec<_> = numbers.into_iter().collect();
    numbers.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let counts = numbers.iter().map(|(value, number)| format!("{value} {number}"));
    counts.collect::<Vec<_>>().join(", ")
}

fn cell(row: &PgRow, at: usize, kind: Kind) -> anyhow::Result<Cell> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(Cell::Empty);
    }
    Ok(match kind {
        // What Postgres gives is the text itself, of whichever of its types of texts.
        Kind::Text => Cell::Text(value.as_str().map_err(anyhow::Error::from_boxed)?.to_owned()),
        Kind::Id => {
            let id: Uuid = row.try_get(at)?;
            Cell::Text(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned())
        }
        Kind::Integer => Cell::Integer(integer(row, at)?),
        Kind::Boolean => Cell::Bool(row.try_get(at)?),
        Kind::Time => Cell::Timestamp(row.try_get::<jiff_sqlx::Timestamp, _>(at)?.to_jiff()),
        Kind::List => Cell::List(list(row, at)?),
        Kind::Json => Cell::Json(json(row, at)?.to_string()),
    })
}

fn integer(row: &PgRow, at: usize) -> Result<i64, sqlx::Error> {
    let width = match row.try_get_raw(at)?.type_info().name() {
        "INT2" => 2,
        "INT4" => 4,
        _ => 8,
    };
    match width {
        2 => row.try_get::<i16, _>(at).map(i64::from),
        4 => row.try_get::<i32, _>(at).map(i64::from),
        _ => row.try_get(at),
    }
}

/// `JSON` or `JSONB`.
fn json(row: &PgRow, at: usize) -> Result<serde_json::Value, sqlx::Error> {
    row.try_get(at)
}

fn list(row: &PgRow, at: usize) -> Result<Vec<String>, sqlx::Error> {
    if row.try_get_raw(at)?.type_info().name() == "TEXT[]" {
        return row.try_get(at);
    }
    let value = json(row, at)?;
    let text =
        |item: &serde_json::Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    Ok(value
        .as_array()
        .map_or_else(|| vec![text(&value)], |items| items.iter().map(text).collect()))
}

/// The columns of a file.
pub(super) fn columns(query: &Query, format: Format, options: &Options) -> Vec<render::Column> {
    let label = |column: &Column| match (options.labels.get(column.key), options.headings(format)) {
        (Some(label), _) => label.clone(),
        (None, Headings::Labels) => column.label.to_owned(),
        (None, Headings::Keys) => column.key.to_owned(),
    };
    let column = |column: &&Column| render::Column {
        key: column.key.to_owned(),
        label: label(column),
        kind: match column.kind {
            Kind::Text | Kind::Id => render::Kind::Text,
            Kind::List => render::Kind::List,
            Kind::Json => render::Kind::Json,
            Kind::Integer => render::Kind::Integer,
            Kind::Boolean => render::Kind::Bool,
            Kind::Time => render::Kind::Timestamp,
        },
    };
    query.fields.iter().map(column).collect()
}

const POSITION: &str = "
    select case
        when cardinality($1::text[]) = 0 then (select position from log.head)
        when count(*) < cardinality($1) then 0
        else min(position) end
      from read.checkpoints where projection = any($1)";

#[cfg(test)]
mod tests {
    use events::testing::id;

    use super::*;
    use crate::testing::Log;

    #[test]
    fn what_was_counted_together_is_told_apart_the_most_frequent_first() {
        let found = [("success", "rbac", 2), ("denied", "files", 7), ("success", "files", 6)];
        let found = found.map(|(a, b, number)| (vec![a.to_owned(), b.to_owned()], number));
        assert_eq!(of_each(0, &found), "success 8, denied 7");
        assert_eq!(of_each(1, &found), "files 13, rbac 2");
    }

    #[tokio::test]
    async fn one_connection_serves_datasets_of_different_columns() {
        let log = Log::new().await;
        let pool =
            platform::db::connect(&log.database.url, platform::db::Role::Workers, 1).await.unwrap();
        for name in ["identity.users", "rbac.roles", "audit.trail", "identity.users"] {
            let dataset = dataset::find(name).unwrap();
            let query = Query::everything(dataset).unwrap();
            let mut rows = Rows::open(&pool, id(1), dataset, &query).await.unwrap();
            assert_eq!(rows.next().await.unwrap().len(), 0);
            assert_eq!((rows.total, rows.as_of.position), (0, 0));
        }
    }

    static DATASET: Dataset = Dataset {
        name: "test.kinds",
        label: "Kinds",
        table: "read.test_kinds",
        projections: &[],
        permission: None,
        owner: None,
        units: None,
        columns: &[
            Column::new("n", "N", Kind::Integer),
            Column::new("small", "Small", Kind::Integer),
            Column::new("id", "Id", Kind::Id),
            Column::new("name", "Name", Kind::Text),
            Column::new("yes", "Yes", Kind::Boolean),
            Column::new("at", "At", Kind::Time),
            Column::new("names", "Names", Kind::List),
            Column::new("listed", "Listed", Kind::List),
            Column::new("more", "More", Kind::Json),
            Column::new("nothing", "Nothing", Kind::Text).nullable(),
        ],
        key: &["n"],
        default_sort: "n",
    };

    async fn table_of_every_kind(url: &str) {
        use sqlx::{Connection as _, Executor as _};
        let mut owner = sqlx::PgConnection::connect(url).await.unwrap();
        let made = "
            create table read.test_kinds (tenant_id uuid, n bigint, small integer, id uuid, name text, yes boolean,
                at timestamptz, names text[], listed jsonb, more jsonb, nothing text);
            select read.protect('read.test_kinds');";
        owner.execute(made).await.unwrap();
        for (tenant, rows) in [(1, 2_500_i64), (2, 3)] {
            let insert = "
                insert into read.test_kinds
                select $1, n, -7, $1, '=1+1', true, '2026-01-01 12:00:00Z', '{a,b}', '[\"a\", 1]', '{\"a\": 1}', null
                  from generate_series(1, $2) n";
            let insert = sqlx::query(insert).bind(id::<TenantId>(tenant).0).bind(rows);
            insert.execute(&mut owner).await.unwrap();
        }
    }

    #[tokio::test]
    async fn every_row_of_one_organisation_comes_once_with_typed_cells() {
        let log = Log::new().await;
        table_of_every_kind(&log.database.url).await;
        let query = Query::everything(&DATASET).unwrap();
        let mut rows = Rows::open(&log.workers, id(1), &DATASET, &query).await.unwrap();
        assert_eq!(rows.total, 2_500);
        let mut all = Vec::new();
        loop {
            let fetched = rows.next().await.unwrap();
            if fetched.len() == 0 {
                break;
            }
            all.extend(fetched.cells().map(|row| row.unwrap()));
        }
        for (number, row) in (1..).zip(&all) {
            assert_eq!(row[0], Cell::Integer(number));
        }
        assert_eq!(all.len(), 2_500);
        let text = |text: &str| Cell::Text(text.into());
        let expected = [
            Cell::Integer(-7),
            text(&id::<TenantId>(1).to_string()),
            text("=1+1"),
            Cell::Bool(true),
            Cell::Timestamp(events::testing::at("2026-01-01T12:00:00Z")),
            Cell::List(vec!["a".into(), "b".into()]),
            Cell::List(vec!["a".into(), "1".into()]),
            Cell::Json("{\"a\":1}".into()),
            Cell::Empty,
        ];
        assert_eq!(all[0][1..], expected);
    }
}
