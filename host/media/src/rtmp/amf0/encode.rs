//! Values to bytes, for our own replies and for tests.

use super::{Value, marker};

/// Appends one value. Recursion is bounded by the value's own depth: replies are written in this crate, and
/// decoded values are never deeper than [`super::Limits::depth`].
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            out.push(marker::NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(boolean) => out.extend_from_slice(&[marker::BOOLEAN, u8::from(*boolean)]),
        Value::String(text) => encode_string(text, out),
        Value::Null => out.push(marker::NULL),
        Value::Undefined => out.push(marker::UNDEFINED),
        Value::Date(milliseconds) => {
            out.push(marker::DATE);
            out.extend_from_slice(&milliseconds.to_be_bytes());
            out.extend_from_slice(&[0, 0]);
        }
        Value::Object(properties) => {
            out.push(marker::OBJECT);
            encode_properties(properties, out);
        }
        Value::EcmaArray(properties) => {
            out.push(marker::ECMA_ARRAY);
            out.extend_from_slice(&count(properties.len()).to_be_bytes());
            encode_properties(properties, out);
        }
        Value::StrictArray(items) => {
            out.push(marker::STRICT_ARRAY);
            out.extend_from_slice(&count(items.len()).to_be_bytes());
            for item in items {
                encode(item, out);
            }
        }
    }
}

/// Appends a string in the short form where it fits, else in the long one.
pub fn encode_string(text: &str, out: &mut Vec<u8>) {
    match u16::try_from(text.len()) {
        Ok(length) => {
            out.push(marker::STRING);
            out.extend_from_slice(&length.to_be_bytes());
        }
        Err(_) => {
            out.push(marker::LONG_STRING);
            out.extend_from_slice(&count(text.len()).to_be_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

/// Appends a property's name. Names beyond 65,535 bytes cannot be written and are cut to nothing; decoding
/// never yields one.
pub fn encode_key(name: &str, out: &mut Vec<u8>) {
    let (name, length) = match u16::try_from(name.len()) {
        Ok(length) => (name, length),
        Err(_) => ("", 0),
    };
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(name.as_bytes());
}

fn encode_properties(properties: &[(String, Value)], out: &mut Vec<u8>) {
    for (name, value) in properties {
        encode_key(name, out);
        encode(value, out);
    }
    encode_key("", out);
    out.push(marker::OBJECT_END);
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
