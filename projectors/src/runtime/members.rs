//! A row's members one by one, by their names: for whatever takes rows apart without going over text.

use std::fmt::Display;

use serde::ser::{Impossible, SerializeStruct};
use serde::{Serialize, Serializer};

/// Why a row is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misfit(pub(super) String);

impl serde::ser::Error for Misfit {
    fn custom<T: Display>(reason: T) -> Self {
        Self(reason.to_string())
    }
}

/// Takes the members of a row in their order.
pub(super) trait Members {
    /// What comes of it.
    type Whole;

    /// Takes the next one.
    fn take<T: ?Sized + Serialize>(&mut self, name: &'static str, value: &T) -> Result<(), Misfit>;

    /// There are no more.
    fn end(self) -> Result<Self::Whole, Misfit>;
}

/// Hands a row, which is a struct, to whoever takes its members.
pub(super) fn take_apart<M: Members>(row: &impl Serialize, members: M) -> Result<M::Whole, Misfit> {
    row.serialize(Apart(members))
}

struct Apart<M>(M);

impl<M: Members> SerializeStruct for Apart<M> {
    type Ok = M::Whole;
    type Error = Misfit;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Misfit> {
        self.0.take(name, value)
    }

    fn end(self) -> Result<M::Whole, Misfit> {
        self.0.end()
    }
}

/// The methods of a serializer for what it does not take.
macro_rules! misfits {
    ($found:literal: $($method:ident($($type:ty),*) -> $result:ty;)*) => {
        $(fn $method(self $(, _: $type)*) -> Result<$result, Misfit> {
            Err(Misfit(concat!($found, " does not fit").into()))
        })*
    };
}

pub(super) use misfits;

impl<M: Members> Serializer for Apart<M> {
    type Ok = M::Whole;
    type Error = Misfit;
    type SerializeSeq = Impossible<M::Whole, Misfit>;
    type SerializeTuple = Impossible<M::Whole, Misfit>;
    type SerializeTupleStruct = Impossible<M::Whole, Misfit>;
    type SerializeTupleVariant = Impossible<M::Whole, Misfit>;
    type SerializeMap = Impossible<M::Whole, Misfit>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<M::Whole, Misfit>;

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Misfit> {
        Ok(self)
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<M::Whole, Misfit> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<M::Whole, Misfit> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<M::Whole, Misfit> {
        Err(Misfit("a variant does not fit".into()))
    }

    misfits! { "a row that is no struct":
        serialize_bool(bool) -> M::Whole;
        serialize_i8(i8) -> M::Whole;
        serialize_i16(i16) -> M::Whole;
        serialize_i32(i32) -> M::Whole;
        serialize_i64(i64) -> M::Whole;
        serialize_u8(u8) -> M::Whole;
        serialize_u16(u16) -> M::Whole;
        serialize_u32(u32) -> M::Whole;
        serialize_u64(u64) -> M::Whole;
        serialize_f32(f32) -> M::Whole;
        serialize_f64(f64) -> M::Whole;
        serialize_char(char) -> M::Whole;
        serialize_str(&str) -> M::Whole;
        serialize_bytes(&[u8]) -> M::Whole;
        serialize_none() -> M::Whole;
        serialize_unit() -> M::Whole;
        serialize_unit_struct(&'static str) -> M::Whole;
        serialize_unit_variant(&'static str, u32, &'static str) -> M::Whole;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}
