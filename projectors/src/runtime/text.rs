//! Rows as text on their way to Postgres: JSON objects for statements, lines for COPY.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::{Column, FoldError, Sql};

/// Rows as JSON objects, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    text: String,
    ends: Vec<usize>,
}

impl Lines {
    /// Adds a row.
    pub(crate) fn push<R: Serialize>(&mut self, row: &R) -> Result<(), FoldError> {
        let object = serde_json::to_string(row)
            .map_err(|error| FoldError(format!("a row is no JSON: {error}")))?;
        let object = without_nul(object);
        if !self.ends.is_empty() {
            self.text.push(',');
        }
        self.text.push_str(&object);
        self.ends.push(self.text.len());
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All rows as one JSON array.
    pub(crate) fn array(&self) -> String {
        format!("[{}]", self.text)
    }

    /// All rows in the text format of COPY.
    pub(crate) fn copy(&self, columns: &[Column]) -> Result<String, FoldError> {
        let mut out = String::with_capacity(self.text.len());
        for object in self.objects() {
            for (index, field) in fields(object, columns)?.into_iter().enumerate() {
                if index > 0 {
                    out.push('\t');
                }
                match field {
                    Some(text) => escaped(&text, &mut out),
                    None => out.push_str("\\N"),
                }
            }
            out.push('\n');
        }
        Ok(out)
    }

    /// All rows column by column, each field as the text of its type, or absent.
    pub(crate) fn by_column(
        &self,
        columns: &[Column],
    ) -> Result<Vec<Vec<Option<Cow<'_, str>>>>, FoldError> {
        let empty = || Vec::with_capacity(self.len());
        let mut all: Vec<Vec<_>> = columns.iter().map(|_| empty()).collect();
        for object in self.objects() {
            for (column, field) in all.iter_mut().zip(fields(object, columns)?) {
                column.push(field);
            }
        }
        Ok(all)
    }

    fn objects(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|end| end + 1)); // after a comma
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }
}

/// Postgres has no NUL in text; whoever smuggles one into a name shall not keep the row out of the trail.
fn without_nul(json: String) -> String {
    const NUL: &str = "\\u0000";
    if !json.contains(NUL) {
        return json;
    }
    let mut clean = String::with_capacity(json.len());
    let mut rest = json.as_str();
    while let Some(at) = rest.find(NUL) {
        let (before, found) = rest.split_at(at);
        clean.push_str(before);
        // After an odd number of backslashes this one is itself escaped, and the rest mere text.
        let escaped = before.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        clean.push_str(if escaped { NUL } else { "\\ufffd" });
        rest = &found[NUL.len()..];
    }
    clean.push_str(rest);
    clean
}

/// The fields of one JSON object whose members are the columns, in their order.
fn fields<'a>(object: &'a str, columns: &[Column]) -> Result<Vec<Option<Cow<'a, str>>>, FoldError> {
    serde_json::Deserializer::from_str(object)
        .deserialize_map(InOrder(columns))
        .map_err(|error| FoldError(format!("a row does not fit its table: {error}")))
}

struct InOrder<'c>(&'c [Column]);

impl<'de> Visitor<'de> for InOrder<'_> {
    type Value = Vec<Option<Cow<'de, str>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the table's columns in their order")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut columns = self.0.iter();
        let mut fields = Vec::with_capacity(self.0.len());
        while let Some((name, value)) = members.next_entry::<&str, &RawValue>()? {
            let Some(column) = columns.next().filter(|column| column.name == name) else {
                return Err(serde::de::Error::custom(format!("{name} is not the next column")));
            };
            fields.push(field(value.get(), column.sql).map_err(serde::de::Error::custom)?);
        }
        match columns.next() {
            None => Ok(fields),
            Some(column) => {
                Err(serde::de::Error::custom(format!("column {} is missing", column.name)))
            }
        }
    }
}

fn field(json: &str, sql: Sql) -> Result<Option<Cow<'_, str>>, serde_json::Error> {
    if json == "null" {
        Ok(None)
    } else if sql == Sql::Jsonb || !json.starts_with('"') {
        Ok(Some(Cow::Borrowed(json)))
    } else {
        Ok(Some(serde_json::from_str::<Text<'_>>(json)?.0))
    }
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// COPY's escapes: backslash, tab, line feed and carriage return.
fn escaped(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\t', '\n', '\r']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'\t' => "\\t",
            b'\n' => "\\n",
            _ => "\\r",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::column;

    #[derive(Serialize)]
    struct Row {
        name: Option<&'static str>,
        size: i64,
        tags: Vec<&'static str>,
    }

    const COLUMNS: &[Column] =
        &[column("name", Sql::Text), column("size", Sql::Bigint), column("tags", Sql::Jsonb)];

    fn copied(row: &Row, columns: &[Column]) -> Result<String, FoldError> {
        let mut lines = Lines::default();
        lines.push(row)?;
        lines.copy(columns)
    }

    #[test]
    fn writes_a_line_that_copy_reads_back() {
        let row = Row { name: Some("a\tb\\ \"q\"\n"), size: -3, tags: vec!["x\ty", "\\"] };
        assert_eq!(
            copied(&row, COLUMNS).unwrap(),
            "a\\tb\\\\ \"q\"\\n\t-3\t[\"x\\\\ty\",\"\\\\\\\\\"]\n"
        );
    }

    #[test]
    fn writes_what_is_absent_as_null() {
        let row = Row { name: None, size: 0, tags: vec![] };
        assert_eq!(copied(&row, COLUMNS).unwrap(), "\\N\t0\t[]\n");
    }

    #[test]
    fn puts_a_sign_in_the_place_of_nul() {
        let row = Row { name: Some("a\0b\\u0000"), size: 0, tags: vec!["\\\0"] };
        let mut lines = Lines::default();
        lines.push(&row).unwrap();
        let read: serde_json::Value = serde_json::from_str(&lines.array()).unwrap();
        assert_eq!(read[0]["name"], "a\u{fffd}b\\u0000");
        assert_eq!(read[0]["tags"][0], "\\\u{fffd}");
    }

    #[test]
    fn refuses_a_row_that_is_not_the_table() {
        let row = Row { name: None, size: 0, tags: vec![] };
        assert!(copied(&row, &COLUMNS[..2]).is_err());
        assert!(copied(&row, &[COLUMNS[1], COLUMNS[0], COLUMNS[2]]).is_err());
    }
}
