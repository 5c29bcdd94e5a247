//! Filters and pages, against anything a client may send and against a real Postgres.

use std::collections::HashSet;

use proptest::prelude::*;
use sqlx::{Connection as _, PgConnection};

use super::cursor::{self, Bound, Cursor, Rows};
use super::filter::{At, Comparison, Filter, Operator, Value, parse};
use super::{Column, Dataset, Kind, Query, count, datasets, page, rows, select};
use crate::testkit::TestDatabase;

static THINGS: Dataset = Dataset {
    name: "test.things",
    label: "Things",
    table: "things",
    projections: &["test_things"],
    permission: None,
    owner: None,
    units: None,
    columns: &[
        Column::new("id", "Id", Kind::Id),
        Column::new("name", "Name", Kind::Text),
        Column::new("colour", "Colour", Kind::Text).nullable(),
        Column::new("size", "Size", Kind::Integer).nullable(),
        Column::new("wait_seconds", "Wait", Kind::Integer),
        Column::new("ready", "Ready", Kind::Boolean),
        Column::new("made_at", "Made", Kind::Time),
        Column::new("tags", "Tags", Kind::List),
        Column::new("data", "Data", Kind::Json),
        Column::new("secret", "Secret", Kind::Text).nullable().shown_only(),
    ],
    key: &["id"],
    default_sort: "-made_at",
};

fn is(name: &str, operator: Operator, value: Value) -> Filter {
    Filter::Is(Comparison { path: vec![name.into()], operator, value, at: At(1) })
}

#[test]
fn reads_comparisons_joined_by_words() {
    let filter = parse("status=\"open\" AND total>1000").unwrap();
    let open = is("status", Operator::Equal, Value::text("open"));
    let total = is("total", Operator::Greater, Value::text("1000"));
    assert_eq!(filter, Filter::All(vec![open, total]));
}

#[test]
fn reads_negations_parentheses_stars_and_functions() {
    let filter = parse("-(name=ab* OR name='*x') AND owner=me() AND note:*").unwrap();
    let text =
        |text: &str, open_start, open_end| Value::Text { text: text.into(), open_start, open_end };
    let names = Filter::Any(vec![
        is("name", Operator::Equal, text("ab", false, true)),
        is("name", Operator::Equal, text("x", true, false)),
    ]);
    assert_eq!(
        filter,
        Filter::All(vec![
            Filter::Not(Box::new(names)),
            is("owner", Operator::Equal, Value::Me),
            is("note", Operator::Has, Value::Present),
        ])
    );
}

#[test]
fn mixing_and_and_or_is_refused_with_what_was_probably_meant() {
    let refused = parse("a=1 AND b=2 OR c=3").unwrap_err();
    assert_eq!(refused.code, "FILTER_MIXED");
    assert_eq!(refused.suggestion.as_deref(), Some("(a=1 AND b=2) OR c=3"));
    assert!(parse("(a=1 AND b=2) OR c=3").is_ok());
    assert!(parse("a=1 AND (b=2 OR c=3)").is_ok());
}

#[test]
fn a_fault_has_its_place_and_what_could_stand_there() {
    let refused = parse("ä=1").unwrap_err();
    assert_eq!(refused.column, Some(1));
    let refused = parse("a=1 and b=2").unwrap_err();
    assert_eq!((refused.column, refused.expected), (Some(5), vec!["AND", "OR", "end of filter"]));
    let refused = parse("name~x").unwrap_err();
    assert_eq!(refused.column, Some(5));
    assert!(refused.expected.contains(&"="));
    assert_eq!(parse("a=\"é").unwrap_err().column, Some(5));
    assert_eq!(parse("a=x*y").unwrap_err().column, Some(3));
}

#[test]
fn who_asks_by_teams_is_told_that_there_are_none() {
    let refused = parse("owner=team(blue)").unwrap_err();
    assert_eq!((refused.code, refused.column), ("FILTER_INVALID", Some(7)));
    assert!(refused.detail.contains("no teams yet"), "{}", refused.detail);
    assert!(parse("owner=your(blue)").unwrap_err().expected.contains(&"me()"));
}

#[test]
fn limits_hold() {
    let deep = format!("{}a=1{}", "(".repeat(9), ")".repeat(9));
    assert_eq!(parse(&deep).unwrap_err().code, "FILTER_TOO_DEEP");
    assert!(parse(&format!("{}a=1{}", "(".repeat(8), ")".repeat(8))).is_ok());
    assert_eq!(parse(&"NOT ".repeat(500)).unwrap_err().code, "FILTER_TOO_DEEP");
    let many = vec!["a=1"; 51].join(" AND ");
    assert_eq!(parse(&many).unwrap_err().code, "FILTER_TOO_MANY_TERMS");
    assert_eq!(parse(&"a".repeat(2049)).unwrap_err().code, "FILTER_TOO_LONG");
}

#[test]
fn a_column_that_is_not_there_or_not_filterable_is_refused_at_its_place() {
    let everything = Query::everything(&THINGS).unwrap();
    for text in ["name=x AND colr=red", "name=x AND secret=red", "name=x AND name.a=1"] {
        let refused = everything.clone().filtered(&THINGS, text, None).unwrap_err();
        assert_eq!((refused.parameter, refused.column), ("filter", Some(12)), "{text}");
    }
    for text in ["size=big", "ready>true", "made_at>yesterday", "id=7", "tags>1", "size=1*"] {
        let refused = everything.clone().filtered(&THINGS, text, None).unwrap_err();
        assert_eq!(refused.column, Some(1), "{text}");
    }
}

#[test]
fn values_are_bound_and_never_stand_in_the_text() {
    let query = Query::everything(&THINGS).unwrap();
    let filter = "name=\"'; drop table things --\" AND data.x=\"$1\" AND name:\"100%_\"";
    let statement = select(&THINGS, &query.filtered(&THINGS, filter, None).unwrap());
    assert!(!statement.sql.contains("drop") && !statement.sql.contains('%'), "{}", statement.sql);
    assert_eq!(statement.binds.len(), 4);
}

#[test]
fn the_registry_is_consistent() {
    for module in events::Module::ALL {
        for dataset in datasets(*module) {
            assert!(dataset.name.starts_with(&format!("{}.", module.name())), "{}", dataset.name);
            Query::everything(dataset).unwrap();
            for key in dataset.key {
                let column = dataset.column(key).unwrap();
                assert!(column.sortable, "{}.{key}", dataset.name);
            }
            let keys: HashSet<_> = dataset.columns.iter().map(|column| column.key).collect();
            assert_eq!(keys.len(), dataset.columns.len(), "{}", dataset.name);
            if let Some(owner) = &dataset.owner {
                assert!(dataset.column(owner.column).is_some(), "{}", dataset.name);
            }
        }
    }
}

const KEY: [u8; 32] = [3; 32];
const ROWS: Rows = Rows { build: 2, epoch: 1 };

#[test]
fn a_cursor_opens_only_where_it_belongs() {
    let cursor = Cursor { keys: vec![Some("a".into()), None], back: false };
    let text = cursor::write(&cursor, &Bound { key: &KEY, question: "q", rows: ROWS });
    assert_eq!(cursor::read(&text, &KEY, "q"), Ok((cursor, ROWS)));
    assert_eq!(cursor::read(&text, &KEY, "other").unwrap_err().code, "CURSOR_MISMATCH");
    assert_eq!(cursor::read(&text, &[4; 32], "q").unwrap_err().code, "CURSOR_INVALID");
    assert!(ROWS.expect(ROWS).is_ok());
    assert!(ROWS.expect(Rows { build: 3, ..ROWS }).unwrap_err().gone);
    assert!(ROWS.expect(Rows { epoch: 2, ..ROWS }).unwrap_err().gone);
}

fn value() -> impl Strategy<Value = Value> {
    let text = (any::<String>(), any::<bool>(), any::<bool>()).prop_map(|(text, start, end)| {
        let open = !text.is_empty();
        Value::Text { text, open_start: open && start, open_end: open && end }
    });
    prop_oneof![5 => text, 1 => Just(Value::Present), 1 => Just(Value::Me)]
}

fn comparison() -> impl Strategy<Value = Filter> {
    let operators = <Operator as strum::VariantArray>::VARIANTS;
    (prop::collection::vec("[a-z][a-z0-9_]{0,6}", 1..3), prop::sample::select(operators), value())
        .prop_map(|(path, operator, value)| {
            Filter::Is(Comparison { path, operator, value, at: At(1) })
        })
}

fn tree() -> impl Strategy<Value = Filter> {
    comparison().prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Any),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _either = parse(&text);
    }

    #[test]
    fn text_that_looks_like_a_filter_never_panics(
        text in r#"(a|b\.c|NOT |-|\(|\)|=|!=|<|>=|:| AND | OR |"|'|\\|\*|me\(\)|now-7d|é| ){0,40}"#
    ) {
        if let Ok(filter) = parse(&text) {
            prop_assert_eq!(parse(&filter.to_string()).unwrap(), filter);
        }
    }

    #[test]
    fn a_printed_filter_reads_as_the_same_filter(filter in tree()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= super::filter::MAX_BYTES);
        prop_assert_eq!(parse(&text).unwrap(), filter);
    }

    #[test]
    fn arbitrary_cursors_never_panic(text in "(c1\\.)?[A-Za-z0-9_-]{0,80}") {
        prop_assert!(cursor::read(&text, &KEY, "q").is_err());
    }
}

const TABLE: &str = "
    create table things (
      id uuid primary key, name text not null, colour text, size bigint, wait_seconds bigint not null,
      ready boolean not null, made_at timestamptz not null, tags jsonb not null, data jsonb not null, secret text);
    insert into things
    select ('00000000-0000-7000-8000-' || lpad(to_hex(n * 7919 % 256), 12, '0'))::uuid,
           'name ' || n % 7, case when n % 5 > 0 then 'c' || n % 3 end, case when n % 4 > 0 then n % 6 end,
           n * 60, n % 2 = 0, timestamptz '2026-01-01T00:00:00.123456Z' + n % 11 * interval '1 hour',
           jsonb_build_array('t' || n % 3, 'all'), jsonb_build_object('n', n, 'who', jsonb_build_object('name', 'w' || n % 2)), null
      from generate_series(0, 99) n";

async fn things() -> (TestDatabase, PgConnection) {
    let database = TestDatabase::create_empty().await.unwrap();
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("set timezone to 'UTC'").execute(&mut connection).await.unwrap();
    sqlx::raw_sql(TABLE).execute(&mut connection).await.unwrap();
    (database, connection)
}

async fn counted(connection: &mut PgConnection, filter: &str) -> i64 {
    let me = Some(events::UserId::default());
    let query = Query::everything(&THINGS).unwrap().filtered(&THINGS, filter, me).unwrap();
    let statement = count(&THINGS, &query);
    sqlx::query_scalar_with(&statement.sql, statement.arguments().unwrap())
        .fetch_one(connection)
        .await
        .unwrap_or_else(|error| panic!("{filter}: {error}: {}", statement.sql))
}

#[tokio::test]
async fn filters_select_what_they_say() {
    let (database, mut connection) = things().await;
    for (filter, expected) in [
        ("name=\"name 1\"", "name = 'name 1'"),
        ("name!=\"name 1\"", "name <> 'name 1'"),
        ("name=name*", "true"),
        ("name:\"E 1\"", "name like '%e 1%'"),
        ("name:\"_\"", "false"),
        ("colour!=c1", "colour is distinct from 'c1'"),
        ("-colour=c1", "colour is distinct from 'c1'"),
        ("colour:*", "colour is not null"),
        ("NOT colour:*", "colour is null"),
        ("size>=3 AND ready=true", "size >= 3 and ready"),
        ("wait_seconds<15m", "wait_seconds < 900"),
        ("made_at<2026-01-01T03:00:00Z", "made_at < '2026-01-01T03:00:00Z'"),
        ("made_at<2026-01-02 AND made_at>now-900000d", "made_at < '2026-01-02Z'"),
        ("tags:t1", "tags ? 't1'"),
        ("tags!=t1", "not tags ? 't1'"),
        ("tags:t*", "true"),
        ("data.who.name=w1", "data #>> '{who,name}' = 'w1'"),
        ("data:n AND -data:x", "true"),
        ("id=me()", "false"),
        ("(size=1 OR size=2) AND (ready=false)", "size in (1, 2) and not ready"),
    ] {
        let sql = format!("select count(*) from things where {expected}");
        let wanted: i64 = sqlx::query_scalar(&sql).fetch_one(&mut connection).await.unwrap();
        assert_eq!(counted(&mut connection, filter).await, wanted, "{filter}");
    }
    database.drop_now().await.unwrap();
}

/// Walks all pages forward, then back again; the ids in order each time.
async fn walk(connection: &mut PgConnection, sort: &str, limit: u32) -> (Vec<String>, Vec<String>) {
    let query = Query::everything(&THINGS).unwrap().sorted(&THINGS, sort).unwrap();
    let query = query.only(&THINGS, ["id"]).unwrap();
    let mut seen = [Vec::new(), Vec::new()];
    let mut last: Option<Cursor> = None;
    for (back, seen) in [false, true].into_iter().zip(&mut seen) {
        if back {
            last.as_mut().unwrap().back = true;
        }
        loop {
            let statement = page(&THINGS, &query, last.as_ref(), limit);
            let found = sqlx::query_with(&statement.sql, statement.arguments().unwrap())
                .fetch_all(&mut *connection)
                .await
                .unwrap_or_else(|error| panic!("{sort}: {error}: {}", statement.sql));
            let more = found.len() > limit as usize;
            for row in found.iter().take(limit as usize) {
                let mut item = String::new();
                rows::write(row, &query.fields, &mut item).unwrap();
                seen.push(item);
                last = Some(Cursor { keys: rows::keys(row, &query).unwrap(), back });
            }
            if !more {
                break;
            }
        }
    }
    let [forward, backward] = seen;
    (forward, backward)
}

#[tokio::test]
async fn rows_are_written_as_postgres_would() {
    let (database, mut connection) = things().await;
    let query = Query::everything(&THINGS).unwrap().sorted(&THINGS, "id").unwrap();
    let statement = select(&THINGS, &query);
    let found = sqlx::query_with(&statement.sql, statement.arguments().unwrap())
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let expected: Vec<serde_json::Value> =
        sqlx::query_scalar("select to_jsonb(t) from things t order by id")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    assert_eq!(found.len(), expected.len());
    for (row, mut expected) in found.iter().zip(expected) {
        let mut item = String::new();
        rows::write(row, &query.fields, &mut item).unwrap();
        let mut item: serde_json::Value = serde_json::from_str(&item).unwrap();
        let time = |value: &serde_json::Value| -> jiff::Timestamp {
            value["made_at"].as_str().unwrap().parse().unwrap()
        };
        assert_eq!(time(&item), time(&expected));
        item["made_at"] = serde_json::Value::Null;
        expected["made_at"] = serde_json::Value::Null;
        assert_eq!(item, expected);
    }
    database.drop_now().await.unwrap();
}

#[tokio::test]
async fn paging_visits_every_row_once_under_every_sort() {
    let (database, mut connection) = things().await;
    for sort in [
        "",
        "name",
        "-name",
        "colour",
        "-colour",
        "size,-colour",
        "-size,colour,made_at",
        "ready,-id",
        "made_at,name",
        "-made_at,-name",
        "-ready,wait_seconds",
        "id",
        "-id",
        "colour,size,-name",
    ] {
        let (forward, backward) = walk(&mut connection, sort, 7).await;
        let distinct: HashSet<_> = forward.iter().collect();
        assert_eq!((forward.len(), distinct.len()), (100, 100), "{sort}");
        let mut reversed: Vec<_> = forward[..99].to_vec();
        reversed.reverse();
        assert_eq!(backward, reversed, "{sort} back from the last row");
        let (at_once, _) = walk(&mut connection, sort, 500).await;
        assert_eq!(forward, at_once, "{sort}");
    }
    database.drop_now().await.unwrap();
}
