//! Rows in Postgres' binary format on their way into a table: as tuples of COPY, or as one array per column.

use bytes::BufMut as _;
use serde::Serialize;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

use super::fields::{Fields, NULL};
use super::members::take_apart;
use crate::model::{Column, FoldError, Sql};

/// What a binary COPY begins with: the signature, no flags, no extension.
pub(crate) const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
pub(crate) const COPY_TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// Rows, each as COPY takes it: the number of fields, then each field's length and value.
#[derive(Debug, Default)]
pub(crate) struct Tuples {
    bytes: Vec<u8>,
    rows: usize,
}

impl Tuples {
    /// Adds a row whose members are the columns, in their order. After an error there is no further row.
    pub(crate) fn push<R: Serialize>(
        &mut self,
        columns: &[Column],
        row: &R,
    ) -> Result<(), FoldError> {
        let before = self.bytes.len();
        self.bytes.put_i16(i16::try_from(columns.len()).unwrap_or(i16::MAX));
        if let Err(error) = take_apart(row, Fields::new(columns, &mut self.bytes)) {
            self.bytes.truncate(before);
            return Err(FoldError(format!("a row does not fit its table: {error}")));
        }
        self.rows += 1;
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// All rows, which leaves none, and room for as much again.
    pub(crate) fn take(&mut self) -> Self {
        let room = Self { bytes: Vec::with_capacity(self.bytes.len()), rows: 0 };
        std::mem::replace(self, room)
    }

    /// All rows, as they stand between the header and the trailer of a binary COPY.
    pub(crate) fn into_copy(self) -> Vec<u8> {
        self.bytes
    }

    /// Some of the columns that the rows were written with, column by column.
    pub(crate) fn arrays(&self, written: &[Column], wanted: &[Column]) -> Vec<Array> {
        let share = self.bytes.len() / written.len().max(1);
        let is_wanted = |column: &Column| wanted.contains(column);
        let mut arrays: Vec<Option<Array>> = written
            .iter()
            .map(|column| is_wanted(column).then(|| Array::new(column.sql, self.rows, share)))
            .collect();
        let mut rest = self.bytes.as_slice();
        while let Some((_count, fields)) = rest.split_first_chunk::<2>() {
            rest = arrays.iter_mut().fold(fields, |fields, array| {
                let (field, rest) = first(fields);
                if let Some(array) = array {
                    array.add(field);
                }
                rest
            });
        }
        arrays.into_iter().flatten().collect()
    }
}

/// One column of several rows, as a parameter of its array type.
#[derive(Debug)]
pub(crate) struct Array {
    sql: Sql,
    rows: usize,
    has_null: bool,
    elements: Vec<u8>,
}

impl Array {
    fn new(sql: Sql, rows: usize, bytes: usize) -> Self {
        Self { sql, rows, has_null: false, elements: Vec::with_capacity(bytes) }
    }

    fn add(&mut self, field: &[u8]) {
        self.has_null |= field == NULL.to_be_bytes();
        self.elements.extend_from_slice(field);
    }
}

/// The first of these fields, with its length, and the others.
fn first(fields: &[u8]) -> (&[u8], &[u8]) {
    let length = fields.first_chunk().map_or(NULL, |length| i32::from_be_bytes(*length));
    let size = size_of::<i32>() + usize::try_from(length).unwrap_or(0);
    fields.split_at(size.min(fields.len()))
}

impl Type<Postgres> for Array {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(0)) // each array says by itself what it is
    }
}

impl Encode<'_, Postgres> for Array {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let (element, _) = oids(self.sql);
        let dimensions = 1_i32;
        let lower_bound = 1_i32;
        for number in [dimensions, i32::from(self.has_null)] {
            buffer.extend_from_slice(&number.to_be_bytes());
        }
        buffer.extend_from_slice(&element.to_be_bytes());
        for number in [i32::try_from(self.rows)?, lower_bound] {
            buffer.extend_from_slice(&number.to_be_bytes());
        }
        buffer.extend_from_slice(&self.elements);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(oids(self.sql).1)))
    }
}

/// A type and its array type in the catalogue of every Postgres.
fn oids(sql: Sql) -> (u32, u32) {
    match sql {
        Sql::Uuid => (2950, 2951),
        Sql::Text => (25, 1009),
        Sql::Bigint => (20, 1016),
        Sql::Integer => (23, 1007),
        Sql::Boolean => (16, 1000),
        Sql::Timestamptz => (1184, 1185),
        Sql::Jsonb => (3802, 3807),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::column;
    use jiff::Timestamp;
    use platform::testkit::TestDatabase;
    use sqlx::query::Query;
    use sqlx::{Connection as _, Executor as _, PgConnection};
    use uuid::Uuid;

    #[derive(Serialize)]
    struct Row {
        name: Option<&'static str>,
        size: i64,
        level: Option<i32>,
        id: Uuid,
        yes: bool,
        at: Option<Timestamp>,
        tags: Option<Vec<&'static str>>,
    }

    const COLUMNS: &[Column] = &[
        column("name", Sql::Text),
        column("size", Sql::Bigint),
        column("level", Sql::Integer),
        column("id", Sql::Uuid),
        column("yes", Sql::Boolean),
        column("at", Sql::Timestamptz),
        column("tags", Sql::Jsonb),
    ];

    fn row(name: Option<&'static str>, tags: Option<Vec<&'static str>>) -> Row {
        let at = Some("1999-12-31T23:59:59.9999995Z".parse().unwrap());
        Row { name, size: -3, level: Some(7), id: Uuid::from_u128(5), yes: true, at, tags }
    }

    fn rows() -> Tuples {
        let mut tuples = Tuples::default();
        let empty = Row { level: None, at: None, ..row(None, None) };
        for row in [row(Some("a\tb\\ \"q\"\n"), Some(vec!["x\ty", "\\"])), empty] {
            tuples.push(COLUMNS, &row).unwrap();
        }
        tuples
    }

    const EXPECTED: [&str; 2] = [
        r#"{"name":"a\tb\\ \"q\"\n","size":-3,"level":7,"id":"00000000-0000-0000-0000-000000000005","yes":true,"at":"2000-01-01T00:00:00+00:00","tags":["x\ty", "\\"]}"#,
        r#"{"name":null,"size":-3,"level":null,"id":"00000000-0000-0000-0000-000000000005","yes":true,"at":null,"tags":null}"#,
    ];

    async fn table() -> (TestDatabase, PgConnection) {
        let database = TestDatabase::create_empty().await.unwrap();
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let made = "set time zone 'UTC'; create temp table t (name text, size bigint, level integer, id uuid, yes boolean, \
                    at timestamptz, tags jsonb)";
        connection.execute(made).await.unwrap();
        (database, connection)
    }

    async fn stored(connection: &mut PgConnection) -> Vec<String> {
        let select = "select row_to_json(t)::text from t order by name";
        sqlx::query_scalar(select).fetch_all(connection).await.unwrap()
    }

    #[tokio::test]
    async fn copy_reads_back_what_was_written() {
        let (_database, mut connection) = table().await;
        let mut copy = connection.copy_in_raw("copy t from stdin (format binary)").await.unwrap();
        copy.send(COPY_HEADER).await.unwrap();
        copy.send(rows().into_copy()).await.unwrap();
        copy.send(COPY_TRAILER).await.unwrap();
        assert_eq!(copy.finish().await.unwrap(), 2);
        assert_eq!(stored(&mut connection).await, EXPECTED);
    }

    #[tokio::test]
    async fn arrays_hold_what_was_written() {
        let (_database, mut connection) = table().await;
        let insert = "insert into t select * from unnest($1::text[], $2::bigint[], $3::integer[], $4::uuid[], $5::boolean[], \
                      $6::timestamptz[], $7::jsonb[])";
        let insert =
            rows().arrays(COLUMNS, COLUMNS).into_iter().fold(sqlx::query(insert), Query::bind);
        assert_eq!(insert.execute(&mut connection).await.unwrap().rows_affected(), 2);
        assert_eq!(stored(&mut connection).await, EXPECTED);
    }

    #[tokio::test]
    async fn puts_a_sign_in_the_place_of_nul() {
        let (_database, mut connection) = table().await;
        let mut tuples = Tuples::default();
        tuples.push(COLUMNS, &row(Some("a\0b\\u0000"), Some(vec!["\\\0"]))).unwrap();
        let select = "select $1::text[], $2::bigint[], $3::integer[], $4::uuid[], $5::boolean[], $6::timestamptz[], \
                      $7::jsonb[]";
        let select =
            tuples.arrays(COLUMNS, COLUMNS).into_iter().fold(sqlx::query(select), Query::bind);
        let found = select.fetch_one(&mut connection).await.unwrap();
        let name: Vec<String> = sqlx::Row::get(&found, 0);
        let tags: Vec<serde_json::Value> = sqlx::Row::get(&found, 6);
        assert_eq!(name[0], "a\u{fffd}b\\u0000");
        assert_eq!(tags[0][0], "\\\u{fffd}");
    }

    #[test]
    fn refuses_a_row_that_is_not_the_table_and_keeps_those_before() {
        let mut tuples = rows();
        let size = tuples.bytes.len();
        assert!(tuples.push(&COLUMNS[..2], &row(None, None)).is_err());
        assert!(tuples.push(&[COLUMNS[1], COLUMNS[0]], &row(None, None)).is_err());
        assert!(tuples.push(&[column("name", Sql::Uuid)], &row(Some("x"), None)).is_err());
        assert_eq!((tuples.len(), tuples.bytes.len()), (2, size));
    }
}
