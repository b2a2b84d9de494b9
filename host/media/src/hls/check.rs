//! Reading media playlists back, for tests and for a last look at what is handed out.
//!
//! It checks what our own playlists promise, which is more than the format asks for: every segment is a byte range
//! of a file whose init segment is mapped, ranges of one file follow each other, and the list is complete.

use m3u8_rs::{MediaPlaylist, MediaPlaylistType};

use crate::fmp4::ByteRange;

/// A segment as the playlist gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedSegment {
    /// The file.
    pub uri: String,
    /// Its bytes in the file.
    pub range: ByteRange,
    /// The init segment that applies to it, in the same file.
    pub init: ByteRange,
    /// How long it plays, rounded to milliseconds.
    pub duration_ms: u64,
    /// Whether a discontinuity is marked before it.
    pub discontinuity: bool,
}

/// A playlist that kept all promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPlaylist {
    /// The segments in order.
    pub segments: Vec<CheckedSegment>,
    /// Whether every segment is declared to start with a keyframe.
    pub independent: bool,
}

impl CheckedPlaylist {
    /// Sum of the segments' durations.
    pub fn duration_ms(&self) -> u64 {
        self.segments.iter().map(|segment| segment.duration_ms).sum()
    }
}

/// A promise that a playlist breaks. Whoever wrote the playlist must act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// Not a media playlist at all.
    #[error("not a media playlist")]
    Syntax,
    /// The head of the playlist.
    #[error("playlist is not a complete version 7 VOD list")]
    Head,
    /// A segment without a byte range with an offset.
    #[error("segment {0} has no byte range")]
    Range(usize),
    /// A segment whose file has no mapped init segment.
    #[error("segment {0} has no init segment in its file")]
    Map(usize),
    /// A segment that does not follow the one before in the same file.
    #[error("segment {0} does not follow its predecessor")]
    Order(usize),
    /// A segment that is longer than the target duration.
    #[error("segment {0} is longer than the target duration")]
    Duration(usize),
}

/// Reads a media playlist and checks it.
pub fn check(text: &str) -> Result<CheckedPlaylist, CheckError> {
    let playlist = m3u8_rs::parse_media_playlist_res(text.as_bytes()).map_err(|_| CheckError::Syntax)?;
    let complete = playlist.end_list && playlist.playlist_type == Some(MediaPlaylistType::Vod);
    if playlist.version != Some(7) || !complete || playlist.segments.is_empty() {
        return Err(CheckError::Head);
    }
    let mut segments: Vec<CheckedSegment> = Vec::new();
    let mut map: Option<(String, ByteRange)> = None;
    for (index, segment) in playlist.segments.iter().enumerate() {
        if let Some(found) = &segment.map {
            let range = found.byte_range.as_ref().and_then(range).ok_or(CheckError::Map(index))?;
            map = Some((found.uri.clone(), range));
        }
        let init = match &map {
            Some((uri, range)) if *uri == segment.uri => *range,
            _ => return Err(CheckError::Map(index)),
        };
        let range = segment.byte_range.as_ref().and_then(range).ok_or(CheckError::Range(index))?;
        let floor = match segments.last() {
            Some(before) if before.uri == segment.uri => before.range.offset + before.range.len,
            _ => init.offset + init.len,
        };
        if range.offset < floor || range.len == 0 {
            return Err(CheckError::Order(index));
        }
        let duration_ms = (f64::from(segment.duration) * 1000.0).round() as u64;
        if duration_ms > playlist.target_duration * 1000 + 499 {
            return Err(CheckError::Duration(index));
        }
        segments.push(CheckedSegment {
            uri: segment.uri.clone(),
            range,
            init,
            duration_ms,
            discontinuity: segment.discontinuity,
        });
    }
    Ok(CheckedPlaylist { segments, independent: independent(&playlist) })
}

fn independent(playlist: &MediaPlaylist) -> bool {
    playlist.independent_segments
}

fn range(range: &m3u8_rs::ByteRange) -> Option<ByteRange> {
    Some(ByteRange { offset: range.offset?, len: range.length })
}
