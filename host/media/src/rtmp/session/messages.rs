//! What messages other than commands do to a session.

use super::super::amf0::{Decoder, Properties, Value};
use super::super::chunk::Message;
use super::super::command::{Command, skip_amf3_prefix};
use super::super::error::Error;
use super::super::event::{Event, Media, MediaKind, Metadata, MetadataValue, Output};
use super::super::message::{self, Aggregate, Kind, user_control};
use super::{Session, State};

impl Session {
    /// Handles one complete message.
    pub(super) fn message(&mut self, message: Message, output: &mut Output) -> Result<(), Error> {
        match Kind::of(message.header.type_id) {
            Kind::SetChunkSize => self.reader.set_chunk_size(message::control_field(&message)?),
            Kind::Abort => self.reader.abort(message::control_field(&message)?),
            Kind::WindowAckSize => {
                // A window of zero would acknowledge every read.
                self.window = message::control_field(&message)?.max(1);
            }
            Kind::UserControl => self.user_control(&message.payload, output),
            Kind::Audio => self.media(MediaKind::Audio, message, output),
            Kind::Video => self.media(MediaKind::Video, message, output),
            Kind::Data => self.data(&message.payload, output),
            Kind::Aggregate => self.aggregate(message, output)?,
            Kind::Command => {
                let command = Command::decode(&message.payload, self.limits.amf0)?;
                self.command(message.header.stream_id, &command, output)?;
            }
            Kind::Acknowledgement | Kind::SetPeerBandwidth | Kind::Other => {}
        }
        Ok(())
    }

    fn user_control(&mut self, body: &[u8], output: &mut Output) {
        if let Some((user_control::PING_REQUEST, time)) = user_control::parse(body) {
            let pong = user_control::body(user_control::PING_RESPONSE, time);
            self.send_control(output, message::id::USER_CONTROL, &pong);
        }
    }

    /// Hands media on. The message stream is not compared with the published one: a connection publishes one
    /// stream at a time, and encoders that begin with a type 1 chunk never say which. Empty bodies say
    /// nothing and end here.
    fn media(&mut self, kind: MediaKind, message: Message, output: &mut Output) {
        if matches!(self.state, State::Publishing { .. }) && !message.payload.is_empty() {
            output.events.push(Event::Media(Media {
                kind,
                timestamp_ms: message.header.timestamp,
                data: message.payload,
            }));
        }
    }

    /// Unpacks an aggregate. Only media and data have a place in one; everything else is passed over, so
    /// that aggregates cannot nest.
    fn aggregate(&mut self, message: Message, output: &mut Output) -> Result<(), Error> {
        for (index, part) in Aggregate::new(message).enumerate() {
            if index >= self.limits.aggregate_parts {
                return Err(Error::TooManyAggregated { limit: self.limits.aggregate_parts });
            }
            match Kind::of(part.header.type_id) {
                Kind::Audio => self.media(MediaKind::Audio, part, output),
                Kind::Video => self.media(MediaKind::Video, part, output),
                Kind::Data if part.header.length <= self.limits.data_bytes => self.data(&part.payload, output),
                _ => {}
            }
        }
        Ok(())
    }

    /// Data messages only describe. One that cannot be decoded is passed over: the recording is worth more
    /// than its description.
    fn data(&mut self, body: &[u8], output: &mut Output) {
        if !matches!(self.state, State::Publishing { .. }) {
            return;
        }
        let mut values = Decoder::new(skip_amf3_prefix(body), self.limits.amf0);
        let mut next = || values.next_value().ok().flatten();
        let Some(Value::String(mut name)) = next() else {
            return;
        };
        if name == "@setDataFrame" {
            let Some(Value::String(inner)) = next() else {
                return;
            };
            name = inner;
        }
        if name == "onMetaData"
            && let Some(Value::Object(properties) | Value::EcmaArray(properties)) = next()
        {
            output.events.push(Event::Metadata(plain_values(properties)));
        }
    }
}

/// Keeps the plain values of a description.
fn plain_values(properties: Properties) -> Metadata {
    let plain = |value| match value {
        Value::Number(number) | Value::Date(number) => Some(MetadataValue::Number(number)),
        Value::Boolean(boolean) => Some(MetadataValue::Boolean(boolean)),
        Value::String(text) => Some(MetadataValue::Text(text)),
        _ => None,
    };
    let values = properties.into_iter().filter_map(|(name, value)| Some((name, plain(value)?)));
    Metadata { values: values.collect() }
}
