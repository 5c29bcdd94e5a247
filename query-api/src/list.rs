//! Lists: any dataset filtered, sorted, paged and counted, its rows passed on as Postgres wrote them.

use std::borrow::Cow;

use axum::response::Response;
use platform::dataset::cursor::{self, Bound, Cursor, Rows};
use platform::dataset::filter::Filter;
use platform::dataset::{self, Count, Dataset, Query, Refused, Statement};
use platform::db;
use platform::problem::Problem;
use serde::Serialize;
use sqlx::postgres::PgRow;

use crate::call::Call;
use crate::paging::{self, Page, SIZES, Total};

const PARAMETERS: &[&str] = &["filter", "sort", "fields", "limit", "after", "count"];

/// Answers with a page of `data`, of which the caller sees only what `narrow` holds for.
pub(crate) async fn list(
    call: &Call,
    data: &'static Dataset,
    narrow: Option<Filter>,
) -> Result<Response, Problem> {
    let query = question(call, data, narrow)?;
    let query = visible(call, data, query)?;
    answer(call, data, &query).await
}

/// The same whosever they are, for callers that were found to be allowed to see them.
pub(crate) async fn list_of_anybody(
    call: &Call,
    data: &'static Dataset,
) -> Result<Response, Problem> {
    let query = question(call, data, None)?;
    answer(call, data, &query).await
}

/// Answers with a page of the caller's own rows, whatever else the caller may see.
pub(crate) async fn list_own(call: &Call, data: &'static Dataset) -> Result<Response, Problem> {
    let query = question(call, data, None)?.of_owner(call.person()?);
    answer(call, data, &query).await
}

/// The caller's question to a dataset.
fn question(call: &Call, data: &'static Dataset, narrow: Option<Filter>) -> Result<Query, Problem> {
    let mut query = Query::everything(data)?;
    for (name, value) in &call.parameters {
        query = match name.as_str() {
            "filter" => query.filtered(data, value, call.me())?,
            "sort" => query.sorted(data, value)?,
            "fields" => query.only(data, value.split(','))?,
            "limit" | "after" | "count" => query,
            column => shorthand(call, data, query, column, value)?,
        };
    }
    match narrow {
        Some(filter) => Ok(query.narrowed(data, filter, call.me())?),
        None => Ok(query),
    }
}

fn shorthand(
    call: &Call,
    data: &'static Dataset,
    query: Query,
    column: &str,
    value: &str,
) -> Result<Query, Problem> {
    if data.column(column).is_none_or(|column| !column.filterable) {
        let known = PARAMETERS.join(", ");
        let detail = format!("there is no parameter `{column}`; there are {known} and columns");
        return Err(Problem::bad_request("PARAMETER_UNKNOWN", detail).at(column));
    }
    Ok(query.narrowed(data, Filter::equals(column, value), call.me())?)
}

/// The question, narrowed to the rows that are the caller's to see.
pub(crate) fn visible(call: &Call, data: &'static Dataset, query: Query) -> Result<Query, Problem> {
    let seen = query.seen_by(data, (&call.places, &call.readers), call.me())?;
    let query = seen.ok_or_else(|| Problem::absent(data.label))?; // and nobody was let in
    match &data.owner {
        Some(owner) if !owner.everybody.is_some_and(|all| call.permits(all)) => {
            Ok(query.of_owner(call.person()?))
        }
        Some(_) | None => Ok(query),
    }
}

async fn answer(call: &Call, data: &'static Dataset, query: &Query) -> Result<Response, Problem> {
    let limit = paging::limit(call, SIZES)?;
    let identity = format!("{}\n{}\n{}", call.tenant(), data.name, query.fingerprint());
    let after = after(call, &identity)?;
    let statement = dataset::page(data, query, after.as_ref().map(|(cursor, _)| cursor), limit);
    let asked = call.ask(data.projections, &statement).await?;
    let here = Rows { build: asked.place.build, epoch: asked.place.epoch };
    if let Some((_, rows)) = &after {
        rows.expect(here)?;
    }
    let mut rows: Vec<&PgRow> = asked.rows.iter().take(limit as usize).collect();
    let more = asked.rows.len() > rows.len();
    let back = after.as_ref().is_some_and(|(cursor, _)| cursor.back);
    if back {
        rows.reverse();
    }
    let has = Has { before: if back { more } else { after.is_some() }, after: back || more };
    let write = |wanted: bool, row: Option<&&PgRow>, back: bool| -> Result<_, Problem> {
        let Some(row) = row.filter(|_| wanted) else { return Ok(None) };
        let cursor = Cursor { keys: dataset::rows::keys(row, query)?, back };
        let key = &call.app.keys.cursor;
        Ok(Some(cursor::write(&cursor, &Bound { key, question: &identity, rows: here })))
    };
    let page = Page {
        name: "after",
        next: write(has.after, rows.last(), false)?,
        prev: write(has.before, rows.first(), true)?,
        limit,
        total: total(call, data, query).await?,
    };
    let items = shown(call, data, items(&rows, query)?).await?;
    call.app.reads.rows(call, data, query, rows.len());
    Ok(paging::respond(call, &asked, items, &page, ""))
}

/// Rows as they are shown: what is personal in them opened, where the read model keeps it sealed.
pub(crate) async fn shown(call: &Call, data: &Dataset, rows: String) -> Result<String, Problem> {
    if !data.is_sealed() {
        return Ok(rows);
    }
    let personal = &call.app.personal;
    let opened = personal.open_json(&call.app.pool, call.tenant(), &rows).await?;
    Ok(match opened {
        Cow::Borrowed(_) => rows,
        Cow::Owned(opened) => opened,
    })
}

/// The rows as the beginning of the body.
fn items(rows: &[&PgRow], query: &Query) -> Result<String, sqlx::Error> {
    let mut body = String::with_capacity(512 + rows.len() * 512);
    body.push_str("{\"items\":[");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        dataset::rows::write(row, &query.fields, &mut body)?;
    }
    body.push(']');
    Ok(body)
}

/// Whether there are rows beside the page.
struct Has {
    before: bool,
    after: bool,
}

/// The cursor that the caller brings, and the rows it was made from.
fn after(call: &Call, question: &str) -> Result<Option<(Cursor, Rows)>, Refused> {
    let text = call.parameter("after").filter(|text| !text.is_empty());
    text.map(|text| cursor::read(text, &call.app.keys.cursor, question)).transpose()
}

/// Adds a value as JSON; values of ours always have a JSON form.
pub(crate) fn push_json<T: Serialize>(body: &mut String, value: &T) {
    body.push_str(&serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()));
}

async fn total(call: &Call, data: &Dataset, query: &Query) -> Result<Option<Total>, Problem> {
    let count: Count = call
        .parameter("count")
        .unwrap_or("none")
        .parse()
        .map_err(|_| Problem::parameter("count", "count must be none, estimate or exact"))?;
    match count {
        Count::None => Ok(None),
        Count::Exact => {
            let value = scalar(call, &dataset::count(data, query)).await?;
            Ok(Some(Total { value, kind: "exact" }))
        }
        Count::Estimate => {
            let mut statement = dataset::matching(data, query);
            statement.sql = format!("explain (format json) {}", statement.sql);
            let plan: serde_json::Value = scalar(call, &statement).await?;
            let rows = plan.pointer("/0/Plan/Plan Rows").and_then(serde_json::Value::as_i64);
            Ok(Some(Total { value: rows.unwrap_or_default(), kind: "estimate" }))
        }
    }
}

async fn scalar<T>(call: &Call, statement: &Statement) -> Result<T, Problem>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let mut transaction = db::begin_for(&call.app.pool, call.tenant()).await?;
    let value = sqlx::query_scalar_with(&statement.sql, statement.arguments()?)
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(value)
}
