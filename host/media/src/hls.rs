//! Playlists over recorded parts (RFC 8216, HLS protocol version 7 for byte ranges in fragmented MP4).
//!
//! A playlist points into the part files themselves: nothing is rewritten to make a recording playable. Where the
//! files are and who may read them is the caller's; URIs come in and are written as they are, with a suffix (a
//! signature, say) if one is given.

pub mod check;
pub mod playlist;

pub use playlist::{
    Bandwidth, PlaylistError, PlaylistOptions, PlaylistPart, Segment, Variant, bandwidth, master_playlist,
    media_playlist, segments,
};
