//! The composed video's rendition out of its parts' renditions, without encoding a picture: HLS segments are placed one
//! after the other, MP4 files are joined by copying packets. It knows files and formats; which renditions go together
//! is [`super::reuse`]'s decision.

mod hls;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use reprise_media::flv::VideoCodec;
use reprise_media::fmp4::{SampleReader, TimedSample, read_tracks};
use reprise_media::timeline::TrackKind;
use reprise_media::track::Tracks;
use tokio_util::sync::CancellationToken;

use self::hls::{Listed, MAX_INIT_BYTES, Piece};
use crate::ffmpeg::error::{Failure, Reason};
use crate::ffmpeg::join::{JoinInput, JoinTracks, join_mp4};
use crate::ffmpeg::template::Container;
use crate::ffmpeg::tools::Tools;
use crate::ffmpeg::transcode::{OutputFacts, inspect};

/// Parts of one join. Each is named to the sandbox, whose whole order must fit one argument of a process.
pub const MOST_PARTS: usize = 400;

/// The longest index of an MP4 file that is read to compare headers; that of a day at 60 frames a second.
const MAX_MOOV_BYTES: u64 = 256 << 20;

/// One part's finished rendition.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The absolute path of its folder.
    pub folder: PathBuf,
    /// The file in it that a player opens.
    pub entry: String,
    /// All its bytes.
    pub bytes: u64,
    /// Where it lies on the joined timeline.
    pub times: PartTimes,
}

/// Where a part's rendition lies on the joined timeline, for either way of joining.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartTimes {
    /// From what is shown first of this part to what is shown first of the next.
    pub duration_ms: u64,
    /// Where its first picture is shown or, without pictures, its first sound is heard.
    pub anchor_ms: u64,
}

/// Joins `parts` in `work_dir`, as ffmpeg would have left an encode with this key.
///
/// # Errors
/// Why the parts cannot be joined; encoding the whole is right then, unless it was cancelled.
pub async fn join(
    tools: &Tools,
    work_dir: &Path,
    key: &str,
    container: Container,
    parts: Vec<Rendered>,
    cancel: &CancellationToken,
) -> Result<OutputFacts, Failure> {
    let is_hls = matches!(container, Container::Hls { .. });
    let (to, folder, looked_at) = (work_dir.to_owned(), key.to_owned(), parts.clone());
    let placed = tokio::task::spawn_blocking(move || {
        let tracks = common_tracks(&looked_at, is_hls)?;
        if is_hls {
            place(&looked_at, &to, &folder)?;
        }
        Ok(tracks)
    });
    let tracks = placed.await.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(failure)?;
    if is_hls {
        let entry = format!("{key}/index.m3u8");
        return inspect(tools, work_dir, Some(key), &entry, (tracks.video, tracks.audio), cancel).await;
    }
    let inputs: Vec<JoinInput> = parts
        .iter()
        .map(|part| JoinInput {
            path: part.folder.join(&part.entry),
            size_bytes: part.bytes,
            duration_ms: part.times.duration_ms,
        })
        .collect();
    join_mp4(tools, work_dir, &format!("{key}.mp4"), &inputs, tracks, cancel).await
}

/// Fragments of a part in which all its tracks have begun.
const FIRST_FRAGMENTS: usize = 16;

/// Where the first picture and the first sound of a part are shown, on its broadcast's timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstShown {
    /// The picture.
    pub picture_ms: Option<u64>,
    /// The sound.
    pub sound_ms: Option<u64>,
}

impl FirstShown {
    /// Whichever comes first. ffmpeg makes that the zero of everything it encodes from the part.
    pub fn first_ms(&self) -> u64 {
        self.picture_ms.into_iter().chain(self.sound_ms).min().unwrap_or(0)
    }

    /// The picture, or the sound of a part without pictures.
    pub fn anchor_ms(&self) -> u64 {
        self.picture_ms.or(self.sound_ms).unwrap_or(0)
    }
}

/// Looks what is shown first of a recorded part.
///
/// # Errors
/// When the part cannot be read.
pub fn first_shown(source: &Path) -> io::Result<FirstShown> {
    let (folder, name) = source.parent().zip(source.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
    let dir = Dir::open_ambient_dir(folder, ambient_authority())?;
    let mut samples = SampleReader::open(dir.open(name)?)?;
    let sound_rate = samples.tracks().audio.as_ref().map_or(0, |audio| u64::from(audio.sample_rate));
    let mut first = FirstShown::default();
    for _ in 0..FIRST_FRAGMENTS {
        let Some(fragment) = samples.next_fragment()? else { break };
        for TimedSample { track, sample, .. } in fragment {
            let shown = sample.start.saturating_add_signed(i64::from(sample.composition));
            match track {
                TrackKind::Video => first.picture_ms = first.picture_ms.or(Some(shown)),
                TrackKind::Audio => first.sound_ms = first.sound_ms.or((shown * 1000).checked_div(sound_rate)),
            }
        }
        if first.picture_ms.is_some() && first.sound_ms.is_some() {
            break;
        }
    }
    Ok(first)
}

fn place(parts: &[Rendered], work_dir: &Path, folder: &str) -> io::Result<()> {
    let pieces: Vec<Piece> = parts
        .iter()
        .map(|part| {
            let dir = Dir::open_ambient_dir(&part.folder, ambient_authority())?;
            Ok(Piece { dir, playlist: part.entry.clone(), anchor_ms: part.times.anchor_ms })
        })
        .collect::<io::Result<_>>()?;
    let work = Dir::open_ambient_dir(work_dir, ambient_authority())?;
    work.create_dir(folder)?;
    hls::join(&pieces, &work.open_dir(folder)?)
}

/// The tracks of all parts, whose codec headers must be the same byte for byte.
fn common_tracks(parts: &[Rendered], is_hls: bool) -> io::Result<JoinTracks> {
    let mut common: Option<Tracks> = None;
    for part in parts {
        let dir = Dir::open_ambient_dir(&part.folder, ambient_authority())?;
        let head = if is_hls {
            hls::read(&dir, &Listed::read(&dir, &part.entry)?.init, MAX_INIT_BYTES)?
        } else {
            head(&dir, &part.entry)?
        };
        let tracks = read_tracks(&head).map_err(io::Error::other)?;
        match &common {
            Some(common) if *common != tracks => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the parts' renditions differ in their headers",
                ));
            }
            Some(_) => {}
            None => common = Some(tracks),
        }
    }
    let tracks = common.ok_or(io::ErrorKind::InvalidInput)?;
    Ok(JoinTracks {
        video: tracks.video.is_some(),
        hevc: tracks.video.is_some_and(|video| video.codec == VideoCodec::Hevc),
        audio: tracks.audio.is_some(),
    })
}

/// An MP4 file up to the end of its index, which ours have in front.
fn head(dir: &Dir, name: &str) -> io::Result<Vec<u8>> {
    let mut file = dir.open(name)?;
    let mut head = Vec::new();
    loop {
        let mut start = [0; 8];
        file.read_exact(&mut start)?;
        let [a, b, c, d, kind @ ..] = start;
        let body = u64::from(u32::from_be_bytes([a, b, c, d])).checked_sub(8);
        let body = body.filter(|body| *body <= MAX_MOOV_BYTES).ok_or(io::ErrorKind::InvalidData)?;
        head.extend(start);
        if (&mut file).take(body).read_to_end(&mut head)? as u64 != body {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match &kind {
            b"moov" => return Ok(head),
            b"ftyp" => {}
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

fn failure(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::StorageFull => Reason::DiskFull.into(),
        io::ErrorKind::InvalidData => Reason::BadOutput { found: error.to_string() }.into(),
        _ => Reason::Host { detail: error.to_string() }.into(),
    }
}
