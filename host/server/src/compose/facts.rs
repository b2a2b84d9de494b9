//! What is told of a composed video.

use reprise_lifecycle::media::PartFacts;
use reprise_media::fmp4::{FragmentIndex, Scan};
use reprise_media::part;
use reprise_media::track::Tracks;

use super::part::PartIndex;

/// The facts of a file with this index.
pub(super) fn of_file(index: &FragmentIndex, tracks: &Tracks) -> PartFacts {
    let len = index.end_offset();
    let scan = Scan {
        init: Some(index.init),
        tracks: tracks.clone(),
        fragments: index.fragments.clone(),
        valid_len: len,
        file_len: len,
    };
    match part::PartFacts::from_scan(&scan) {
        Some(facts) => crate::recorder::facts_of(&facts),
        None => empty(),
    }
}

/// The facts of what plays of linked parts: those of the first picture and sound, and everything together.
pub(super) fn of_parts(parts: &[(&PartIndex, std::ops::Range<usize>)]) -> PartFacts {
    let mut all = empty();
    for (part, range) in parts {
        let mut index = part.index.clone();
        index.fragments = index.fragments.get(range.clone()).unwrap_or_default().to_vec();
        let facts = of_file(&index, &part.tracks);
        all.duration_ms += facts.duration_ms;
        all.bytes += index.fragments.iter().map(|entry| u64::from(entry.total_size)).sum::<u64>();
        all.video_frames += facts.video_frames;
        all.audio_frames += facts.audio_frames;
        all.video = all.video.or(facts.video);
        all.audio = all.audio.or(facts.audio);
    }
    if let Some(video) = &mut all.video
        && all.duration_ms > 0
    {
        video.fps = all.video_frames as f64 * 1000.0 / all.duration_ms as f64;
    }
    all
}

fn empty() -> PartFacts {
    PartFacts { first_ms: 0, duration_ms: 0, bytes: 0, video_frames: 0, audio_frames: 0, video: None, audio: None }
}
