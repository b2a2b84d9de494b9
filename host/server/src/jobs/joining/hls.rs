//! One HLS rendition out of several: the first one's segments as they are, by link, the others' moved on the timeline.
//! Each keeps its own init segment and begins with a discontinuity, as players want it where sound overlaps.

use std::fmt::Write as _;
use std::io::{self, Read};

use cap_std::fs::Dir;
use reprise_media::fmp4::{TrackClock, clocks, retime};

/// The longest playlist that is read: a hundred thousand segments.
const MAX_PLAYLIST_BYTES: u64 = 16 << 20;

/// The longest init segment that is read; ffmpeg's have some kibibytes.
pub(super) const MAX_INIT_BYTES: u64 = 256 << 10;

/// The longest segment that is read: a minute at the highest bitrate that a template may ask for.
const MAX_SEGMENT_BYTES: u64 = 512 << 20;

/// The playlist's name, as ffmpeg is told to write it.
const PLAYLIST: &str = "index.m3u8";

/// One finished rendition.
#[derive(Debug)]
pub(super) struct Piece {
    /// Its folder.
    pub(super) dir: Dir,
    /// Its playlist's name there.
    pub(super) playlist: String,
    /// The time it takes on the joined timeline.
    pub(super) duration_ms: u64,
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
    let (mut start_ms, mut longest_s) = (0, 1);
    for (number, piece) in pieces.iter().enumerate() {
        let listed = Listed::read(&piece.dir, &piece.playlist)?;
        let prefix = format!("p{number:05}-");
        let init = format!("{prefix}{}", listed.init);
        piece.dir.hard_link(&listed.init, to, &init)?;
        let clocks = clocks(&read(&piece.dir, &listed.init, MAX_INIT_BYTES)?).map_err(io::Error::other)?;
        if number > 0 {
            body.push_str("#EXT-X-DISCONTINUITY\n");
        }
        // Writing to a string does not fail.
        let _ = writeln!(body, "#EXT-X-MAP:URI=\"{init}\"");
        for (segment, seconds) in &listed.segments {
            let name = format!("{prefix}{segment}");
            place(&piece.dir, segment, to, &name, &clocks, start_ms)?;
            let _ = writeln!(body, "#EXTINF:{seconds},\n{name}");
            longest_s = longest_s.max(seconds.parse::<f64>().map_or(0, |seconds| seconds.round() as u64));
        }
        start_ms += piece.duration_ms;
    }
    let head = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{longest_s}\n#EXT-X-MEDIA-SEQUENCE:0\n\
         #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    );
    to.write(PLAYLIST, format!("{head}{body}#EXT-X-ENDLIST\n"))
}

/// Puts a segment into `to`, `by_ms` later than it was.
fn place(from: &Dir, segment: &str, to: &Dir, name: &str, clocks: &[TrackClock], by_ms: u64) -> io::Result<()> {
    if by_ms == 0 {
        return from.hard_link(segment, to, name);
    }
    let mut bytes = read(from, segment, MAX_SEGMENT_BYTES)?;
    retime(&mut bytes, clocks, by_ms).map_err(io::Error::other)?;
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
