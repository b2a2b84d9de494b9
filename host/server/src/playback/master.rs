//! The master playlist over a video's HLS renditions. What it says of each (codecs, size, bandwidth) is read from the
//! files themselves, once: a finished rendition never changes.

use std::io::{self, Read};
use std::sync::Arc;

use cap_std::fs::Dir;
use reprise_lifecycle::id::VideoId;
use reprise_media::fmp4::read_tracks;
use reprise_media::hls::{Bandwidth, Variant, master_playlist};
use reprise_media::track::Tracks;

use super::Playback;
use super::auth::Viewing;
use super::error::Refusal;
use super::file::off_thread;
use super::names::is_name;
use super::playlist::segments;
use crate::compose::part::MAX_INIT_BYTES;
use crate::files::Files;

/// The longest rendition playlist that is read: a hundred thousand segments.
pub(super) const MAX_PLAYLIST_BYTES: u64 = 16 * 1024 * 1024;

/// Renditions that a master playlist names, the newest: two full groups. A video that was transcoded again and again by
/// hand has hundreds, and every one is read for every viewer who asks.
const MAX_VARIANTS: usize = 40;

/// One rendition as a master playlist describes it.
#[derive(Debug)]
pub(super) struct Rendition {
    tracks: Tracks,
    bandwidth: Bandwidth,
}

/// The master playlist; `None` when there is no HLS rendition (yet).
pub(super) async fn playlist(playback: &Playback, viewing: &Viewing) -> Result<Option<String>, Refusal> {
    let jobs = playback.store.jobs_of_video(&viewing.video.tenant, &viewing.video.id).await?;
    let mut named = Vec::new();
    for job in jobs {
        let Some(output) = job.output()?.filter(|output| output.file.ends_with(".m3u8")) else { continue };
        if output.file.split('/').all(is_name) {
            named.push((job.id, output));
        }
    }
    let mut found = Vec::new();
    for (job, output) in named.split_off(named.len().saturating_sub(MAX_VARIANTS)) {
        match describe(playback, &viewing.id, &output.file).await {
            Ok(rendition) => found.push((viewing.reference(&output.file), rendition, output.fps)),
            // One unreadable rendition takes nothing from the others.
            Err(error) => tracing::warn!(video.id = %viewing.id, job.id = job, %error, "failed to read a rendition"),
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let variants: Vec<Variant<'_>> = found
        .iter()
        .map(|(uri, rendition, fps)| Variant {
            uri,
            tracks: &rendition.tracks,
            bandwidth: rendition.bandwidth,
            fps: (*fps > 0.0).then_some(*fps),
        })
        .collect();
    master_playlist(&variants).map(Some).map_err(|error| Refusal::Read(Box::new(error)))
}

async fn describe(playback: &Playback, video: &VideoId, file: &str) -> io::Result<Arc<Rendition>> {
    let name = format!("{video}/{file}");
    if let Some(known) = playback.renditions.get(&name) {
        return Ok(known);
    }
    let _turn = playback.building.acquire().await.map_err(io::Error::other)?;
    let (files, video, file) = (Arc::clone(&playback.files), video.clone(), file.to_owned());
    let rendition = Arc::new(off_thread(move || read(&files, &video, &file)).await?);
    playback.renditions.put(&name, Arc::clone(&rendition));
    Ok(rendition)
}

fn read(files: &Files, video: &VideoId, file: &str) -> io::Result<Rendition> {
    let (folder, name) = file.rsplit_once('/').unwrap_or((".", file));
    let dir = files.video(video)?.open_dir(folder)?;
    let text = read_text(&dir, name)?;
    let (init, segments) = segments(&text);
    // Without its codecs a rendition still plays, so an init segment of a form we do not know is no failure.
    let tracks = match init {
        Some(init) => read_tracks(&read_bytes(&dir, init, MAX_INIT_BYTES)?).unwrap_or_default(),
        None => Tracks::default(),
    };
    let rate = |bytes: u64, ms: u64| bytes.saturating_mul(8000) / ms.max(1);
    let (mut bytes, mut duration_ms, mut peak) = (0, 0, 0);
    for (segment, segment_ms) in segments {
        let size = dir.metadata(segment)?.len();
        peak = peak.max(rate(size, segment_ms));
        bytes += size;
        duration_ms += segment_ms;
    }
    Ok(Rendition { tracks, bandwidth: Bandwidth { peak, average: rate(bytes, duration_ms) } })
}

/// A playlist's text.
pub(super) fn read_text(dir: &Dir, name: &str) -> io::Result<String> {
    String::from_utf8(read_bytes(dir, name, MAX_PLAYLIST_BYTES)?).map_err(io::Error::other)
}

fn read_bytes(dir: &Dir, name: &str, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    dir.open(name)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other("longer than any file we write"));
    }
    Ok(bytes)
}
