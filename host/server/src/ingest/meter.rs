//! What can be said of a publisher's media while it passes: codecs, size, rates; and what a recording that begins
//! later needs to hear first.

use std::time::Duration;

use bytes::Bytes;
use reprise_media::flv::{AudioPacket, VideoCodec, VideoPacket, parse_audio, parse_video};
use reprise_media::rtmp::{Media, MediaKind, Metadata};
use reprise_media::track::VideoConfig;
use tokio::time::Instant;

/// Rates are measured over windows of this length.
const WINDOW: Duration = Duration::from_secs(2);

/// The longest codec header that is kept; real ones have some hundred bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// What is known of a publisher's media.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The picture.
    pub video: Option<Picture>,
    /// Whether there is sound, which is always AAC.
    pub audio: bool,
    /// Measured, in kbit/s.
    pub video_kbps: u64,
    /// Measured, in kbit/s.
    pub audio_kbps: u64,
}

/// A picture, by its codec header.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// `H.264` or `H.265`.
    pub codec: &'static str,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// As the header or the metadata says, else as measured.
    pub fps: f64,
}

/// Watches one publisher's messages.
#[derive(Debug)]
pub(super) struct Meter {
    seen: Seen,
    metadata: Option<Metadata>,
    video_header: Option<Media>,
    audio_header: Option<Media>,
    /// Whether the header says how many pictures a second there are.
    fps_is_told: bool,
    since: Instant,
    video_bytes: u64,
    audio_bytes: u64,
    pictures: u32,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            seen: Seen::default(),
            metadata: None,
            video_header: None,
            audio_header: None,
            fps_is_told: false,
            since: now,
            video_bytes: 0,
            audio_bytes: 0,
            pictures: 0,
        }
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The bitrate that the publisher promises or shows, in kbit/s.
    pub(super) fn video_kbps(&self) -> u64 {
        let promised = self.metadata.as_ref().and_then(|metadata| metadata.number("videodatarate"));
        match promised {
            Some(kbps) if kbps > 0.0 => kbps as u64,
            _ => self.seen.video_kbps,
        }
    }

    pub(super) fn metadata(&mut self, metadata: &Metadata) {
        self.metadata = Some(metadata.clone());
    }

    /// Looks at a message. Says whether what is seen has changed.
    pub(super) fn media(&mut self, media: &Media, now: Instant) -> bool {
        let size = media.data.len() as u64;
        let changed = match media.kind {
            MediaKind::Video => {
                self.video_bytes += size;
                self.video(media)
            }
            MediaKind::Audio => {
                self.audio_bytes += size;
                self.audio(media)
            }
        };
        self.measured(now) || changed
    }

    fn video(&mut self, media: &Media) -> bool {
        match parse_video(media.data.clone()) {
            Ok(VideoPacket::Header { codec, record }) => {
                let Ok(config) = VideoConfig::parse(codec, &record) else { return false };
                let promised = self.metadata.as_ref().and_then(|metadata| metadata.number("framerate"));
                let told = config.fps.or(promised).filter(|fps| *fps > 0.0);
                self.fps_is_told = told.is_some();
                self.seen.video = Some(Picture {
                    codec: match codec {
                        VideoCodec::Avc => "H.264",
                        VideoCodec::Hevc => "H.265",
                    },
                    width: config.width,
                    height: config.height,
                    fps: told.unwrap_or(0.0),
                });
                self.video_header = kept(media);
                true
            }
            Ok(VideoPacket::Frame { .. }) => {
                self.pictures += 1;
                false
            }
            Ok(VideoPacket::End | VideoPacket::Ignored | VideoPacket::Unsupported { .. }) | Err(_) => false,
        }
    }

    fn audio(&mut self, media: &Media) -> bool {
        match parse_audio(media.data.clone()) {
            Ok(AudioPacket::Header { .. }) => {
                self.audio_header = kept(media);
                !std::mem::replace(&mut self.seen.audio, true)
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// Ends the window, if it is over.
    fn measured(&mut self, now: Instant) -> bool {
        let elapsed_ms = u64::try_from(now.duration_since(self.since).as_millis()).unwrap_or(u64::MAX);
        if elapsed_ms < WINDOW.as_millis() as u64 {
            return false;
        }
        // Bits in a millisecond are kilobits in a second.
        self.seen.video_kbps = std::mem::take(&mut self.video_bytes).saturating_mul(8) / elapsed_ms;
        self.seen.audio_kbps = std::mem::take(&mut self.audio_bytes).saturating_mul(8) / elapsed_ms;
        let pictures = std::mem::take(&mut self.pictures);
        if let Some(video) = self.seen.video.as_mut().filter(|_| !self.fps_is_told) {
            video.fps = f64::from(pictures) * 1000.0 / elapsed_ms as f64;
        }
        self.since = now;
        true
    }

    /// What a recording that begins now has missed and needs: what the publisher said of its stream, and its codec
    /// headers. The recorder itself waits for a keyframe.
    pub(super) fn headers(&self) -> (Option<Metadata>, Vec<Media>) {
        let headers = [&self.video_header, &self.audio_header];
        (self.metadata.clone(), headers.into_iter().flatten().cloned().collect())
    }
}

/// A copy of a header that does not hold the larger buffer it came in.
fn kept(media: &Media) -> Option<Media> {
    (media.data.len() <= MAX_HEADER_BYTES).then(|| Media { data: Bytes::copy_from_slice(&media.data), ..media.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: MediaKind, bytes: &[u8]) -> Media {
        Media { kind, timestamp_ms: 0, data: Bytes::copy_from_slice(bytes) }
    }

    /// An AAC-LC header for 44.1 kHz stereo.
    const AAC: [u8; 4] = [0xaf, 0, 0x12, 0x10];

    #[test]
    fn rates_are_of_the_window_that_is_over() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        assert!(meter.media(&message(MediaKind::Audio, &AAC), began), "sound was heard of");
        assert!(!meter.media(&message(MediaKind::Audio, &AAC), began));
        let frame = [[0x27, 1, 0, 0, 0].as_slice(), &[0; 9_995]].concat();
        for _ in 0..49 {
            assert!(!meter.media(&message(MediaKind::Video, &frame), began + Duration::from_millis(1_900)));
        }
        assert!(meter.media(&message(MediaKind::Video, &frame), began + Duration::from_millis(2_000)));
        assert_eq!((meter.seen().video_kbps, meter.seen().audio_kbps), (2_000, 0));
        assert!(meter.media(&message(MediaKind::Audio, &AAC), began + Duration::from_millis(4_100)));
        assert_eq!(meter.seen().video_kbps, 0);
    }

    #[test]
    fn the_newest_header_of_each_kind_is_kept_unless_it_is_absurd() {
        let now = Instant::now();
        let mut meter = Meter::new(now);
        assert_eq!(meter.headers(), (None, Vec::new()));
        let other = [0xaf, 0, 0x11, 0x90];
        for header in [AAC, other] {
            meter.media(&message(MediaKind::Audio, &header), now);
        }
        assert_eq!(meter.headers().1, [message(MediaKind::Audio, &other)]);
        let huge = [other.as_slice(), &vec![0; MAX_HEADER_BYTES]].concat();
        meter.media(&message(MediaKind::Audio, &huge), now);
        assert!(meter.headers().1.is_empty());
    }
}
