//! What the caller may say to a session: answers to a publish, the end of one, pings.

use super::super::amf0::Value;
use super::super::chunk::Bounds;
use super::super::command::{self, Level};
use super::super::error::{Error, Failure};
use super::super::event::Output;
use super::super::message::{id, user_control};
use super::{Session, State};

/// Why a publish is refused. The code goes to the encoder, which shows it or the description to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCode {
    /// `NetStream.Publish.BadName`: the name is in use or unknown.
    BadName,
    /// `NetStream.Publish.Denied`: the signature or the policy says no.
    Denied,
    /// `NetStream.Publish.Failed`: the server cannot take it now.
    Failed,
}

/// Why the server ends a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCode {
    /// `NetStream.Unpublish.Success`: as intended.
    Unpublished,
    /// `NetStream.Publish.Failed`: something went wrong, here or with the media.
    Failed,
}

impl Session {
    /// Accepts the pending publish and processes input that was held behind it: the output may carry media.
    ///
    /// # Errors
    /// [`Error::NoPublishPending`] if there is none, or what the held input leads to.
    pub fn accept_publish(&mut self) -> Result<Output, Failure> {
        self.guarded(|session, output| {
            let stream_id = session.pending()?;
            session.state = State::Publishing { stream_id };
            session.reader.set_bounds(Bounds {
                chunk_streams: session.limits.chunk_streams,
                message_bytes: session.limits.message_bytes,
                partial_bytes: session.limits.partial_bytes,
            });
            let begin = user_control::body(user_control::STREAM_BEGIN, stream_id);
            session.send_control(output, id::USER_CONTROL, &begin);
            session.status(stream_id, Level::Status, "NetStream.Publish.Start", "publishing", output);
            session.resume(output)
        })
    }

    /// Refuses the pending publish. The connection stays and may ask for another name; a caller that wants
    /// it closed sends the output first. The description is shown to strangers.
    ///
    /// # Errors
    /// [`Error::NoPublishPending`] if there is none, or what the held input leads to.
    pub fn refuse_publish(&mut self, code: RefusalCode, description: &str) -> Result<Output, Failure> {
        self.guarded(|session, output| {
            let stream_id = session.pending()?;
            session.state = State::Connecting;
            let code = match code {
                RefusalCode::BadName => "NetStream.Publish.BadName",
                RefusalCode::Denied => "NetStream.Publish.Denied",
                RefusalCode::Failed => "NetStream.Publish.Failed",
            };
            session.status(stream_id, Level::Error, code, description, output);
            session.resume(output)
        })
    }

    /// Ends the publish from the server's side and returns the bytes that say so; nothing if nothing is
    /// published. Media that still arrives is dropped; no [`Unpublished`](super::super::Event::Unpublished)
    /// event follows.
    pub fn end_publish(&mut self, code: EndCode, description: &str) -> Vec<u8> {
        let mut output = Output::default();
        if let State::Publishing { stream_id } = self.state {
            self.state = State::Idle;
            let (level, code) = match code {
                EndCode::Unpublished => (Level::Status, "NetStream.Unpublish.Success"),
                EndCode::Failed => (Level::Error, "NetStream.Publish.Failed"),
            };
            self.status(stream_id, level, code, description, &mut output);
        }
        output.send
    }

    /// A ping request (7.1.7). A live peer answers, which shows as input; nothing else depends on it.
    pub fn ping(&self, timestamp_ms: u32) -> Vec<u8> {
        let mut output = Output::default();
        if self.handshake.is_none() {
            let body = user_control::body(user_control::PING_REQUEST, timestamp_ms);
            self.send_control(&mut output, id::USER_CONTROL, &body);
        }
        output.send
    }

    /// A request to reconnect to the same address (enhanced RTMP, version 2), for a server that is about to
    /// go. `None` if the peer did not say that it understands one.
    pub fn reconnect_request(&self, description: &str) -> Option<Vec<u8>> {
        let connection = self.connection.as_ref()?;
        if !connection.enhanced.reconnect {
            return None;
        }
        let code = "NetConnection.Connect.ReconnectRequest";
        let arguments = [Value::Null, command::info(Level::Status, code, description, Vec::new())];
        let mut send = Vec::new();
        command::write(&self.writer, &mut send, 0, "onStatus", 0.0, &arguments);
        Some(send)
    }

    fn pending(&self) -> Result<u32, Error> {
        match self.state {
            State::PublishPending { stream_id } => Ok(stream_id),
            _ => Err(Error::NoPublishPending),
        }
    }

    /// Processes what was held while the answer was awaited.
    fn resume(&mut self, output: &mut Output) -> Result<(), Error> {
        let held = std::mem::take(&mut self.held);
        self.process(&held, output)?;
        self.acknowledge(output);
        Ok(())
    }
}
