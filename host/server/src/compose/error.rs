//! Why something was not composed.

use std::io;

use reprise_lifecycle::id::VideoId;

use super::MAX_PIECES;
use crate::ffmpeg::error::{Failure, Fault};
use crate::jobs::queue::NoSlot;
use crate::jobs::schedule::Full;

/// A video that was not composed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More pieces than [`MAX_PIECES`].
    #[error("{0} pieces; at most {MAX_PIECES} are composed")]
    TooManyPieces(usize),
    /// No piece holds any media.
    #[error("nothing to compose: no piece holds media")]
    Empty,
    /// A part is not there any more.
    #[error("part {0} is not there any more")]
    PartGone(VideoId),
    /// A part, or what an encoder made of it, is not what it should be.
    #[error("media cannot be composed: {0}")]
    Media(String),
    /// An encoder failed.
    #[error("{0}")]
    Encoder(#[from] Failure),
    /// Too much work waits for an encoder.
    #[error("{0}")]
    Busy(Full),
    /// The disk failed, or is full.
    #[error("the disk refused: {0}")]
    Disk(#[source] io::Error),
    /// It was asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// Who must act for another attempt to end otherwise.
    pub fn fault(&self) -> Fault {
        match self {
            Self::TooManyPieces(_) | Self::Empty | Self::PartGone(_) | Self::Media(_) => Fault::Job,
            Self::Encoder(failure) => failure.reason.fault(),
            Self::Busy(_) | Self::Disk(_) => Fault::Host,
            Self::Cancelled => Fault::Cancelled,
        }
    }
}

impl From<NoSlot> for Error {
    fn from(none: NoSlot) -> Self {
        match none {
            NoSlot::Cancelled => Self::Cancelled,
            NoSlot::Full(full) => Self::Busy(full),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // What our own readers say of bytes that are not as they were written.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Media(error.to_string()),
            _ => Self::Disk(error),
        }
    }
}
