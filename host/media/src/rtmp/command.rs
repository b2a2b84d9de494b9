//! Chapter 7.2: commands are a name, a transaction and arguments in AMF0.
//!
//! What peers leave away is taken as absent, never as an error of ours: only a name is required.

use super::amf0::{self, Value};
use super::chunk::Writer;
use super::error::Error;
use super::message::id;

/// A decoded command.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What is asked for.
    pub name: String,
    /// Number that the answer repeats; 0 asks for no answer.
    pub transaction: f64,
    /// The command object, `null` in most commands, and whatever follows it.
    pub arguments: Vec<Value>,
}

impl Command {
    /// Decodes a command body of message type 17 or 20.
    ///
    /// # Errors
    /// [`Error::Amf0`] or, without a name, [`Error::MalformedCommand`].
    pub fn decode(body: &[u8], limits: amf0::Limits) -> Result<Self, Error> {
        let mut values = amf0::decode_all(skip_amf3_prefix(body), limits)?.into_iter();
        let Some(Value::String(name)) = values.next() else {
            return Err(Error::MalformedCommand("it has no name"));
        };
        let transaction = values.next().and_then(|value| value.as_number()).unwrap_or(0.0);
        let arguments = values.collect();
        Ok(Self { name, transaction, arguments })
    }

    /// An argument; number 0 is the command object.
    pub fn argument(&self, index: usize) -> Option<&Value> {
        self.arguments.get(index)
    }

    /// A text argument, empty when it is absent or not text.
    pub fn text(&self, index: usize) -> &str {
        self.argument(index).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text property of the command object, empty when it is absent or not text.
    pub fn property(&self, name: &str) -> &str {
        let value = self.argument(0).and_then(|object| object.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    }
}

/// Bodies of the AMF3 types 15 and 17 begin with one zero byte and go on in AMF0. No AMF0 body that we
/// accept begins with a zero, which would be a number.
pub(super) fn skip_amf3_prefix(body: &[u8]) -> &[u8] {
    body.strip_prefix(&[0]).unwrap_or(body)
}

/// What the peer declared of enhanced RTMP in `connect`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enhanced {
    /// It sent a list of codecs (version 1).
    pub codec_list: bool,
    /// It sent maps of codecs (version 2).
    pub codec_maps: bool,
    /// It can be asked to reconnect (version 2).
    pub reconnect: bool,
}

impl Enhanced {
    /// `capsEx` bit: Reconnect Request is understood.
    const RECONNECT: u32 = 1;
    /// Codec map value: we pass this codec on, neither decoding nor encoding it.
    const CAN_FORWARD: f64 = 4.0;
    /// Video codecs that are recorded.
    const VIDEO: [&str; 2] = ["avc1", "hvc1"];
    /// Audio codecs that are recorded.
    const AUDIO: [&str; 1] = ["mp4a"];

    /// Reads the declaration from the command object of `connect`.
    pub fn of(connect: &Command) -> Self {
        let object = connect.argument(0);
        let property = |name| object.and_then(|object| object.get(name));
        let caps = property("capsEx").and_then(Value::as_number).unwrap_or(0.0);
        Self {
            codec_list: property("fourCcList").is_some(),
            codec_maps: property("videoFourCcInfoMap").is_some() || property("audioFourCcInfoMap").is_some(),
            // A float to integer cast saturates, so any number is fine here.
            reconnect: (caps as u32) & Self::RECONNECT != 0,
        }
    }

    /// Our declaration in return: only in the forms the peer used, so that others see nothing new.
    pub fn answer(self) -> Vec<(&'static str, Value)> {
        let mut properties = Vec::new();
        if self.codec_list {
            let codecs = Self::VIDEO.iter().chain(&Self::AUDIO);
            let codecs = codecs.map(|codec| Value::String((*codec).to_owned())).collect();
            properties.push(("fourCcList", Value::StrictArray(codecs)));
        }
        if self.codec_maps {
            properties.push(("videoFourCcInfoMap", Self::codec_map(&Self::VIDEO)));
            properties.push(("audioFourCcInfoMap", Self::codec_map(&Self::AUDIO)));
        }
        if self.reconnect {
            properties.push(("capsEx", Value::Number(f64::from(Self::RECONNECT))));
        }
        properties
    }

    fn codec_map(codecs: &[&str]) -> Value {
        let forward = Value::Number(Self::CAN_FORWARD);
        Value::Object(codecs.iter().map(|codec| ((*codec).to_owned(), forward.clone())).collect())
    }
}

/// `level` of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Status,
    Error,
}

/// The information object of a status: its usual three properties and some more.
pub(super) fn info(level: Level, code: &str, description: &str, more: Vec<(&'static str, Value)>) -> Value {
    let level = match level {
        Level::Status => "status",
        Level::Error => "error",
    };
    let text = |text: &str| Value::String(text.to_owned());
    let usual = [("level", text(level)), ("code", text(code)), ("description", text(description))];
    object(usual.into_iter().chain(more))
}

/// An object from its properties.
pub(super) fn object(properties: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Object(properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Appends a command message: on chunk stream 3 for the connection, 5 for a message stream, as servers do.
pub(super) fn write(
    writer: &Writer,
    out: &mut Vec<u8>,
    stream_id: u32,
    name: &str,
    transaction: f64,
    arguments: &[Value],
) {
    let mut body = Vec::new();
    amf0::encode_string(name, &mut body);
    amf0::encode(&Value::Number(transaction), &mut body);
    for argument in arguments {
        amf0::encode(argument, &mut body);
    }
    let chunk_stream = if stream_id == 0 { 3 } else { 5 };
    writer.write(out, chunk_stream, id::COMMAND_AMF0, stream_id, &body);
}
