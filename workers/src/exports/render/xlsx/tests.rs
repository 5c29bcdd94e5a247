//! Workbooks as another reader sees them.

use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use events::testing::at;
use proptest::prelude::*;

use super::super::tests::{TRICKY, header};
use super::super::{CELLS_CUT, Look, ROWS_LEFT_OUT};
use super::*;

fn written(header: &Header, rows: Vec<Row>, sheet_rows: u32) -> (Rendered, Vec<u8>) {
    let scratch = tempfile::tempdir().unwrap();
    let mut bytes = Cursor::new(Vec::new());
    let rows = rows.into_iter().map(Ok);
    let rendered = render_split(header, rows, scratch.path(), &mut bytes, sheet_rows).unwrap();
    (rendered, bytes.into_inner())
}

fn sheet(bytes: &[u8], name: &str) -> Vec<Vec<Data>> {
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes.to_vec())).unwrap();
    let formulas = workbook.worksheet_formula(name).unwrap();
    assert!(formulas.rows().flatten().all(String::is_empty), "there is a formula in {name}");
    workbook.worksheet_range(name).unwrap().rows().map(<[Data]>::to_vec).collect()
}

#[test]
fn every_text_comes_back_as_text() {
    let rows = TRICKY.iter().map(|text| vec![Cell::Text((*text).into()), Cell::Integer(1)]);
    let (_, bytes) = written(&header(&[Kind::Text, Kind::Integer]), rows.collect(), SHEET_ROWS);
    let read = sheet(&bytes, "Data");
    for (text, row) in TRICKY.iter().zip(&read[1..]) {
        let expected = if text.is_empty() { Data::Empty } else { Data::String((*text).to_owned()) };
        assert_eq!(row[0], expected);
    }
}

#[test]
fn numbers_are_numbers_and_dates_are_dates() {
    let header = header(&[Kind::Number, Kind::Integer, Kind::Timestamp, Kind::Date, Kind::Bool]);
    let row = vec![
        Cell::Number("-0.02".into()),
        Cell::Integer(42),
        Cell::Timestamp(at("2026-06-30T22:30:00.9Z")),
        Cell::Date("2026-02-28".parse().unwrap()),
        Cell::Bool(true),
    ];
    let (_, bytes) = written(&header, vec![row], SHEET_ROWS);
    let read = sheet(&bytes, "Data").remove(1);
    assert_eq!(read[0], Data::Float(-0.02));
    assert_eq!(read[1], Data::Float(42.0));
    let Data::DateTime(moment) = &read[2] else { panic!("{:?} is no date", read[2]) };
    assert_eq!(moment.to_ymd_hms_milli(), (2026, 7, 1, 0, 30, 0, 0));
    let Data::DateTime(date) = &read[3] else { panic!("{:?} is no date", read[3]) };
    assert_eq!(date.to_ymd_hms_milli(), (2026, 2, 28, 0, 0, 0, 0));
    assert_eq!(read[4], Data::Bool(true));
}

#[test]
fn what_a_number_would_lose_is_text() {
    let row = ["1234567890123456789", "0041", "=1+1"].map(|text| Cell::Number(text.into()));
    let (_, bytes) = written(&header(&[Kind::Number; 3]), vec![row.to_vec()], SHEET_ROWS);
    let read = sheet(&bytes, "Data").remove(1);
    assert_eq!(read, ["1234567890123456789", "0041", "=1+1"].map(|t| Data::String(t.into())));
}

#[test]
fn rows_beyond_a_sheet_go_on_in_the_next() {
    let rows = (0..25).map(|n| vec![Cell::Integer(n)]).collect();
    let (rendered, bytes) = written(&header(&[Kind::Integer]), rows, 11);
    assert_eq!((rendered.rows, rendered.parts, rendered.cut_cells), (25, 3, 0));
    let counts = ["Data", "Data 2", "Data 3"].map(|name| sheet(&bytes, name).len());
    assert_eq!(counts, [11, 11, 6]);
    assert_eq!(sheet(&bytes, "Data 3")[0], [Data::String("Column a".into())]);
    assert_eq!(sheet(&bytes, "Data 3")[1], [Data::Float(20.0)]);
}

#[test]
fn the_last_sheet_says_what_the_file_is() {
    let (_, bytes) = written(&header(&[Kind::Text]), Vec::new(), SHEET_ROWS);
    let info = sheet(&bytes, "Info");
    let value = |name: &str| {
        let row = info.iter().find(|row| row[0] == Data::String(name.into()));
        row.map(|row| row[1].to_string()).unwrap()
    };
    assert_eq!(value("Organisation"), "Käserei Zürich");
    assert_eq!(value("As of"), "2026-07-01 00:30:00");
    assert_eq!(value("Time zone"), "Europe/Zurich");
    assert_eq!(value("Log position"), "48213");
    assert_eq!(value("Filter"), "status = open");
    assert_eq!(value("Rows"), "0");
}

#[test]
fn a_text_longer_than_a_cell_is_cut_visibly() {
    let row = vec![Cell::Text("😀".repeat(20_000))];
    let (rendered, bytes) = written(&header(&[Kind::Text]), vec![row], SHEET_ROWS);
    assert_eq!(rendered.cut_cells, 1);
    let Data::String(text) = &sheet(&bytes, "Data")[1][0] else { panic!("no text") };
    assert!(text.ends_with("😀 [cut]") && text.encode_utf16().count() <= CELL_UNITS);
    assert!(sheet(&bytes, "Info").iter().any(|row| row[0] == Data::String("Cut cells".into())));
}

#[test]
fn the_same_rows_are_the_same_bytes() {
    let rows = || TRICKY.iter().map(|text| vec![Cell::Text((*text).into())]).collect();
    let header = header(&[Kind::Text]);
    assert!(written(&header, rows(), SHEET_ROWS) == written(&header, rows(), SHEET_ROWS));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_becomes_a_formula(texts in proptest::collection::vec("[=+@-]{0,2}\\PC{0,12}", 1..6)) {
        let kinds = vec![Kind::Text; texts.len() + 1];
        let row = texts.iter().cloned().map(Cell::Text).chain([Cell::Integer(1)]).collect();
        let (_, bytes) = written(&header(&kinds), vec![row], SHEET_ROWS);
        let read = sheet(&bytes, "Data");
        for (text, cell) in texts.iter().zip(&read[1]) {
            let found = if matches!(cell, Data::Empty) { String::new() } else { cell.to_string() };
            prop_assert_eq!(&found, text);
        }
    }
}

fn limited(limits: LimitPolicy) -> Header {
    Header { rows_total: 25, look: Look { limits, ..Look::default() }, ..header(&[Kind::Integer]) }
}

fn rows(count: i64) -> Vec<Row> {
    (0..count).map(|n| vec![Cell::Integer(n)]).collect()
}

#[test]
fn rows_beyond_a_sheet_are_left_out_visibly_or_fail_where_that_was_wished() {
    let (rendered, bytes) = written(&limited(LimitPolicy::Truncate), rows(25), 11);
    assert_eq!((rendered.rows, rendered.rows_left_out, rendered.parts), (10, 15, 1));
    assert_eq!(rendered.warnings, [ROWS_LEFT_OUT]);
    let info = sheet(&bytes, "Info");
    assert!(info.iter().any(|row| row[1].to_string().starts_with("15 rows had no room")));
    let scratch = tempfile::tempdir().unwrap();
    let failed = |rows: Vec<Row>, header: &Header| {
        let sink = Cursor::new(Vec::new());
        render_split(header, rows.into_iter().map(Ok), scratch.path(), sink, 11).unwrap_err()
    };
    let error = failed(rows(11), &limited(LimitPolicy::Fail));
    assert!(matches!(error, Error::TooManyRows { limit: 10, .. }), "{error}");
    let long = vec![vec![Cell::Text("x".repeat(CELL_UNITS + 1))]];
    let error = failed(long, &limited(LimitPolicy::Fail));
    assert!(matches!(error, Error::CellTooLong { .. }), "{error}");
}

#[test]
fn sums_are_formulas_on_one_sheet_and_plain_numbers_below_several() {
    let mut summed = header(&[Kind::Text, Kind::Integer, Kind::Number]);
    summed.look.totals = vec![1, 2];
    let row = |n: i64| vec![Cell::Text("=1".into()), Cell::Integer(n), Cell::Number("0.1".into())];
    let (_, bytes) = written(&summed, vec![row(1), row(2), row(4)], SHEET_ROWS);
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    let formulas = workbook.worksheet_formula("Data").unwrap();
    let found: Vec<&String> = formulas.rows().flatten().filter(|text| !text.is_empty()).collect();
    assert_eq!(found, ["SUBTOTAL(109,B2:B4)", "SUBTOTAL(109,C2:C4)"]);
    let data = workbook.worksheet_range("Data").unwrap();
    let last: Vec<String> =
        data.rows().next_back().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(last, ["Total", "7", "0.3"]);

    let (rendered, bytes) = written(&summed, (0..25).map(row).collect(), 11);
    assert_eq!((rendered.rows, rendered.parts), (25, 3));
    let last = sheet(&bytes, "Data 3").pop().unwrap();
    assert_eq!(last[1..], [Data::Float(300.0), Data::Float(2.5)]);
}

#[test]
fn the_cover_comes_first_where_it_is_wished_and_nowhere_where_it_is_not() {
    let with = |cover| {
        let mut header = header(&[Kind::Text]);
        header.look.cover = cover;
        let (_, bytes) = written(&header, vec![vec![Cell::Text("a".into())]], SHEET_ROWS);
        Xlsx::new(Cursor::new(bytes)).map(|book: Xlsx<_>| book.sheet_names()).unwrap()
    };
    assert_eq!(with(Some(true)), ["Cover", "Data"]);
    assert_eq!(with(None), ["Data", "Info"]);
    assert_eq!(with(Some(false)), ["Data"]);
    let mut header = header(&[Kind::Text]);
    header.look.cover = Some(false);
    let long = vec![vec![Cell::Text("x".repeat(CELL_UNITS + 1))]];
    let (rendered, bytes) = written(&header, long, SHEET_ROWS);
    assert_eq!(rendered.warnings, [CELLS_CUT]);
    assert!(!sheet(&bytes, "Info").is_empty(), "what is cut is said, wished or not");
}

#[test]
fn raw_moments_are_text_in_full() {
    let mut header = header(&[Kind::Timestamp]);
    header.look.style = Style::Raw;
    let row = vec![Cell::Timestamp(at("2026-01-01T12:00:00.5Z"))];
    let (_, bytes) = written(&header, vec![row], SHEET_ROWS);
    assert_eq!(sheet(&bytes, "Data")[1], [Data::String("2026-01-01T12:00:00.5Z".into())]);
}
