//! The recorder: what a publisher sends becomes synced fragments of part files. A bounded channel stands between
//! the connection and the disk; the sync runs on a blocking thread; the watermark moves only after it.
//!
//! It asks the driver before it writes a part and tells it after one is whole. Whether a broadcast goes on is not
//! its business.

mod abandoned;
mod file;
mod growing;
mod task;

use std::sync::Arc;

use reprise_lifecycle::media as facts;
use reprise_lifecycle::record::LeaveCause;
use reprise_media::flv::VideoCodec;
use reprise_media::part::PartFacts;
use reprise_media::rtmp::{Media, Metadata};
use reprise_media::track::{AudioConfig, Tracks, VideoConfig};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

pub use self::growing::{GrowingPart, Synced, Watcher};
use crate::disk::Disk;
use crate::driver::{self, Joined};
use crate::files::Files;
use crate::watermark::Watermarks;

/// Messages between a connection and its recorder; about two seconds of a usual stream.
const QUEUE_MESSAGES: usize = 256;

/// Bytes between a connection and its recorder; twice the largest message that RTMP is allowed to carry here.
const QUEUE_BYTES: usize = 16 << 20;

/// What every recorder needs.
#[derive(Clone, Debug)]
pub struct Recorders {
    driver: driver::Handle,
    files: Arc<Files>,
    watermarks: Arc<Watermarks>,
    disk: Arc<Disk>,
    watcher: Option<Arc<dyn Watcher>>,
}

/// What goes to a recorder.
enum Item {
    Media(Media, OwnedSemaphorePermit),
    Metadata(Metadata),
    Finish(LeaveCause),
}

/// One publisher's recorder. Dropping it without [`Recorder::finish`] is a publisher that disconnected.
#[derive(Debug)]
pub struct Recorder {
    queue: mpsc::Sender<Item>,
    bytes: Arc<Semaphore>,
    failed: Arc<std::sync::OnceLock<String>>,
    /// Set when the leave is recorded.
    ended: CancellationToken,
}

impl Recorders {
    /// Recorders that write below `files`, on `disk`.
    pub fn new(driver: driver::Handle, files: Arc<Files>, watermarks: Arc<Watermarks>, disk: Arc<Disk>) -> Self {
        Self { driver, files, watermarks, disk, watcher: None }
    }

    /// The same recorders, with somebody who hears of each part while it is written.
    #[must_use]
    pub fn watched(self, watcher: Arc<dyn Watcher>) -> Self {
        Self { watcher: Some(watcher), ..self }
    }

    /// Starts the recorder of a publisher that has its place.
    pub fn start(&self, joined: Joined) -> Recorder {
        let (queue, items) = mpsc::channel(QUEUE_MESSAGES);
        let failed = Arc::new(std::sync::OnceLock::new());
        let task = task::Task::new(self.clone(), joined, Arc::clone(&failed));
        let ended = CancellationToken::new();
        let end = ended.clone().drop_guard();
        // Its owner is the channel: it ends when the connection does.
        tokio::spawn(async move {
            task.run(items).await;
            drop(end);
        });
        Recorder { queue, bytes: Arc::new(Semaphore::new(QUEUE_BYTES)), failed, ended }
    }
}

impl Recorder {
    /// Records one message; waits while the disk is behind.
    ///
    /// # Errors
    /// Why the recording cannot go on.
    pub async fn media(&self, media: Media) -> Result<(), String> {
        let size = u32::try_from(media.data.len().min(QUEUE_BYTES)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.bytes).acquire_many_owned(size).await.map_err(|_| self.reason())?;
        self.queue.send(Item::Media(media, permit)).await.map_err(|_| self.reason())
    }

    /// Notes what the publisher says of its stream.
    ///
    /// # Errors
    /// Why the recording cannot go on.
    pub async fn metadata(&self, metadata: Metadata) -> Result<(), String> {
        self.queue.send(Item::Metadata(metadata)).await.map_err(|_| self.reason())
    }

    /// Writes and syncs what is pending and records that the publisher left; returns when that is done, also where the
    /// recording had ended before by itself.
    pub async fn finish(self, cause: LeaveCause) {
        let _ = self.queue.send(Item::Finish(cause)).await;
        self.ended.cancelled().await;
    }

    fn reason(&self) -> String {
        self.failed.get().cloned().unwrap_or_else(|| "the recorder ended".to_owned())
    }
}

/// The picture as the journal tells it.
fn video_track(video: &VideoConfig, fps: Option<f64>) -> facts::VideoTrack {
    let profile = match (video.codec, video.profile) {
        (VideoCodec::Avc, 66) => "Baseline",
        (VideoCodec::Avc, 77) | (VideoCodec::Hevc, 1) => "Main",
        (VideoCodec::Avc, 88) => "Extended",
        (VideoCodec::Avc, 100) => "High",
        (VideoCodec::Avc, 110) => "High 10",
        (VideoCodec::Avc, 122) => "High 4:2:2",
        (VideoCodec::Hevc, 2) => "Main 10",
        _ => "",
    };
    facts::VideoTrack {
        codec: match video.codec {
            VideoCodec::Avc => "H.264".to_owned(),
            VideoCodec::Hevc => "H.265".to_owned(),
        },
        width: u32::from(video.width),
        height: u32::from(video.height),
        fps: fps.or(video.fps).unwrap_or(0.0),
        profile: profile.to_owned(),
    }
}

/// The sound as the journal tells it.
fn audio_track(audio: &AudioConfig) -> facts::AudioTrack {
    facts::AudioTrack { codec: "AAC".to_owned(), sample_rate: audio.sample_rate, channels: u32::from(audio.channels) }
}

/// The tracks of a part that is being opened.
fn tracks_of(tracks: &Tracks) -> (Option<facts::VideoTrack>, Option<facts::AudioTrack>) {
    let video = tracks.video.as_ref().map(|video| video_track(video, None));
    (video, tracks.audio.as_ref().map(audio_track))
}

/// A whole part as the journal tells it. A track that was declared but never came is none.
pub(crate) fn facts_of(part: &PartFacts) -> facts::PartFacts {
    let video = part.tracks.video.as_ref().filter(|_| part.has_video());
    let audio = part.tracks.audio.as_ref().filter(|_| part.has_audio());
    facts::PartFacts {
        first_ms: part.first_ms,
        duration_ms: part.duration_ms(),
        bytes: part.bytes,
        video_frames: part.video_frames,
        audio_frames: part.audio_frames,
        video: video.map(|video| video_track(video, part.fps())),
        audio: audio.map(audio_track),
    }
}
