//! One connection, server side: from the handshake to the last message.
//!
//! This file holds the state and moves bytes; what commands mean is in `session/commands.rs`, what other
//! messages mean in `session/messages.rs`, and what the caller may say in `session/control.rs`.

mod commands;
mod control;
mod messages;

use super::chunk::{Bounds, Header, Intake, Reader, Writer};
use super::command::Enhanced;
use super::error::{Error, Failure};
use super::event::{Event, Output, PublishRequest};
use super::handshake::Handshake;
use super::limits::Limits;
use super::message::{self, Kind};

pub use control::{EndCode, RefusalCode};

/// Bytes after which the peer should acknowledge, and after which we do until the peer says otherwise.
const WINDOW_ACK_BYTES: u32 = 2_500_000;

/// Longest protocol control message that is read; the defined ones have at most ten bytes.
const CONTROL_BYTES: u32 = 64;

/// What a session needs to know.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Bounds of everything.
    pub limits: Limits,
    /// Any 32 bytes that differ between connections; they become the filler of the handshake.
    pub handshake_nonce: [u8; 32],
}

/// Where a connection stands. The caller hangs its deadlines on this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The handshake is not complete.
    Handshaking,
    /// Between the handshake and the first publish; also after a refused one.
    Connecting,
    /// A publish waits for the caller's answer. Input is held, not processed.
    PublishPending,
    /// Media flows.
    Publishing,
    /// A publish has ended. Another one may follow.
    Idle,
}

/// One connection, server side.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    handshake: Option<Handshake>,
    reader: Reader,
    writer: Writer,
    connection: Option<Connection>,
    state: State,
    /// Input behind a publish request that has not been answered.
    held: Vec<u8>,
    /// The last message stream given out.
    last_stream_id: u32,
    /// Bytes received, and how many of them were acknowledged. Both wrap at 32 bits as the protocol's do.
    received: u32,
    acknowledged: u32,
    window: u32,
    failed: bool,
}

/// What `connect` left behind.
#[derive(Debug)]
struct Connection {
    app: String,
    app_query: Secret,
    tc_url: String,
    tc_url_query: Secret,
    enhanced: Enhanced,
}

/// Text that debug output must not show: queries carry keys.
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    PublishPending { stream_id: u32 },
    Publishing { stream_id: u32 },
    Idle,
}

impl Session {
    /// A session on a fresh connection.
    pub fn new(config: SessionConfig) -> Self {
        let SessionConfig { limits, handshake_nonce } = config;
        Self {
            limits,
            handshake: Some(Handshake::new(handshake_nonce)),
            reader: Reader::new(Bounds {
                chunk_streams: limits.chunk_streams_before_publish,
                message_bytes: limits.message_bytes,
                partial_bytes: limits.before_publish_bytes,
            }),
            writer: Writer::new(),
            connection: None,
            state: State::Connecting,
            held: Vec::new(),
            last_stream_id: 0,
            received: 0,
            acknowledged: 0,
            window: WINDOW_ACK_BYTES,
            failed: false,
        }
    }

    /// Feeds bytes as they came; returns bytes to send and the events seen, in order. How the input is
    /// divided into calls makes no difference.
    ///
    /// While a publish is pending, input is held up to [`Limits::before_publish_bytes`] and processed by the
    /// answer; a caller that can stop reading meanwhile should.
    ///
    /// # Errors
    /// A [`Failure`] ends the connection. It carries what this call produced before the error, so that no
    /// media is lost and a last status can still be sent.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Output, Failure> {
        self.guarded(|session, output| session.feed(bytes, output))
    }

    /// Where the connection stands.
    pub fn stage(&self) -> Stage {
        if self.handshake.is_some() {
            return Stage::Handshaking;
        }
        match self.state {
            State::Connecting => Stage::Connecting,
            State::PublishPending { .. } => Stage::PublishPending,
            State::Publishing { .. } => Stage::Publishing,
            State::Idle => Stage::Idle,
        }
    }

    /// Bytes of input kept for this connection: of the handshake, of unfinished messages, and held.
    pub fn buffered_bytes(&self) -> usize {
        let handshake = self.handshake.as_ref().map_or(0, Handshake::buffered_bytes);
        handshake + self.reader.buffered_bytes() + self.held.len()
    }

    /// Runs one step; after an error the session takes no more.
    fn guarded(&mut self, step: impl FnOnce(&mut Self, &mut Output) -> Result<(), Error>) -> Result<Output, Failure> {
        let mut output = Output::default();
        let result = if self.failed { Err(Error::Ended) } else { step(self, &mut output) };
        match result {
            Ok(()) => Ok(output),
            Err(error) => {
                self.failed = true;
                Err(Failure { error, output })
            }
        }
    }

    fn feed(&mut self, bytes: &[u8], output: &mut Output) -> Result<(), Error> {
        // Only the low 32 bits count.
        self.received = self.received.wrapping_add(bytes.len() as u32);
        if matches!(self.state, State::PublishPending { .. }) {
            return self.hold(bytes);
        }
        let mut input = bytes;
        if let Some(handshake) = &mut self.handshake {
            if !handshake.receive(&mut input, &mut output.send)? {
                return Ok(());
            }
            self.handshake = None;
        }
        self.process(input, output)?;
        self.acknowledge(output);
        Ok(())
    }

    /// Processes chunk stream bytes until they are used up or a publish waits for its answer.
    fn process(&mut self, mut input: &[u8], output: &mut Output) -> Result<(), Error> {
        loop {
            let admission =
                Admission { limits: self.limits, publishing: matches!(self.state, State::Publishing { .. }) };
            let Some(message) = self.reader.next_message(&mut input, |header| admission.decide(header))? else {
                return Ok(());
            };
            self.message(message, output)?;
            if output.send.len() > self.limits.reply_bytes {
                return Err(Error::TooManyReplies { limit: self.limits.reply_bytes });
            }
            if matches!(self.state, State::PublishPending { .. }) {
                return self.hold(input);
            }
        }
    }

    /// Keeps input for later. Held input counts beside unfinished messages, but is never more than a
    /// stranger's share, even on a connection that has published before.
    fn hold(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let held = self.held.len() + bytes.len();
        let unfinished = self.reader.buffered_bytes();
        for (bytes, limit) in
            [(held, self.limits.before_publish_bytes), (held + unfinished, self.reader.bounds().partial_bytes)]
        {
            if bytes > limit {
                return Err(Error::TooMuchBuffered { limit });
            }
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// Acknowledges once a window's worth has been received (5.4.3).
    fn acknowledge(&mut self, output: &mut Output) {
        if self.received.wrapping_sub(self.acknowledged) >= self.window {
            self.acknowledged = self.received;
            self.send_control(output, message::id::ACKNOWLEDGEMENT, &self.received.to_be_bytes());
        }
    }

    /// Appends a protocol control message, which always travels on chunk stream 2.
    fn send_control(&self, output: &mut Output, type_id: u8, body: &[u8]) {
        self.writer.write(&mut output.send, 2, type_id, 0, body);
    }

    /// Ends the publish if there is one.
    fn unpublish(&mut self, output: &mut Output) {
        if let State::Publishing { .. } = self.state {
            self.state = State::Idle;
            output.events.push(Event::Unpublished);
        }
    }

    fn request_publish(&mut self, stream_id: u32, request: PublishRequest, output: &mut Output) {
        self.state = State::PublishPending { stream_id };
        output.events.push(Event::PublishRequested(Box::new(request)));
    }
}

/// Decides at the start of a message whether its body is wanted, so that unwanted bytes are never kept.
#[derive(Clone, Copy)]
struct Admission {
    limits: Limits,
    publishing: bool,
}

impl Admission {
    fn decide(self, header: &Header) -> Result<Intake, Error> {
        let wanted = match Kind::of(header.type_id) {
            Kind::Command => {
                let limit = self.limits.command_bytes;
                if header.length > limit {
                    let Header { type_id, length, .. } = *header;
                    return Err(Error::MessageTooLong { type_id, length, limit });
                }
                true
            }
            Kind::SetChunkSize | Kind::Abort | Kind::UserControl | Kind::WindowAckSize => {
                header.length <= CONTROL_BYTES
            }
            Kind::Audio | Kind::Video | Kind::Aggregate => self.publishing,
            Kind::Data => self.publishing && header.length <= self.limits.data_bytes,
            Kind::Acknowledgement | Kind::SetPeerBandwidth | Kind::Other => false,
        };
        Ok(if wanted { Intake::Keep } else { Intake::Skip })
    }
}
