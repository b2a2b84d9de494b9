//! AMF0, the form of command and data bodies (Action Message Format, version 0).
//!
//! Decoding keeps its own stack instead of recursing, counts every property and element against one budget,
//! and treats a declared count as a claim to be checked, never as a capacity. AMF3 is not decoded: where a
//! body switches to it, decoding stops with an error.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub use decode::{Decoder, decode_all};
pub use encode::{encode, encode_key, encode_string};

/// Names and values of an object, in the order in which they came; names may repeat.
pub type Properties = Vec<(String, Value)>;

/// One decoded value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Marker 0.
    Number(f64),
    /// Marker 1.
    Boolean(bool),
    /// Markers 2, 12 and 15. Bytes that are not UTF-8 become replacement characters.
    String(String),
    /// Markers 3 and 16; the class name of the latter is dropped.
    Object(Properties),
    /// Marker 5.
    Null,
    /// Markers 6, 7 and 13: undefined, a reference, unsupported.
    Undefined,
    /// Marker 8. The declared count means nothing.
    EcmaArray(Properties),
    /// Marker 10.
    StrictArray(Vec<Value>),
    /// Marker 11, milliseconds since 1970. The time zone is reserved and dropped.
    Date(f64),
}

impl Value {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The properties of an object or an ECMA array.
    pub fn properties(&self) -> Option<&Properties> {
        match self {
            Value::Object(properties) | Value::EcmaArray(properties) => Some(properties),
            _ => None,
        }
    }

    /// The first property of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.properties()?.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// Bounds of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Objects and arrays inside each other. Deep values cost time in everything that walks them.
    pub depth: usize,
    /// Properties and array elements in the whole body; each may cost many times its encoded size.
    pub properties: usize,
    /// Length of a property name in bytes.
    pub name_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 16, properties: 256, name_bytes: 255 }
    }
}

/// Why a body cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value, a declared length or a declared count goes beyond the end.
    #[error("value goes beyond the end of the body")]
    Truncated,
    /// A marker that is reserved, or that opens AMF3.
    #[error("marker {0} is not supported")]
    Marker(u8),
    /// Too many objects or arrays inside each other.
    #[error("values are nested more than {0} deep")]
    TooDeep(usize),
    /// Too many properties and elements.
    #[error("more than {0} properties")]
    TooManyProperties(usize),
    /// A property name is too long.
    #[error("property name is longer than {0} bytes")]
    NameTooLong(usize),
}

/// Markers of chapter 2.1.
mod marker {
    pub(super) const NUMBER: u8 = 0;
    pub(super) const BOOLEAN: u8 = 1;
    pub(super) const STRING: u8 = 2;
    pub(super) const OBJECT: u8 = 3;
    pub(super) const NULL: u8 = 5;
    pub(super) const UNDEFINED: u8 = 6;
    pub(super) const REFERENCE: u8 = 7;
    pub(super) const ECMA_ARRAY: u8 = 8;
    pub(super) const OBJECT_END: u8 = 9;
    pub(super) const STRICT_ARRAY: u8 = 10;
    pub(super) const DATE: u8 = 11;
    pub(super) const LONG_STRING: u8 = 12;
    pub(super) const UNSUPPORTED: u8 = 13;
    pub(super) const XML: u8 = 15;
    pub(super) const TYPED_OBJECT: u8 = 16;
}
