//! Rows of datasets as JSON and as keys of cursors, read from what Postgres sends without a type per dataset. Writing
//! them here costs a tenth of what `row_to_json` costs Postgres.

use std::fmt::Write as _;

use jiff::Timestamp;
use sqlx::postgres::{PgRow, PgValueFormat, PgValueRef};
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use super::query::{Query, Sort};
use super::{Column, Kind};

/// Postgres counts microseconds from the year 2000.
const EPOCH_US: i64 = 946_684_800_000_000;

/// Adds a row of [`super::page`], [`super::one`] or [`super::select`] as a JSON object.
pub fn write(row: &PgRow, fields: &[&Column], out: &mut String) -> Result<(), sqlx::Error> {
    out.push('{');
    for (index, column) in fields.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push('"');
        out.push_str(column.key);
        out.push_str("\":");
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            out.push_str("null");
            continue;
        }
        match read(&raw, column.kind)? {
            Value::Text(text) => string(out, text),
            Value::Json(json) => out.push_str(json),
            Value::Id(id) => {
                let _never = write!(out, "\"{id}\"");
            }
            Value::Integer(number) => {
                let _never = write!(out, "{number}");
            }
            Value::Boolean(value) => out.push_str(if value { "true" } else { "false" }),
            Value::Time(time) => {
                let _never = write!(out, "\"{time}\"");
            }
        }
    }
    out.push('}');
    Ok(())
}

/// A row's place in the order of its page.
pub fn keys(row: &PgRow, query: &Query) -> Result<Vec<Option<String>>, sqlx::Error> {
    let first = query.fields.len();
    let key = |(index, sort): (usize, &Sort)| {
        let raw = row.try_get_raw(first + index)?;
        if raw.is_null() {
            return Ok(None);
        }
        Ok(Some(match read(&raw, sort.column.kind)? {
            Value::Text(text) | Value::Json(text) => text.to_owned(),
            Value::Id(id) => id.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Boolean(value) => value.to_string(),
            Value::Time(time) => time.to_string(),
        }))
    };
    query.sort.iter().enumerate().map(key).collect()
}

/// One value as Postgres sent it.
enum Value<'a> {
    Text(&'a str),
    Json(&'a str),
    Id(Uuid),
    Integer(i64),
    Boolean(bool),
    Time(Timestamp),
}

fn read<'a>(raw: &PgValueRef<'a>, kind: Kind) -> Result<Value<'a>, sqlx::Error> {
    if raw.format() != PgValueFormat::Binary {
        return Err(sqlx::Error::Protocol("rows of datasets are read in binary form".into()));
    }
    let bytes = raw.as_bytes().map_err(sqlx::Error::Decode)?;
    let value = match kind {
        Kind::Text => std::str::from_utf8(bytes).ok().map(Value::Text),
        Kind::Id => Uuid::from_slice(bytes).ok().map(Value::Id),
        Kind::Integer => integer(bytes).map(Value::Integer),
        Kind::Boolean => bytes.first().map(|byte| Value::Boolean(*byte != 0)),
        Kind::Time => integer(bytes)
            .and_then(|us| Timestamp::from_microsecond(us.checked_add(EPOCH_US)?).ok())
            .map(Value::Time),
        Kind::List | Kind::Json => {
            // The binary form of jsonb is its text after a version.
            let text = if raw.type_info().name() == "JSONB" { bytes.get(1..) } else { Some(bytes) };
            text.and_then(|text| std::str::from_utf8(text).ok()).map(Value::Json)
        }
    };
    value.ok_or_else(|| {
        let kind: &str = kind.into();
        sqlx::Error::Protocol(format!("a column of a dataset is not of kind {kind}"))
    })
}

fn integer(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        8 => bytes.try_into().ok().map(i64::from_be_bytes),
        4 => bytes.try_into().ok().map(i32::from_be_bytes).map(i64::from),
        2 => bytes.try_into().ok().map(i16::from_be_bytes).map(i64::from),
        _ => None,
    }
}

/// A JSON string.
pub fn string(out: &mut String, text: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}
