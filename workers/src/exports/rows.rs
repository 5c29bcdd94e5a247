//! Rows of a dataset as typed cells, read through a cursor in one snapshot.

use events::TenantId;
use platform::dataset::{self, Column, Dataset, Kind, Query};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, PgPool, Postgres, Row as _, Transaction, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use super::render::{self, Cell, Row};

/// Rows of one fetch.
const FETCH: &str = "fetch 1000 from rows";

/// One snapshot of a dataset.
pub(super) struct Rows {
    transaction: Transaction<'static, Postgres>,
    columns: Vec<&'static Column>,
    /// The place in the log that the rows stand at.
    pub(super) position: i64,
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
        let counting = dataset::count(dataset, query);
        let total: i64 = sqlx::query_scalar_with(&counting.sql, counting.arguments()?)
            .fetch_one(&mut *transaction)
            .await?;
        let select = dataset::select(dataset, query);
        let declare = format!("declare rows no scroll cursor for {}", select.sql);
        sqlx::query_with(&declare, select.arguments()?).execute(&mut *transaction).await?;
        let total = u64::try_from(total).unwrap_or(0);
        Ok(Self { transaction, columns: query.fields.clone(), position, total })
    }

    /// The next rows; none at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Vec<Row>> {
        let rows = sqlx::query(FETCH).fetch_all(&mut *self.transaction).await?;
        rows.iter().map(|row| self.cells(row)).collect()
    }

    fn cells(&self, row: &PgRow) -> anyhow::Result<Row> {
        self.columns.iter().enumerate().map(|(at, column)| cell(row, at, column.kind)).collect()
    }
}

/// The position up to which all projections behind a dataset have come.
pub(super) async fn position(
    database: impl PgExecutor<'_>,
    dataset: &Dataset,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(POSITION).bind(dataset.projections).fetch_one(database).await
}

fn cell(row: &PgRow, at: usize, kind: Kind) -> anyhow::Result<Cell> {
    if row.try_get_raw(at)?.is_null() {
        return Ok(Cell::Empty);
    }
    Ok(match kind {
        Kind::Text => Cell::Text(row.try_get(at)?),
        Kind::Id => Cell::Text(row.try_get::<Uuid, _>(at)?.to_string()),
        Kind::Integer => Cell::Integer(integer(row, at)?),
        Kind::Boolean => Cell::Bool(row.try_get(at)?),
        Kind::Time => Cell::Timestamp(row.try_get::<jiff_sqlx::Timestamp, _>(at)?.to_jiff()),
        Kind::List => Cell::Text(list(row, at)?),
        Kind::Json => Cell::Text(json(row, at)?.to_string()),
    })
}

fn integer(row: &PgRow, at: usize) -> Result<i64, sqlx::Error> {
    let width = row.try_get_raw(at)?.type_info().name().to_owned();
    match width.as_str() {
        "INT2" => row.try_get::<i16, _>(at).map(i64::from),
        "INT4" => row.try_get::<i32, _>(at).map(i64::from),
        _ => row.try_get(at),
    }
}

/// `JSON` or `JSONB`.
fn json(row: &PgRow, at: usize) -> Result<serde_json::Value, sqlx::Error> {
    row.try_get(at)
}

fn list(row: &PgRow, at: usize) -> Result<String, sqlx::Error> {
    if row.try_get_raw(at)?.type_info().name() == "TEXT[]" {
        return Ok(row.try_get::<Vec<String>, _>(at)?.join(", "));
    }
    let value = json(row, at)?;
    let Some(items) = value.as_array() else { return Ok(value.to_string()) };
    let text =
        |item: &serde_json::Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    Ok(items.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// The columns of a file.
pub(super) fn columns(query: &Query) -> Vec<render::Column> {
    let column = |column: &&Column| render::Column {
        key: column.key.to_owned(),
        label: column.label.to_owned(),
        kind: match column.kind {
            Kind::Text | Kind::Id | Kind::List | Kind::Json => render::Kind::Text,
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
