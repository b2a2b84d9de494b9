//! Writing playlists.
//!
//! A segment is a run of fragments that starts at a keyframe. Parts with the same codec configuration follow each
//! other on one timeline; where the configuration changes or time does not go on, a discontinuity is marked.

use m3u8_rs::{
    ByteRange as M3u8Range, ExtTag, Map, MasterPlaylist, MediaPlaylist, MediaPlaylistType, MediaSegment, Resolution,
    VariantStream,
};

use crate::fmp4::{ByteRange, FragmentEntry};
use crate::track::Tracks;

/// The duration at which a segment ends at the next keyframe. Short enough to start quickly and to seek well, long
/// enough that a request is worth its overhead.
pub const DEFAULT_TARGET_MS: u64 = 4_000;

/// Parts whose times differ from a seamless join by more than this get a discontinuity. Audio and video of one
/// broadcast end a few frames apart, which is not one.
const MAX_SEAM_MS: u64 = 1_000;

const VERSION: usize = 7;

/// One part file, as a playlist needs it.
#[derive(Debug, Clone, Copy)]
pub struct PlaylistPart<'a> {
    /// The file's URI, absolute or relative to the playlist.
    pub uri: &'a str,
    /// Where `ftyp` and `moov` are in the file.
    pub init: ByteRange,
    /// The file's tracks.
    pub tracks: &'a Tracks,
    /// The fragments to play, in order.
    pub fragments: &'a [FragmentEntry],
}

/// How a media playlist is written.
#[derive(Clone, Copy)]
pub struct PlaylistOptions<'a> {
    /// The duration at which a segment ends at the next keyframe.
    pub target_ms: u64,
    /// What to append to each URI, given the URI.
    pub uri_suffix: Option<&'a dyn Fn(&str) -> String>,
}

impl Default for PlaylistOptions<'_> {
    fn default() -> Self {
        Self { target_ms: DEFAULT_TARGET_MS, uri_suffix: None }
    }
}

/// A playlist could not be written. The caller gave something that has no place in one.
#[derive(Debug, thiserror::Error)]
pub enum PlaylistError {
    /// A URI with a quote, a space or a control character would break out of its line.
    #[error("uri cannot be written in a playlist: {0:?}")]
    Uri(String),
    /// A playlist needs at least one segment or variant.
    #[error("nothing to play")]
    Empty,
    /// The writer refused.
    #[error("playlist cannot be written")]
    Write(#[from] std::io::Error),
    /// What was written is not text.
    #[error("playlist is not valid text")]
    Text(#[from] std::string::FromUtf8Error),
}

/// A run of fragments that is fetched at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its bytes in the part file.
    pub range: ByteRange,
    /// Its first decode time, in milliseconds of the broadcast.
    pub first_ms: u64,
    /// How long it plays.
    pub duration_ms: u64,
    /// Whether it starts with a keyframe.
    pub independent: bool,
}

/// Groups the fragments of one part into segments.
pub fn segments(fragments: &[FragmentEntry], target_ms: u64) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut end_ms = 0;
    for entry in fragments {
        end_ms = entry.end_ms().max(end_ms);
        match segments.last_mut() {
            // Keyframe or not, bytes must be contiguous to be one segment.
            Some(open)
                if !(entry.keyframe && entry.first_ms.saturating_sub(open.first_ms) >= target_ms)
                    && open.range.offset + open.range.len == entry.offset =>
            {
                open.range.len += u64::from(entry.total_size);
            }
            _ => segments.push(Segment {
                range: ByteRange { offset: entry.offset, len: u64::from(entry.total_size) },
                first_ms: entry.first_ms,
                duration_ms: 0,
                independent: entry.keyframe,
            }),
        }
    }
    // A segment lasts until the next begins: on a continuous timeline the sum is then exact.
    let nexts: Vec<u64> = segments.iter().skip(1).map(|next| next.first_ms).chain([end_ms]).collect();
    for (segment, next) in segments.iter_mut().zip(nexts) {
        segment.duration_ms = next.saturating_sub(segment.first_ms).max(1);
    }
    segments
}

/// Writes the playlist of recorded parts, in order.
pub fn media_playlist(parts: &[PlaylistPart<'_>], options: &PlaylistOptions<'_>) -> Result<String, PlaylistError> {
    let mut playlist = MediaPlaylist {
        version: Some(VERSION),
        independent_segments: true,
        end_list: true,
        playlist_type: Some(MediaPlaylistType::Vod),
        ..MediaPlaylist::default()
    };
    let mut before: Option<(&Tracks, u64)> = None;
    let mut longest_ms = 0;
    for part in parts {
        let uri = written_uri(part.uri, options)?;
        for (index, segment) in segments(part.fragments, options.target_ms).iter().enumerate() {
            let mut written = media_segment(&uri, segment);
            if index == 0 {
                written.discontinuity = before.is_some_and(|(tracks, end_ms)| {
                    tracks != part.tracks || end_ms.abs_diff(segment.first_ms) > MAX_SEAM_MS
                });
                written.unknown_tags.push(map_tag(&uri, part.init)?);
            }
            playlist.independent_segments &= segment.independent;
            longest_ms = longest_ms.max(segment.duration_ms);
            before = Some((part.tracks, segment.first_ms + segment.duration_ms));
            playlist.segments.push(written);
        }
    }
    if playlist.segments.is_empty() {
        return Err(PlaylistError::Empty);
    }
    // No segment may round to more than this (section 4.3.3.1).
    playlist.target_duration = longest_ms.div_ceil(1000);
    let mut out = Vec::new();
    playlist.write_to(&mut out)?;
    Ok(String::from_utf8(out)?)
}

fn media_segment(uri: &str, segment: &Segment) -> MediaSegment {
    MediaSegment {
        uri: uri.to_owned(),
        duration: segment.duration_ms as f32 / 1000.0,
        byte_range: Some(M3u8Range { length: segment.range.len, offset: Some(segment.range.offset) }),
        ..MediaSegment::default()
    }
}

/// `EXT-X-MAP` as a free tag: the writer puts its own map before the discontinuity, and players that count
/// discontinuities then take the new init segment for one of the old run.
fn map_tag(uri: &str, init: ByteRange) -> Result<ExtTag, PlaylistError> {
    let map = Map {
        uri: uri.to_owned(),
        byte_range: Some(M3u8Range { length: init.len, offset: Some(init.offset) }),
        ..Map::default()
    };
    let mut attributes = Vec::new();
    map.write_attributes_to(&mut attributes)?;
    Ok(ExtTag { tag: "X-MAP".to_owned(), rest: Some(String::from_utf8(attributes)?) })
}

fn written_uri(uri: &str, options: &PlaylistOptions<'_>) -> Result<String, PlaylistError> {
    let suffix = options.uri_suffix.map(|suffix| suffix(uri)).unwrap_or_default();
    checked_uri(format!("{uri}{suffix}"))
}

fn checked_uri(uri: String) -> Result<String, PlaylistError> {
    let breaks = |c: char| c.is_control() || c.is_whitespace() || c == '"';
    if uri.is_empty() || uri.starts_with('#') || uri.contains(breaks) {
        return Err(PlaylistError::Uri(uri));
    }
    Ok(uri)
}

/// Bits per second of a playlist, as a master playlist declares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bandwidth {
    /// Of the densest segment.
    pub peak: u64,
    /// Over all segments.
    pub average: u64,
}

/// Measures the bandwidth of a media playlist with these parts.
pub fn bandwidth(parts: &[PlaylistPart<'_>], target_ms: u64) -> Bandwidth {
    let rate = |bytes: u64, ms: u64| bytes.saturating_mul(8_000) / ms.max(1);
    let (mut bytes, mut duration_ms, mut peak) = (0, 0, 0);
    for segment in parts.iter().flat_map(|part| segments(part.fragments, target_ms)) {
        peak = peak.max(rate(segment.range.len, segment.duration_ms));
        bytes += segment.range.len;
        duration_ms += segment.duration_ms;
    }
    Bandwidth { peak, average: rate(bytes, duration_ms) }
}

/// One entry of a master playlist.
#[derive(Debug, Clone, Copy)]
pub struct Variant<'a> {
    /// URI of the media playlist.
    pub uri: &'a str,
    /// What it plays, for codecs and resolution.
    pub tracks: &'a Tracks,
    /// Its bandwidth.
    pub bandwidth: Bandwidth,
    /// Frames per second; the codec header's own if this is `None`.
    pub fps: Option<f64>,
}

/// Writes a master playlist.
pub fn master_playlist(variants: &[Variant<'_>]) -> Result<String, PlaylistError> {
    if variants.is_empty() {
        return Err(PlaylistError::Empty);
    }
    let mut playlist = MasterPlaylist { version: Some(VERSION), ..MasterPlaylist::default() };
    for variant in variants {
        let video = variant.tracks.video.as_ref();
        let fps = variant.fps.or(video.and_then(|video| video.fps)).filter(|_| video.is_some());
        let codecs = variant.tracks.codecs();
        playlist.variants.push(VariantStream {
            uri: checked_uri(variant.uri.to_owned())?,
            // The attribute is required and must be positive.
            bandwidth: variant.bandwidth.peak.max(1),
            average_bandwidth: (variant.bandwidth.average > 0).then_some(variant.bandwidth.average),
            codecs: (!codecs.is_empty()).then_some(codecs),
            resolution: video.map(|video| Resolution { width: video.width.into(), height: video.height.into() }),
            // Three decimals, as section 4.3.4.2 asks.
            frame_rate: fps.map(|fps| (fps * 1000.0).round() / 1000.0),
            ..VariantStream::default()
        });
    }
    let mut out = Vec::new();
    playlist.write_to(&mut out)?;
    Ok(String::from_utf8(out)?)
}

#[cfg(test)]
mod tests;
