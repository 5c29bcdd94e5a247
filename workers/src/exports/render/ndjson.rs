//! NDJSON: one JSON object per line, its members in the order of the columns, values as the API gives them.

use std::io::Write;

use super::{Cell, Error, Header, Rendered, Row, is_decimal};

/// Writes every row, one at a time.
pub fn render<W: Write>(
    header: &Header,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
    mut sink: W,
) -> Result<Rendered, Error> {
    let name =
        |label: &String| Ok(serde_json::to_string(label).map_err(std::io::Error::from)? + ":");
    let names: Vec<String> =
        header.columns.iter().map(|column| name(&column.label)).collect::<Result<_, Error>>()?;
    let (mut rendered, mut line) = (Rendered { parts: 1, ..Rendered::default() }, Vec::new());
    for row in rows {
        line.clear();
        for (at, (name, cell)) in names.iter().zip(&row.map_err(Error::Rows)?).enumerate() {
            line.push(if at == 0 { b'{' } else { b',' });
            line.extend_from_slice(name.as_bytes());
            write_value(cell, &mut line)?;
        }
        line.extend_from_slice(b"}\n");
        sink.write_all(&line)?;
        rendered.rows += 1;
    }
    sink.flush()?;
    Ok(rendered)
}

fn write_value(cell: &Cell, line: &mut Vec<u8>) -> Result<(), Error> {
    match cell {
        Cell::Number(digits) if is_decimal(digits) && !has_leading_zero(digits) => {
            line.extend_from_slice(digits.as_bytes());
        }
        Cell::Integer(value) => write!(line, "{value}")?,
        Cell::Bool(value) => write!(line, "{value}")?,
        Cell::Timestamp(moment) => write!(line, "\"{moment}\"")?,
        Cell::Date(date) => write!(line, "\"{date}\"")?,
        Cell::List(items) => serde_json::to_writer(line, items).map_err(std::io::Error::from)?,
        // It comes from the database as JSON; a text that was sealed and cannot be opened is none any more.
        Cell::Json(text) if is_json(text) => line.extend_from_slice(text.as_bytes()),
        Cell::Text(text) | Cell::Number(text) | Cell::Json(text) => {
            serde_json::to_writer(line, text).map_err(std::io::Error::from)?;
        }
        Cell::Empty => line.extend_from_slice(b"null"),
    }
    Ok(())
}

/// Whether JSON would refuse the number.
fn has_leading_zero(digits: &str) -> bool {
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.")
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() && !text.contains('\n')
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::super::tests::{TRICKY, header};
    use super::*;
    use events::testing::at;
    use serde_json::{Value, json};

    fn lines(header: &Header, rows: Vec<Row>) -> Vec<Value> {
        let mut bytes = Vec::new();
        render(header, rows.into_iter().map(Ok), &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_value_keeps_its_type() {
        let header = header(&[Kind::Text; 8]);
        let row = vec![
            Cell::Text("a\n\"b\"".into()),
            Cell::Number("12345678901234.50".into()),
            Cell::Integer(i64::MAX),
            Cell::Bool(true),
            Cell::Timestamp(at("2026-01-01T12:00:00.123456Z")),
            Cell::List(vec!["x".into(), "y".into()]),
            Cell::Json("{\"k\":[1]}".into()),
            Cell::Empty,
        ];
        let mut bytes = Vec::new();
        render(&header, std::iter::once(Ok(row)), &mut bytes).unwrap();
        let expected = concat!(
            r#"{"Column a":"a\n\"b\"","Column b":12345678901234.50,"Column c":9223372036854775807,"#,
            r#""Column d":true,"Column e":"2026-01-01T12:00:00.123456Z","Column f":["x","y"],"#,
            r#""Column g":{"k":[1]},"Column h":null}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn every_text_comes_back_and_no_line_is_broken() {
        let rows = TRICKY.iter().map(|text| vec![Cell::Text((*text).into())]).collect();
        let read = lines(&header(&[Kind::Text]), rows);
        for (text, line) in TRICKY.iter().zip(&read) {
            assert_eq!(line["Column a"], json!(text));
        }
        assert_eq!(read.len(), TRICKY.len());
    }

    #[test]
    fn what_json_would_not_take_is_text() {
        let row =
            vec![Cell::Number("007".into()), Cell::Number("=1".into()), Cell::Json("{".into())];
        let read = lines(&header(&[Kind::Number, Kind::Number, Kind::Json]), vec![row]);
        assert_eq!(read[0], json!({"Column a": "007", "Column b": "=1", "Column c": "{"}));
    }
}
