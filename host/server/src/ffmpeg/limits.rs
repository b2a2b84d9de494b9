//! What one run may cost. Pure arithmetic; every figure is an upper bound that honest work stays well below.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Source};
use super::template::{Preset, Rendition, Track, VideoCodec};

/// Bounds of one child process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// From start to end by the clock.
    pub wall: Duration,
    /// The longest time in which neither a counter of `-progress` nor the bytes written move.
    pub no_progress: Duration,
    /// Of all threads together.
    pub cpu_seconds: u64,
    /// Of address space, not of resident memory: it is what the kernel can refuse.
    pub memory_bytes: u64,
    /// Of any one file.
    pub file_size_bytes: u64,
}

/// Encoding at a third of real time is the slowest that still counts as working.
const WALL_PER_MEDIA: u64 = 3;
/// Start, probing and the last fragments take this long on a busy machine even for a one-second clip.
const WALL_FLOOR: Duration = Duration::from_secs(60);
/// A decoder that makes nothing for this long is stuck; a busy host is not this slow.
const NO_PROGRESS: Duration = Duration::from_secs(30);
/// Slow encoders look ahead for longer before their first frame, but a hang must end within minutes.
const MOST_NO_PROGRESS: Duration = Duration::from_secs(300);
/// Shared libraries and the decoder's pictures.
const MEMORY_BASE: u64 = 2 << 30;
/// Reference and look-ahead pictures of one encoder at 4096×2304.
const MEMORY_PER_ENCODER: u64 = 2 << 30;
const MOST_MEMORY: u64 = 16 << 30;
/// Outputs may be larger than a source of poor quality, but not without bound: the disk is shared by all tenants.
const FILE_PER_INPUT: u64 = 4;
/// Encoders overshoot the average they aim at.
const FILE_PER_EXPECTED: u64 = 2;
const FILE_FLOOR: u64 = 64 << 20;
/// Notes of detectors: a day's signature is 38 MB; the others stay far below unless the picture flickers between black
/// and white for many hours.
pub(super) const MOST_NOTES: u64 = 64 << 20;
/// Work of H.265 relative to H.264 at the same preset.
const H265_COST: u32 = 4;

impl Limits {
    /// The limits of a plan: wall time is 3 × media duration × the work of its encoders + 60 s, CPU time is that on all
    /// `threads`, a file may have 4 × the input or 2 × what its bitrate comes to, whichever is more, + 64 MiB.
    pub fn of(plan: &Plan, source: &Source, renditions: &[Rendition], threads: u32) -> Limits {
        let planned = |r: &&Rendition| plan.outputs.iter().any(|output| output.key == r.key);
        let costs: Vec<u32> = renditions.iter().filter(planned).map(cost).collect();
        let work = u64::from(costs.iter().sum::<u32>().max(1));
        let heaviest = costs.iter().copied().max().unwrap_or(1).max(1);
        let media = Duration::from_millis(source.duration_ms.saturating_mul(WALL_PER_MEDIA * work));
        let wall = media.saturating_add(WALL_FLOOR);
        let encoders = costs.iter().filter(|cost| **cost > 0).count() as u64;
        Limits {
            wall,
            no_progress: (NO_PROGRESS * heaviest).min(MOST_NO_PROGRESS),
            cpu_seconds: wall.as_secs().saturating_mul(u64::from(threads.max(1))),
            memory_bytes: (MEMORY_BASE + encoders * MEMORY_PER_ENCODER).min(MOST_MEMORY),
            file_size_bytes: file_size(plan, source),
        }
    }

    /// For decoding a source once and keeping nothing but notes: wall time is 3 × media duration + 60 s.
    pub fn analysing(source: &Source, threads: u32) -> Limits {
        let wall = Duration::from_millis(source.duration_ms.saturating_mul(WALL_PER_MEDIA)).saturating_add(WALL_FLOOR);
        Limits {
            wall,
            no_progress: NO_PROGRESS,
            cpu_seconds: wall.as_secs().saturating_mul(u64::from(threads.max(1))),
            memory_bytes: MEMORY_BASE,
            file_size_bytes: MOST_NOTES,
        }
    }

    /// For looking at one file without decoding it.
    pub fn probing() -> Limits {
        Limits {
            wall: Duration::from_secs(30),
            no_progress: Duration::from_secs(30),
            cpu_seconds: 20,
            memory_bytes: MEMORY_BASE,
            // A probe writes nothing at all.
            file_size_bytes: 0,
        }
    }
}

/// Relative work of one output; copying and sound count as nothing beside a picture encoder.
fn cost(rendition: &Rendition) -> u32 {
    let Some(Track::Encode(video)) = &rendition.video else {
        return 0;
    };
    let preset = match video.preset {
        Preset::Veryfast | Preset::Fast | Preset::Medium => 1,
        Preset::Slow => 2,
        Preset::Slower => 4,
    };
    match video.codec {
        VideoCodec::H264 => preset,
        VideoCodec::H265 => preset * H265_COST,
    }
}

fn file_size(plan: &Plan, source: &Source) -> u64 {
    let most_bps = plan.outputs.iter().map(|o| o.expected_bps).max();
    let expected = (most_bps.unwrap_or(0) / 8).saturating_mul(source.duration_ms) / 1000;
    let by_input = source.size_bytes.saturating_mul(FILE_PER_INPUT);
    by_input.max(expected.saturating_mul(FILE_PER_EXPECTED)).saturating_add(FILE_FLOOR)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::plan::{VideoSource, plan};
    use super::super::template::{Container, VideoSettings};
    use super::*;

    fn rendition(key: &str, change: impl FnOnce(&mut VideoSettings)) -> Rendition {
        let mut video = VideoSettings::new(VideoCodec::H264);
        change(&mut video);
        Rendition {
            key: key.into(),
            container: Container::Mp4,
            video: Some(Track::Encode(video)),
            audio: None,
            allow_upscale: false,
        }
    }

    #[test]
    fn limits_follow_the_work() {
        let source = Source {
            path: PathBuf::from("/s.mp4"),
            size_bytes: 1 << 20,
            duration_ms: 100_000,
            video: Some(VideoSource { codec: VideoCodec::H264, width: 640, height: 360, fps: 25.0 }),
            audio: None,
        };
        let light = [rendition("a", |v| v.bitrate_kbps = Some(100))];
        let heavy = [rendition("a", |v| v.bitrate_kbps = Some(8000)), rendition("b", |v| v.codec = VideoCodec::H265)];
        let limits = |renditions: &[Rendition]| {
            let plan = plan(&source, renditions, None, 2).unwrap();
            Limits::of(&plan, &source, renditions, 2)
        };
        let light = limits(&light);
        assert_eq!(light.wall, Duration::from_secs(300 + 60));
        assert_eq!(light.cpu_seconds, 720);
        assert_eq!(light.no_progress, Duration::from_secs(30));
        assert_eq!(light.file_size_bytes, (4 << 20) + (64 << 20));
        let heavy = limits(&heavy);
        assert_eq!(heavy.wall, Duration::from_secs(5 * 300 + 60));
        assert_eq!(heavy.no_progress, Duration::from_secs(120));
        assert_eq!(heavy.file_size_bytes, 2 * 100_000_000 + (64 << 20));
        assert_eq!(limits(&[]).wall, Duration::from_secs(360));
    }
}
