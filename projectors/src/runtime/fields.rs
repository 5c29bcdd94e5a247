//! A row's members as the fields of a binary COPY, straight from its types: every row of every read model passes here.

use std::borrow::Cow;
use std::slice;

use bytes::BufMut as _;
use jiff::{Timestamp, Unit};
use serde::ser::{Error as _, Impossible};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::members::{Members, Misfit, misfits};
use crate::model::{Column, Sql};

/// The length of a field that holds nothing.
pub(super) const NULL: i32 = -1;
const JSONB_VERSION: u8 = 1;
/// The instant from which Postgres counts: 2000-01-01T00:00:00Z.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// Writes the members of a row, which are the columns in their order: each field's length and value.
pub(super) struct Fields<'a> {
    columns: slice::Iter<'a, Column>,
    out: &'a mut Vec<u8>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(columns: &'a [Column], out: &'a mut Vec<u8>) -> Self {
        Self { columns: columns.iter(), out }
    }
}

impl Members for Fields<'_> {
    type Whole = ();

    fn take<T: ?Sized + Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), Misfit> {
        let Some(column) = self.columns.next().filter(|column| column.name == name) else {
            return Err(Misfit(format!("{name} is not the next column")));
        };
        let field = Field { sql: column.sql, out: self.out };
        let written =
            if column.sql == Sql::Jsonb { field.json(value) } else { value.serialize(field) };
        written.map_err(|Misfit(reason)| Misfit(format!("column {name}: {reason}")))
    }

    fn end(mut self) -> Result<(), Misfit> {
        match self.columns.next() {
            None => Ok(()),
            Some(column) => Err(Misfit(format!("column {} is missing", column.name))),
        }
    }
}

/// One field of its column's type.
struct Field<'a> {
    sql: Sql,
    out: &'a mut Vec<u8>,
}

impl Field<'_> {
    /// Writes what `value` writes, with its length before it.
    fn sized(self, value: impl FnOnce(&mut Vec<u8>)) -> Result<(), Misfit> {
        let at = self.out.len();
        self.out.put_i32(0); // known in a moment
        value(self.out);
        measure(self.out, at)
    }

    fn json<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Misfit> {
        let at = self.out.len();
        self.out.put_i32(0);
        self.out.put_u8(JSONB_VERSION);
        let begin = self.out.len();
        serde_json::to_writer(&mut *self.out, value).map_err(Misfit::custom)?;
        let json = str::from_utf8(&self.out[begin..]).map_err(Misfit::custom)?;
        if json == "null" {
            self.out.truncate(at);
            return self.serialize_none();
        }
        if let Cow::Owned(clean) = without_nul(json) {
            self.out.truncate(begin);
            self.out.put_slice(clean.as_bytes());
        }
        measure(self.out, at)
    }

    fn integer(self, number: i64) -> Result<(), Misfit> {
        match self.sql {
            Sql::Bigint => self.sized(|out| out.put_i64(number)),
            Sql::Integer => {
                let number = i32::try_from(number).map_err(Misfit::custom)?;
                self.sized(|out| out.put_i32(number))
            }
            Sql::Text => self.sized(|out| out.put_slice(number.to_string().as_bytes())),
            Sql::Uuid | Sql::Boolean | Sql::Timestamptz | Sql::Jsonb => Err(self.other("a number")),
        }
    }

    fn other(&self, found: &str) -> Misfit {
        Misfit(format!("{found} is no {}", self.sql.name()))
    }
}

/// Writes the length of the field that begins at `at` and is the last until now.
fn measure(out: &mut [u8], at: usize) -> Result<(), Misfit> {
    let begin = at + size_of::<i32>();
    let length = i32::try_from(out.len() - begin).map_err(Misfit::custom)?;
    out[at..begin].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

impl Serializer for Field<'_> {
    type Ok = ();
    type Error = Misfit;
    type SerializeSeq = Impossible<(), Misfit>;
    type SerializeTuple = Impossible<(), Misfit>;
    type SerializeTupleStruct = Impossible<(), Misfit>;
    type SerializeTupleVariant = Impossible<(), Misfit>;
    type SerializeMap = Impossible<(), Misfit>;
    type SerializeStruct = Impossible<(), Misfit>;
    type SerializeStructVariant = Impossible<(), Misfit>;

    fn serialize_str(self, text: &str) -> Result<(), Misfit> {
        match self.sql {
            // Postgres has no NUL in text; whoever smuggles one into a name shall not keep the row out of the trail.
            Sql::Text if text.contains('\0') => {
                self.sized(|out| out.put_slice(text.replace('\0', "\u{fffd}").as_bytes()))
            }
            Sql::Text => self.sized(|out| out.put_slice(text.as_bytes())),
            Sql::Uuid => {
                let id = Uuid::parse_str(text).map_err(Misfit::custom)?;
                self.sized(|out| out.put_slice(id.as_bytes()))
            }
            Sql::Timestamptz => {
                let instant: Timestamp = text.parse().map_err(Misfit::custom)?;
                let instant = instant.round(Unit::Microsecond).map_err(Misfit::custom)?;
                self.sized(|out| out.put_i64(instant.as_microsecond() - POSTGRES_EPOCH_US))
            }
            Sql::Bigint | Sql::Integer | Sql::Boolean | Sql::Jsonb => Err(self.other("a text")),
        }
    }

    fn serialize_bool(self, yes: bool) -> Result<(), Misfit> {
        if self.sql != Sql::Boolean {
            return Err(self.other("a truth value"));
        }
        self.sized(|out| out.put_u8(u8::from(yes)))
    }

    fn serialize_i8(self, number: i8) -> Result<(), Misfit> {
        self.integer(number.into())
    }

    fn serialize_i16(self, number: i16) -> Result<(), Misfit> {
        self.integer(number.into())
    }

    fn serialize_i32(self, number: i32) -> Result<(), Misfit> {
        self.integer(number.into())
    }

    fn serialize_i64(self, number: i64) -> Result<(), Misfit> {
        self.integer(number)
    }

    fn serialize_u8(self, number: u8) -> Result<(), Misfit> {
        self.integer(number.into())
    }

    fn serialize_u16(self, number: u16) -> Result<(), Misfit> {
        self.integer(number.into())
    }

    fn serialize_u32(self, number: u32) -> Result<(), Misfit> {
        self.integer(number.into())
    }

    fn serialize_u64(self, number: u64) -> Result<(), Misfit> {
        self.integer(i64::try_from(number).map_err(Misfit::custom)?)
    }

    fn serialize_none(self) -> Result<(), Misfit> {
        self.out.put_i32(NULL);
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Misfit> {
        self.serialize_none()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Misfit> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Misfit> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Misfit> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Misfit> {
        Err(self.other("a variant with a value"))
    }

    misfits! { "a value that is no single one":
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}

/// JSON without NUL, which Postgres' `jsonb` does not have either.
fn without_nul(json: &str) -> Cow<'_, str> {
    const NUL: &str = "\\u0000";
    if !json.contains(NUL) {
        return Cow::Borrowed(json);
    }
    let mut clean = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find(NUL) {
        let (before, found) = rest.split_at(at);
        clean.push_str(before);
        // After an odd number of backslashes this one is itself escaped, and the rest mere text.
        let escaped = before.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
        clean.push_str(if escaped { NUL } else { "\\ufffd" });
        rest = &found[NUL.len()..];
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}
