//! Apache Parquet: columns with their types, written in row groups so that memory does not grow with the rows.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::{Cell, Column, Error, Header, Kind, Rendered, Row, write_raw};

/// A row group ends with the first row beyond this; what waits for its end is in memory.
const GROUP_BYTES: usize = 12 * 1024 * 1024;
/// What a value takes in memory besides its text.
const VALUE_BYTES: usize = 56;
/// Dates are days since then.
const EPOCH: jiff::civil::Date = jiff::civil::Date::constant(1970, 1, 1);

/// Writes a table. Moments are microseconds in UTC, numbers with decimals are text, because their digits have no common scale.
pub fn render<W: Write + Send>(
    header: &Header,
    rows: impl Iterator<Item = anyhow::Result<Row>>,
    sink: W,
) -> Result<Rendered, Error> {
    let mut file = SerializedFileWriter::new(sink, schema(header)?, Arc::new(properties(header)))?;
    let mut rendered = Rendered::default();
    let mut columns: Vec<Waiting> = header.columns.iter().map(Waiting::of).collect();
    let mut bytes = 0;
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(row.map_err(Error::Rows)?) {
            bytes += column.take(cell);
        }
        rendered.rows += 1;
        if bytes > GROUP_BYTES {
            write_group(&mut file, &mut columns)?;
            rendered.parts += 1;
            bytes = 0;
        }
    }
    if bytes > 0 {
        write_group(&mut file, &mut columns)?;
        rendered.parts += 1;
    }
    file.close()?;
    Ok(rendered)
}

fn properties(header: &Header) -> WriterProperties {
    let fact = |name: &str, value: String| KeyValue::new(format!("annals.{name}"), value);
    let facts = vec![
        fact("title", header.title.clone()),
        fact("organization", header.organization.clone()),
        fact("filter", header.filter.clone()),
        fact("as_of.position", header.position.to_string()),
        fact("as_of.time", header.as_of.to_string()),
    ];
    WriterProperties::builder()
        .set_created_by("Annals".to_owned())
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(facts))
        .build()
}

fn schema(header: &Header) -> Result<TypePtr, ParquetError> {
    let fields = header.columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder("rows").with_fields(fields).build()?))
}

fn field(column: &Column) -> Result<TypePtr, ParquetError> {
    let name = column.label.as_str();
    let (physical, logical) = match column.kind {
        Kind::Text | Kind::Number => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        Kind::Integer => (Physical::INT64, None),
        Kind::Bool => (Physical::BOOLEAN, None),
        Kind::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        Kind::Date => (Physical::INT32, Some(LogicalType::Date)),
        Kind::List => return list(name),
    };
    Ok(Arc::new(primitive(name, physical, logical)?))
}

fn primitive(
    name: &str,
    physical: Physical,
    logical: Option<LogicalType>,
) -> Result<Type, ParquetError> {
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

/// A list in the three levels that the format wants.
fn list(name: &str) -> Result<TypePtr, ParquetError> {
    let element = Arc::new(primitive("element", Physical::BYTE_ARRAY, Some(LogicalType::String))?);
    let items = Type::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![element])
        .build()?;
    let list = Type::group_type_builder(name)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(items)])
        .build()?;
    Ok(Arc::new(list))
}

/// The values of a column that wait for the end of their row group.
struct Waiting {
    values: Values,
    /// Per value: whether there is one, or how far a list goes.
    definitions: Vec<i16>,
    /// Of lists: whether the value goes on with the list of the one before.
    repetitions: Vec<i16>,
}

enum Values {
    Texts(Vec<ByteArray>),
    Lists(Vec<ByteArray>),
    Longs(Vec<i64>),
    Bools(Vec<bool>),
    Days(Vec<i32>),
}

impl Waiting {
    fn of(column: &Column) -> Self {
        let values = match column.kind {
            Kind::Text | Kind::Number | Kind::Json => Values::Texts(Vec::new()),
            Kind::List => Values::Lists(Vec::new()),
            Kind::Integer | Kind::Timestamp => Values::Longs(Vec::new()),
            Kind::Bool => Values::Bools(Vec::new()),
            Kind::Date => Values::Days(Vec::new()),
        };
        Self { values, definitions: Vec::new(), repetitions: Vec::new() }
    }

    /// Takes a cell; the memory that it needs. A cell of another kind than its column, which the reading of rows does not make, is text where
    /// the column is, and nothing elsewhere.
    fn take(&mut self, cell: Cell) -> usize {
        let mut size = VALUE_BYTES;
        let is_there = match (&mut self.values, cell) {
            (Values::Lists(items), Cell::List(texts)) => {
                size += texts.iter().map(|text| text.len() + VALUE_BYTES).sum::<usize>();
                self.repetitions.extend((0..texts.len().max(1)).map(|at| i16::from(at > 0)));
                // 1 is an empty list, 3 an element of one.
                let level = if texts.is_empty() { 1 } else { 3 };
                self.definitions.extend((0..texts.len().max(1)).map(|_| level));
                items.extend(texts.into_iter().map(|text| ByteArray::from(text.into_bytes())));
                return size;
            }
            (Values::Lists(_), _) => {
                self.repetitions.push(0);
                false
            }
            (Values::Texts(_), Cell::Empty) => false,
            (Values::Texts(texts), Cell::Text(text) | Cell::Number(text) | Cell::Json(text)) => {
                size += text.len();
                texts.push(ByteArray::from(text.into_bytes()));
                true
            }
            (Values::Texts(texts), other) => {
                let mut text = String::new();
                write_raw(&other, &mut text);
                texts.push(ByteArray::from(text.into_bytes()));
                true
            }
            (Values::Longs(longs), Cell::Integer(value)) => push(longs, value),
            (Values::Longs(longs), Cell::Timestamp(moment)) => push(longs, moment.as_microsecond()),
            (Values::Bools(bools), Cell::Bool(value)) => push(bools, value),
            (Values::Days(days), Cell::Date(date)) => match EPOCH.until(date) {
                Ok(since) => push(days, since.get_days()),
                Err(_) => false,
            },
            (Values::Longs(_) | Values::Bools(_) | Values::Days(_), _) => false,
        };
        self.definitions.push(i16::from(is_there));
        size
    }

    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = (self.definitions.as_slice(), self.repetitions.as_slice());
        match &mut self.values {
            Values::Texts(values) | Values::Lists(values) => {
                write_batch::<ByteArrayType>(column, values, levels)?;
            }
            Values::Longs(values) => write_batch::<Int64Type>(column, values, levels)?,
            Values::Bools(values) => write_batch::<BoolType>(column, values, levels)?,
            Values::Days(values) => write_batch::<Int32Type>(column, values, levels)?,
        }
        self.definitions.clear();
        self.repetitions.clear();
        Ok(())
    }
}

fn push<T>(values: &mut Vec<T>, value: T) -> bool {
    values.push(value);
    true
}

fn write_batch<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    (definitions, repetitions): (&[i16], &[i16]),
) -> Result<(), ParquetError> {
    let repetitions = (!repetitions.is_empty()).then_some(repetitions);
    column.typed::<T>().write_batch(values, Some(definitions), repetitions)?;
    values.clear();
    Ok(())
}

fn write_group<W: Write + Send>(
    file: &mut SerializedFileWriter<W>,
    columns: &mut [Waiting],
) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    for waiting in columns {
        let Some(mut column) = group.next_column()? else { break };
        waiting.write(&mut column)?;
        column.close()?;
    }
    group.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TRICKY, header};
    use super::*;
    use bytes::Bytes;
    use events::testing::at;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    fn written(header: &Header, rows: Vec<Row>) -> (Rendered, Bytes) {
        let mut bytes = Vec::new();
        let rendered = render(header, rows.into_iter().map(Ok), &mut bytes).unwrap();
        (rendered, bytes.into())
    }

    #[test]
    fn every_value_keeps_its_type() {
        let kinds = [
            Kind::Text,
            Kind::Integer,
            Kind::Bool,
            Kind::Timestamp,
            Kind::Date,
            Kind::List,
            Kind::Json,
            Kind::Number,
        ];
        let row = vec![
            Cell::Text("a\u{1}b".into()),
            Cell::Integer(i64::MIN),
            Cell::Bool(true),
            Cell::Timestamp(at("2026-01-01T12:00:00.123456Z")),
            Cell::Date("2026-02-28".parse().unwrap()),
            Cell::List(vec!["x".into(), "y".into()]),
            Cell::Json("{}".into()),
            Cell::Number("1.50".into()),
        ];
        let (rendered, bytes) = written(&header(&kinds), vec![row, vec![Cell::Empty; 8]]);
        assert_eq!((rendered.rows, rendered.parts), (2, 1));
        let reader = SerializedFileReader::new(bytes).unwrap();
        let rows: Vec<_> =
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(
            rows[0],
            concat!(
                "{Column a: \"a\u{1}b\", Column b: -9223372036854775808, Column c: true, ",
                "Column d: 2026-01-01 12:00:00.123456 +00:00, Column e: 2026-02-28, ",
                "Column f: [\"x\", \"y\"], Column g: \"{}\", Column h: \"1.50\"}"
            )
        );
        assert!(rows[1].matches("null").count() >= 7, "{}", rows[1]);
    }

    #[test]
    fn many_rows_are_written_in_groups_and_none_is_lost() {
        let text = "x".repeat(4_000);
        let rows = (0..8_000).map(|n| vec![Cell::Integer(n), Cell::Text(format!("{n}{text}"))]);
        let (rendered, bytes) = written(&header(&[Kind::Integer, Kind::Text]), rows.collect());
        assert!(rendered.parts > 1, "{rendered:?}");
        let reader = SerializedFileReader::new(bytes.clone()).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), rendered.parts as usize);
        let read = read_first(&bytes);
        assert_eq!(read, (0..8_000).collect::<Vec<i64>>());
    }

    fn read_first(bytes: &Bytes) -> Vec<i64> {
        use parquet::record::RowAccessor as _;
        let reader = SerializedFileReader::new(bytes.clone()).unwrap();
        reader.get_row_iter(None).unwrap().map(|row| row.unwrap().get_long(0).unwrap()).collect()
    }

    #[test]
    fn every_text_comes_back_and_the_same_rows_are_the_same_bytes() {
        use parquet::record::RowAccessor as _;
        let rows = || TRICKY.iter().map(|text| vec![Cell::Text((*text).into())]).collect();
        let (_, bytes) = written(&header(&[Kind::Text]), rows());
        assert_eq!(bytes, written(&header(&[Kind::Text]), rows()).1);
        let reader = SerializedFileReader::new(bytes).unwrap();
        let read = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| row.unwrap().get_string(0).unwrap().clone());
        assert_eq!(read.collect::<Vec<_>>(), TRICKY);
    }

    #[test]
    fn no_rows_are_a_table_too() {
        let (rendered, bytes) = written(&header(&[Kind::Text, Kind::List]), Vec::new());
        assert_eq!((rendered.rows, rendered.parts), (0, 0));
        assert_eq!(SerializedFileReader::new(bytes).unwrap().metadata().num_row_groups(), 0);
    }
}
