//! RTMP from the server's side, for publishers: bytes in, bytes to send and events out.
//!
//! The protocol is a plain state machine. It knows no clock, no socket, no randomness and no tenant: the
//! caller feeds what arrived, sends what comes back, hangs its deadlines on [`Session::stage`] and answers
//! publish requests. Media travels through as raw message bodies; what is inside them is not looked at here.
//!
//! Every byte comes from a stranger. So nothing is reserved by a declared size or count, nesting and names
//! are bounded, every buffer has a limit in [`Limits`], and input that breaks a rule ends its own connection
//! with a typed [`Error`] and nothing else. Chapter numbers in the modules are those of Adobe's "Real-Time
//! Messaging Protocol (RTMP) specification", version 1.0.

// Whatever a stranger sends, nothing here may panic; tests may.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod amf0;
pub mod chunk;
pub mod command;
mod error;
mod event;
pub mod handshake;
mod limits;
pub mod message;
mod names;
mod session;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use error::{Error, Failure, NameError};
pub use event::{Connected, Event, Media, MediaKind, Metadata, MetadataValue, Output, PublishKind, PublishRequest};
pub use limits::Limits;
pub use session::{EndCode, RefusalCode, Session, SessionConfig, Stage};

#[cfg(test)]
mod tests;
