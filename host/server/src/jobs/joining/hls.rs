//! One HLS rendition out of several: the first one's segments as they are, by link, the others' moved on the timeline
//! and made segments of the first one's init segment. Each begins with a discontinuity, as players want it where sound
//! overlaps. One init segment for all because there are players that read one only, and edit lists differ.

use std::fmt::Write as _;
use std::io::{self, Cursor, Read};

use cap_std::fs::Dir;
use reprise_media::fmp4::{SampleReader, TimedSample, TrackClock, clocks, retime};
use reprise_media::timeline::TrackKind;

/// The longest playlist that is read: a hundred thousand segments.
const MAX_PLAYLIST_BYTES: u64 = 16 << 20;

/// The longest init segment that is read; ffmpeg's have some kibibytes.
pub(super) const MAX_INIT_BYTES: u64 = 256 << 10;

/// The longest segment that is read: a minute at the highest bitrate that a template may ask for.
const MAX_SEGMENT_BYTES: u64 = 512 << 20;

/// The playlist's name, as ffmpeg is told to write it.
const PLAYLIST: &str = "index.m3u8";

/// The init segment's name.
const INIT: &str = "init.mp4";

/// One finished rendition.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its folder.
    pub(super) dir: Dir,
    /// Its playlist's name there.
    pub(super) playlist: String,
    /// Where its first picture or, without pictures, its first sound lies on the joined timeline.
    pub(super) anchor_ms: u64,
}

/// A media playlist, as far as it matters here. The playlists are ffmpeg's, written on our order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) init: String,
    /// Names with the text of their length in seconds.
    segments: Vec<(String, String)>,
}

/// Joins `pieces` in the folder `to`.
///
/// # Errors
/// When a file cannot be read, written or moved on the timeline.
pub(super) fn join(pieces: &[Piece], to: &Dir) -> io::Result<()> {
    let mut body = String::new();
    let mut longest_s = 1;
    let mut first: Option<First> = None;
    for (number, piece) in pieces.iter().enumerate() {
        let listed = Listed::read(&piece.dir, &piece.playlist)?;
        let init = read(&piece.dir, &listed.init, MAX_INIT_BYTES)?;
        let clocks = clocks(&init).map_err(io::Error::other)?;
        // ffmpeg moves each playlist so that nothing in it is decoded before zero; the picture tells by how much.
        let shown_ms = first_shown_ms(piece, &listed, init, &clocks)?;
        // Writing to a string does not fail.
        if first.is_none() {
            piece.dir.hard_link(&listed.init, to, INIT)?;
            let _ = writeln!(body, "#EXT-X-MAP:URI=\"{INIT}\"");
        } else {
            body.push_str("#EXT-X-DISCONTINUITY\n");
        }
        for (segment, seconds) in &listed.segments {
            let name = format!("p{number:05}-{segment}");
            match &first {
                None => piece.dir.hard_link(segment, to, &name)?,
                Some(first) => {
                    let by_ms = first.shown_ms + signed(piece.anchor_ms) - signed(first.anchor_ms) - shown_ms;
                    let by_ms = u64::try_from(by_ms).map_err(io::Error::other)?;
                    place(piece, segment, to, &name, (&clocks, &first.clocks), by_ms)?;
                }
            }
            let _ = writeln!(body, "#EXTINF:{seconds},\n{name}");
            longest_s = longest_s.max(seconds.parse::<f64>().map_or(0, |seconds| seconds.round() as u64));
        }
        first.get_or_insert(First { clocks, shown_ms, anchor_ms: piece.anchor_ms });
    }
    let head = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{longest_s}\n#EXT-X-MEDIA-SEQUENCE:0\n\
         #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    );
    to.write(PLAYLIST, format!("{head}{body}#EXT-X-ENDLIST\n"))
}

/// The rendition that all others are joined to.
struct First {
    clocks: Vec<TrackClock>,
    /// When its first picture is shown.
    shown_ms: i64,
    anchor_ms: u64,
}

/// When the first picture of a rendition is shown or, without pictures, its first sound is heard.
fn first_shown_ms(piece: &Piece, listed: &Listed, init: Vec<u8>, clocks: &[TrackClock]) -> io::Result<i64> {
    let nothing = || io::Error::new(io::ErrorKind::InvalidData, "a rendition begins with nothing");
    let (segment, _) = listed.segments.first().ok_or_else(nothing)?;
    let bytes = [init, read(&piece.dir, segment, MAX_SEGMENT_BYTES)?].concat();
    let samples = SampleReader::open(Cursor::new(bytes))?.next_fragment()?.unwrap_or_default();
    let anchor = if clocks.iter().any(|clock| clock.picture) { TrackKind::Video } else { TrackKind::Audio };
    let clock = clocks.iter().find(|clock| clock.picture == (anchor == TrackKind::Video)).ok_or_else(nothing)?;
    let TimedSample { sample, .. } = samples.into_iter().find(|sample| sample.track == anchor).ok_or_else(nothing)?;
    let shown = sample.start.saturating_add_signed(i64::from(sample.composition));
    let shown_ms = match anchor {
        TrackKind::Video => signed(shown),
        TrackKind::Audio => signed(shown) * 1000 / i64::from(clock.timescale.max(1)),
    };
    Ok(shown_ms + clock.edit * 1000 / i64::from(clock.timescale.max(1)))
}

/// Times are those of a day or a year; none comes near the limit.
fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX / 4)
}

/// Puts a segment into `to`, `by_ms` later than it was, from its own clocks to those of the first.
fn place(
    from: &Piece,
    segment: &str,
    to: &Dir,
    name: &str,
    (own, like): (&[TrackClock], &[TrackClock]),
    by_ms: u64,
) -> io::Result<()> {
    let mut bytes = read(&from.dir, segment, MAX_SEGMENT_BYTES)?;
    retime(&mut bytes, own, like, by_ms).map_err(io::Error::other)?;
    to.write(name, bytes)
}

impl Listed {
    /// Reads the playlist `name` in `dir`.
    pub(super) fn read(dir: &Dir, name: &str) -> io::Result<Self> {
        let text = String::from_utf8(read(dir, name, MAX_PLAYLIST_BYTES)?).map_err(io::Error::other)?;
        Self::parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a playlist of ours"))
    }

    fn parse(text: &str) -> Option<Self> {
        let (mut init, mut seconds, mut segments) = (None, None, Vec::new());
        for line in text.lines() {
            if let Some(length) = line.strip_prefix("#EXTINF:") {
                let length = length.split(',').next().unwrap_or_default();
                length.parse::<f64>().ok().filter(|length| length.is_finite())?;
                seconds = Some(length.to_owned());
            } else if let Some(uri) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
                // A second one is a joined rendition, which is not joined again.
                if init.replace(uri.strip_suffix('"').filter(|name| is_plain(name))?.to_owned()).is_some() {
                    return None;
                }
            } else if !line.starts_with('#') && !line.is_empty() {
                segments.push((Some(line).filter(|name| is_plain(name))?.to_owned(), seconds.take()?));
            }
        }
        Some(Self { init: init?, segments }).filter(|listed| !listed.segments.is_empty())
    }
}

/// A name in the playlist's own folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// A whole file of at most `most` bytes.
pub(super) fn read(dir: &Dir, name: &str, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    dir.open(name)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other("longer than any file we write"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"init.mp4\"\n\
                        #EXTINF:2.000000,\nseg-00000.m4s\n#EXTINF:1.500000,\nseg-00001.m4s\n#EXT-X-ENDLIST\n";

    #[test]
    fn our_own_playlists_are_read_and_no_others() {
        let listed = Listed::parse(OURS).unwrap();
        assert_eq!(listed.init, "init.mp4");
        assert_eq!(listed.segments[1], ("seg-00001.m4s".to_owned(), "1.500000".to_owned()));
        for other in [
            "",
            "#EXTM3U\n",
            &OURS.replace("init.mp4", "../init.mp4"),
            &OURS.replace("seg-00001.m4s", "/etc/passwd"),
            &OURS.replace("#EXTINF:1.500000,\n", ""),
            &OURS.replace("1.500000", "NaN"),
            &OURS.replace("#EXT-X-ENDLIST", "#EXT-X-MAP:URI=\"b.mp4\""),
        ] {
            assert_eq!(Listed::parse(other), None, "{other}");
        }
    }
}
