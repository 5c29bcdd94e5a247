//! CSV (RFC 4180) in two dialects: one that spreadsheet programs open safely, one that gives the values as they are.

use std::io::Write;

use csv::{Terminator, WriterBuilder};
use events::exports::export::{Dialect, Style};

use super::{Cell, Error, Header, Rendered, Row, defused, is_decimal, separators};

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Writes the header line and every row, one at a time.
pub fn render<W: Write>(
    header: &Header,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
    mut sink: W,
) -> Result<Rendered, Error> {
    let is_excel = header.look.dialect == Dialect::Excel;
    let local = separators(&header.locale);
    let decimal = if header.look.style == Style::Raw || !is_excel { '.' } else { local.decimal };
    let delimiter = if is_excel { local.delimiter } else { b',' };
    if is_excel {
        sink.write_all(BYTE_ORDER_MARK)?;
    }
    let mut file =
        WriterBuilder::new().delimiter(delimiter).terminator(Terminator::CRLF).from_writer(sink);
    for column in &header.columns {
        let label = if is_excel { defused(&column.label) } else { column.label.as_str().into() };
        file.write_field(label.as_ref()).map_err(into_io)?;
    }
    end_record(&mut file)?;
    let (mut rendered, mut text) = (Rendered { parts: 1, ..Rendered::default() }, String::new());
    for row in rows {
        for cell in row.map_err(Error::Rows)? {
            text.clear();
            if is_excel {
                write_for_excel(header, decimal, &cell, &mut text);
            } else {
                header.write_value(&cell, &mut text);
            }
            file.write_field(&text).map_err(into_io)?;
        }
        end_record(&mut file)?;
        rendered.rows += 1;
    }
    file.flush()?;
    Ok(rendered)
}

fn end_record<W: Write>(file: &mut csv::Writer<W>) -> Result<(), Error> {
    file.write_record(None::<&[u8]>).map_err(into_io)?;
    Ok(())
}

fn into_io(error: csv::Error) -> std::io::Error {
    if let csv::ErrorKind::Io(_) = error.kind()
        && let csv::ErrorKind::Io(error) = error.into_kind()
    {
        return error;
    }
    std::io::Error::other("the CSV writer refused a record")
}

/// Numbers, moments and dates are never touched; what is text is made safe.
fn write_for_excel(header: &Header, decimal: char, cell: &Cell, text: &mut String) {
    match cell {
        Cell::Text(value) | Cell::Json(value) => text.push_str(&defused(value)),
        Cell::Number(digits) if !is_decimal(digits) => text.push_str(&defused(digits)),
        Cell::Number(digits) => {
            text.extend(digits.chars().map(|c| if c == '.' { decimal } else { c }));
        }
        Cell::Bool(value) if header.look.style == Style::Formatted => {
            text.push_str(if *value { "TRUE" } else { "FALSE" });
        }
        Cell::List(_) => {
            header.write_value(cell, text);
            if let std::borrow::Cow::Owned(safe) = defused(text) {
                *text = safe;
            }
        }
        Cell::Integer(_) | Cell::Bool(_) | Cell::Timestamp(_) | Cell::Date(_) | Cell::Empty => {
            header.write_value(cell, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TRICKY, header};
    use super::super::{Kind, looks_like_formula};
    use super::*;
    use events::testing::at;
    use proptest::prelude::*;

    fn written(header: &Header, dialect: Dialect, rows: Vec<Row>) -> Vec<u8> {
        let mut header = header.clone();
        header.look.dialect = dialect;
        if dialect == Dialect::Raw {
            header.look.style = Style::Raw;
            for column in &mut header.columns {
                column.label.clone_from(&column.key);
            }
        }
        let mut bytes = Vec::new();
        let rendered = render(&header, rows.into_iter().map(Ok), &mut bytes).unwrap();
        assert_eq!(rendered.cut_cells, 0);
        bytes
    }

    fn read(bytes: &[u8], delimiter: u8) -> Vec<Vec<String>> {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .terminator(csv::Terminator::CRLF)
            .has_headers(false)
            .from_reader(bytes);
        let records = reader.records().map(|record| record.unwrap());
        records.map(|record| record.iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn a_spreadsheet_gets_labels_local_times_and_a_byte_order_mark() {
        let header = header(&[Kind::Text, Kind::Number, Kind::Timestamp, Kind::Bool]);
        let rows = vec![vec![
            Cell::Text("a,\"b\"\nc".into()),
            Cell::Number("-0.02".into()),
            Cell::Timestamp(at("2026-01-01T12:00:00.5Z")),
            Cell::Bool(true),
        ]];
        let expected = "\u{feff}Column a,Column b,Column c,Column d\r\n\
                        \"a,\"\"b\"\"\nc\",-0.02,2026-01-01 13:00:00,TRUE\r\n";
        assert_eq!(String::from_utf8(written(&header, Dialect::Excel, rows)).unwrap(), expected);
    }

    #[test]
    fn a_program_gets_keys_and_the_values_as_they_are() {
        let header = header(&[Kind::Text, Kind::Number, Kind::Timestamp]);
        let rows = vec![vec![
            Cell::Text("=1+1".into()),
            Cell::Number("1234.50".into()),
            Cell::Timestamp(at("2026-01-01T12:00:00.5Z")),
        ]];
        let expected = "a,b,c\r\n=1+1,1234.50,2026-01-01T12:00:00.5Z\r\n";
        assert_eq!(String::from_utf8(written(&header, Dialect::Raw, rows)).unwrap(), expected);
    }

    #[test]
    fn style_and_dialect_are_chosen_apart() {
        let mut header = Header {
            locale: "de-DE".into(),
            ..header(&[Kind::Number, Kind::Timestamp, Kind::Text])
        };
        let row = vec![
            Cell::Number("1.5".into()),
            Cell::Timestamp(at("2026-01-01T12:00:00.5Z")),
            Cell::List(vec!["=1".into(), "b".into()]),
        ];
        let mut last_line = |style, dialect| {
            (header.look.style, header.look.dialect) = (style, dialect);
            let mut bytes = Vec::new();
            render(&header, std::iter::once(Ok(row.clone())), &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap().lines().last().unwrap().to_owned()
        };
        let (formatted, raw) = ("2026-01-01 13:00:00", "2026-01-01T12:00:00.5Z");
        assert_eq!(last_line(Style::Formatted, Dialect::Excel), format!("1,5;{formatted};'=1, b"));
        assert_eq!(last_line(Style::Raw, Dialect::Excel), format!("1.5;{raw};'=1, b"));
        assert_eq!(last_line(Style::Formatted, Dialect::Raw), format!("1.5,{formatted},\"=1, b\""));
        assert_eq!(last_line(Style::Raw, Dialect::Raw), format!("1.5,{raw},\"=1, b\""));
    }

    #[test]
    fn the_locale_decides_separators() {
        let header = Header { locale: "de-DE".into(), ..header(&[Kind::Text, Kind::Number]) };
        let row = vec![Cell::Text("a;b,c".into()), Cell::Number("-1234.50".into())];
        let text = String::from_utf8(written(&header, Dialect::Excel, vec![row])).unwrap();
        assert!(text.ends_with("\"a;b,c\";-1234,50\r\n"), "{text}");
    }

    #[test]
    fn numbers_and_dates_are_never_touched_and_text_comes_back() {
        let header = header(&[Kind::Text, Kind::Number, Kind::Integer, Kind::Date]);
        let rows = TRICKY.iter().map(|text| {
            vec![
                Cell::Text((*text).into()),
                Cell::Number("-0.02".into()),
                Cell::Integer(-7),
                Cell::Date("2026-02-28".parse().unwrap()),
            ]
        });
        let read = read(&written(&header, Dialect::Excel, rows.collect()), b',');
        assert_eq!(read.len(), TRICKY.len() + 1);
        for (text, row) in TRICKY.iter().zip(&read[1..]) {
            let expected =
                if looks_like_formula(text) { format!("'{text}") } else { (*text).to_owned() };
            assert_eq!(row[..], [expected, "-0.02".into(), "-7".into(), "2026-02-28".into()]);
        }
    }

    #[test]
    fn a_wrongly_typed_number_is_text() {
        let row = vec![Cell::Number("=1+1".into())];
        let bytes = written(&header(&[Kind::Number]), Dialect::Excel, vec![row]);
        assert!(String::from_utf8(bytes).unwrap().ends_with("'=1+1\r\n"));
    }

    #[test]
    fn an_error_in_the_rows_is_no_file() {
        let rows = [Ok(vec![Cell::Empty]), Err(anyhow::anyhow!("gone"))];
        let result = render(&header(&[Kind::Text]), rows.into_iter(), Vec::new());
        assert!(matches!(result, Err(Error::Rows(_))));
    }

    proptest! {
        #[test]
        fn no_text_becomes_a_formula_and_every_text_comes_back(
            texts in proptest::collection::vec("\\PC{0,12}|[=+@＝－\t\r\n \u{feff}-]{0,3}.{0,8}", 1..6),
        ) {
            let kinds = vec![Kind::Text; texts.len()];
            let row = texts.iter().cloned().map(Cell::Text).collect();
            let read = read(&written(&header(&kinds), Dialect::Excel, vec![row]), b',');
            for (text, cell) in texts.iter().zip(&read[1]) {
                prop_assert!(!looks_like_formula(cell), "{text:?} became {cell:?}");
                prop_assert_eq!(cell.strip_prefix('\'').filter(|_| looks_like_formula(text)).unwrap_or(cell), text);
            }
        }
    }
}
