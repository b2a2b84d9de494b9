//! What ends a connection. Unless a variant says otherwise the peer broke a rule and the peer must mend it;
//! the server has nothing to do but close.

use super::amf0;
use super::event::Output;

/// Why a session cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first byte was not an RTMP version that is spoken here (often another protocol altogether).
    #[error("peer asked for rtmp version {0}, only version 3 is spoken")]
    UnsupportedVersion(u8),
    /// A chunk refers to a previous header that was never sent.
    #[error("chunk stream {chunk_stream} refers to a header that was never sent")]
    NoPriorHeader {
        /// The chunk stream's number.
        chunk_stream: u32,
    },
    /// More chunk streams than the stage allows.
    #[error("more than {limit} chunk streams")]
    TooManyChunkStreams {
        /// The bound that was met.
        limit: usize,
    },
    /// A message declares a length that is not accepted for its type.
    #[error("message of type {type_id} declares {length} bytes, {limit} are accepted")]
    MessageTooLong {
        /// The message's type.
        type_id: u8,
        /// The declared length.
        length: u32,
        /// The bound that was met.
        limit: u32,
    },
    /// The length or type of a message changed while it was being sent.
    #[error("header changed in the middle of a message on chunk stream {chunk_stream}")]
    HeaderChanged {
        /// The chunk stream's number.
        chunk_stream: u32,
    },
    /// Unfinished messages and held input together exceed what the stage allows.
    #[error("more than {limit} bytes wait to be processed")]
    TooMuchBuffered {
        /// The bound that was met.
        limit: usize,
    },
    /// A protocol control message is shorter than its only field.
    #[error("control message of type {type_id} is too short")]
    ControlTooShort {
        /// The message's type.
        type_id: u8,
    },
    /// A command's AMF0 body cannot be decoded.
    #[error("command body: {0}")]
    Amf0(#[from] amf0::Error),
    /// A command lacks what it must carry.
    #[error("malformed command: {0}")]
    MalformedCommand(&'static str),
    /// A command came before `connect`.
    #[error("command before connect")]
    NotConnected,
    /// The application name of `connect` is not acceptable; the answer in the output says so too.
    #[error("application name: {0}")]
    BadApp(NameError),
    /// An aggregate message carries too many messages.
    #[error("more than {limit} messages in one aggregate")]
    TooManyAggregated {
        /// The bound that was met.
        limit: usize,
    },
    /// The peer asks faster than it could read the answers.
    #[error("more than {limit} bytes of answers at once")]
    TooManyReplies {
        /// The bound that was met.
        limit: usize,
    },
    /// The session failed earlier and takes no more input. The caller must drop it.
    #[error("session has already failed")]
    Ended,
    /// The caller answered a publish request that does not exist. The caller must be mended.
    #[error("no publish request is pending")]
    NoPublishPending,
}

/// Why an application or stream name is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is left before the query.
    #[error("name is empty")]
    Empty,
    /// Longer than 255 bytes.
    #[error("name is longer than 255 bytes")]
    TooLong,
    /// A character outside the allow list: letters and digits of any script, and `-_.~@:+=,!$*()`.
    #[error("name has a character that is not allowed")]
    Character,
    /// Made of dots only.
    #[error("name is made of dots")]
    Dots,
    /// More query pairs than the limit.
    #[error("query has too many arguments")]
    TooManyArguments,
    /// A query key longer than 255 bytes.
    #[error("query has an argument with a very long name")]
    ArgumentName,
}

/// An [`Error`] together with what the call produced before it met the error.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// What ended the session.
    #[source]
    pub error: Error,
    /// Events seen before the error, in order, and bytes that should still be sent before closing.
    pub output: Output,
}
