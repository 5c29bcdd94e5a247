//! One thing: its row as Postgres wrote it, with the version of its aggregate as a weak entity tag.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use platform::dataset::filter::Filter;
use platform::dataset::{self, Dataset, Query};
use platform::problem::Problem;
use sqlx::Row as _;

use crate::ask::Asked;
use crate::call::Call;
use crate::list::{push_json, shown, visible};
use crate::poll;

/// Answers with the row of `data` whose only key column is `id`; 404 when it is not there or not the caller's to see.
pub(crate) async fn item(
    call: &Call,
    data: &'static Dataset,
    id: &str,
    what: &str,
) -> Result<Response, Problem> {
    call.only_parameters(&["fields"])?;
    let found = row(call, data, id, what).await?;
    Ok(respond(call, found))
}

/// The same whoever's it is, for callers that were found to be allowed to see it.
pub(crate) async fn item_of_anybody(
    call: &Call,
    data: &'static Dataset,
    id: &str,
    what: &str,
) -> Result<Response, Problem> {
    call.only_parameters(&["fields"])?;
    let found = found(find(call, data, (id, Whose::Anybodys)).await, what)?;
    Ok(respond(call, found))
}

fn respond(call: &Call, (asked, item, version): (Asked, String, Option<i64>)) -> Response {
    let mut headers = asked.headers(call, &asked.place.as_of());
    if let Some(version) = version {
        let tag = format!("W/\"{version}.p{}\"", asked.place.build);
        insert(&mut headers, header::ETAG, &tag);
        insert(&mut headers, HeaderName::from_static("aggregate-version"), &version.to_string());
    }
    if version.is_none() {
        poll::tag(&mut headers, &item, asked.place.build);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (headers, with_place(item, &asked)).into_response()
}

/// The row as JSON text, and the version of its aggregate.
pub(crate) async fn row(
    call: &Call,
    data: &'static Dataset,
    id: &str,
    what: &str,
) -> Result<(Asked, String, Option<i64>), Problem> {
    found(find(call, data, (id, Whose::Visible)).await, what)
}

fn found(
    found: Result<(Asked, Found), Problem>,
    what: &str,
) -> Result<(Asked, String, Option<i64>), Problem> {
    // An id that is not even of the right form names nothing.
    let refused = |problem: Problem| match problem.code.as_str() {
        "FILTER_INVALID" => Problem::absent(what),
        _ => problem,
    };
    let (asked, found) = found.map_err(refused)?;
    let (item, version) = found.ok_or_else(|| Problem::absent(what))?;
    Ok((asked, item, version))
}

type Found = Option<(String, Option<i64>)>;

/// Whose rows are looked at.
enum Whose {
    /// Those that the caller sees in lists, and those that are shared with them.
    Visible,
    /// Everybody's.
    Anybodys,
}

async fn find(
    call: &Call,
    data: &'static Dataset,
    (id, whose): (&str, Whose),
) -> Result<(Asked, Found), Problem> {
    let filter = Filter::equals(data.key.first().copied().unwrap_or_default(), id);
    let mut query = Query::everything(data)?.narrowed(data, filter, call.me())?;
    if let Some(fields) = call.parameter("fields") {
        query = query.only(data, fields.split(','))?;
    }
    let query = match whose {
        Whose::Visible => visible(call, data, query)?.or_shared(),
        Whose::Anybodys => query,
    };
    let asked = call.ask(data.projections, &dataset::one(data, &query)).await?;
    let Some(row) = asked.rows.first() else { return Ok((asked, None)) };
    let mut item = String::with_capacity(1024);
    dataset::rows::write(row, &query.fields, &mut item)?;
    call.app.reads.rows(call, data, &query, 1);
    let version = row.try_get("#version")?;
    let item = shown(call, data, item).await?;
    Ok((asked, Some((item, version))))
}

/// The item with `as_of` as its last member.
pub(crate) fn with_place(mut item: String, asked: &Asked) -> String {
    if item.ends_with('}') {
        item.pop();
        item.push_str(if item.len() > 1 { ",\"as_of\":" } else { "\"as_of\":" });
        push_json(&mut item, &asked.place.as_of());
        item.push('}');
    }
    item
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
