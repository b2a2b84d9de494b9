//! Media bytes in, values out.
//!
//! This crate turns what an encoder sends into fragmented MP4 that plays at once, survives being cut at any
//! byte, and joins with its neighbours without being rewritten. In reading order:
//!
//! - [`rtmp`] turns a publisher's connection into messages, and answers it;
//! - [`flv`] reads one audio or video message of a publisher;
//! - [`track`] says what a codec header means (size, rate, profile);
//! - [`timeline`] makes one continuous clock out of 32-bit timestamps that wrap, jump and stumble;
//! - [`fmp4`] writes and reads back init segments, fragments and their checksummed trailers;
//! - [`part`] is the state machine over all of them: media in, "open, append, close" out;
//! - [`compose`] joins stretches of parts into one file without encoding;
//! - [`hls`] describes recorded parts as playlists of byte ranges;
//! - [`signature`] reads MPEG-7 video signatures and finds what two videos have in common.
//!
//! What is absent on purpose: a clock, sockets, files, threads, async, tenants. Every length that a stranger
//! declares is checked against the bytes that are there before anything is reserved, and no input makes the
//! crate panic. Media that the crate cannot record is a value that says so, because whoever holds the
//! connection has to refuse the publisher.

pub mod compose;
pub mod flv;
pub mod fmp4;
pub mod hls;
pub mod part;
pub mod rtmp;
pub mod signature;
pub mod timeline;
pub mod track;

mod bits;
mod cursor;
