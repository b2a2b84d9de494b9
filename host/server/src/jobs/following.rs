//! Encoding a part while it is recorded, so that its renditions are there soon after it is closed.
//!
//! For each part whose template group can be told beforehand, one ffmpeg with the lowest priority is fed with the
//! part's bytes as they are synced, and makes all the group's renditions. When the task for the part's video comes, it
//! takes the finished ones that are exactly what it asks for.
//!
//! It is a cache and nothing else. It holds no truth, and nothing waits for it but the task that takes from it; after a
//! crash, a wrong guess, a stall, or for want of slots, the ordinary way makes what is missing. A recorder never waits
//! for it: it reads the file, not the stream.

mod feed;
mod guess;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reprise_lifecycle::id::{BroadcastId, VideoId};
use reprise_media::fmp4::scan;
use reprise_media::part::PartFacts;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::feed::{Lengths, PAUSED, feed};
pub use self::guess::Guess;
use super::{THREADS, source};
use crate::ffmpeg::plan::Source;
use crate::ffmpeg::template::Rendition;
use crate::ffmpeg::tools::Tools;
use crate::ffmpeg::transcode::{OutputFacts, TranscodeJob, transcode_piped};
use crate::files::{self, Files};
use crate::recorder::{self, GrowingPart, Synced, Watcher};

/// Parts that are followed or wait to be, over all tenants. One that finds no room is encoded the ordinary way.
const MOST_PARTS: usize = 256;

/// Media that must be there before the frame rate is believed.
const ENOUGH_MS: u64 = 2_000;

/// How far the frame rate of the beginning may be from that of the whole; encoder settings follow from it.
const RATE_TOLERANCE: f64 = 0.05;

/// How long finished renditions are kept for the task that takes them, which a policy decides within seconds.
const KEEP: Duration = Duration::from_secs(600);

/// A part may run longer than its cycle, until its next keyframe.
const OVERRUN_MS: u64 = 120_000;

/// Follows parts while they are recorded.
#[derive(Clone, Debug)]
pub struct Following {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    files: Arc<Files>,
    tools: Tools,
    guess: Guess,
    slots: Semaphore,
    parts: Mutex<BTreeMap<VideoId, Followed>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    encoded_frames: AtomicU64,
}

/// One part as the map knows it.
#[derive(Clone, Debug)]
struct Followed {
    /// Brings the length when a publisher comes back.
    lengths: watch::Sender<watch::Receiver<Synced>>,
    /// Set when the part is closed and all its bytes are in the file.
    whole: CancellationToken,
    /// Set when nobody wants it.
    unwanted: CancellationToken,
    stage: watch::Receiver<Stage>,
    written_ms: watch::Receiver<u64>,
}

/// How far the work on a part is.
#[derive(Clone, Debug)]
enum Stage {
    /// It waits for media or a slot.
    Waiting,
    /// It encodes.
    Encoding,
    /// It ended with this; with nothing if it failed.
    Ended(Option<Arc<Made>>),
}

/// What was made of one part.
#[derive(Debug)]
struct Made {
    source: Source,
    outputs: Vec<(Rendition, OutputFacts)>,
    attempt: Attempt,
}

/// The folder of what is made; removed with it.
#[derive(Debug)]
struct Attempt {
    files: Arc<Files>,
    name: String,
}

/// Renditions that were made beforehand. Their folder goes when this is dropped.
#[derive(Debug)]
pub struct Prepared(Arc<Made>);

impl Following {
    /// Follows at most `slots` parts at once, until `stop`.
    pub fn new(files: Arc<Files>, tools: Tools, guess: Guess, slots: usize, stop: CancellationToken) -> Self {
        let shared = Shared {
            files,
            tools,
            guess,
            slots: Semaphore::new(slots),
            parts: Mutex::default(),
            tasks: TaskTracker::new(),
            stop,
            encoded_frames: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What was made of a part that is closed, whose file is `whole`; waits until it is finished. `written` hears how
    /// much media is encoded. `None` when the part was not followed, when it did not come to an end, or when what was
    /// made of its beginning is not what would be made of the whole.
    pub async fn take(
        &self,
        video: &VideoId,
        whole: &Source,
        cancel: &CancellationToken,
        mut written: impl FnMut(u64),
    ) -> Option<Prepared> {
        let mut followed = self.shared.parts().remove(video)?;
        let _unwanted = followed.unwanted.clone().drop_guard();
        followed.whole.cancel();
        let made = loop {
            match &*followed.stage.borrow_and_update() {
                // Too late to begin: the ordinary way decodes once for renditions and pictures alike.
                Stage::Waiting => return None,
                Stage::Ended(made) => break made.clone()?,
                Stage::Encoding => {}
            }
            tokio::select! {
                changed = followed.stage.changed() => changed.ok()?,
                Ok(()) = followed.written_ms.changed() => written(*followed.written_ms.borrow_and_update()),
                () = cancel.cancelled() => return None,
            }
        };
        if !is_alike(&made.source, whole) {
            tracing::info!(video.id = %video, "a part changed while it was followed; it is encoded again");
            return None;
        }
        Some(Prepared(made))
    }

    /// Pictures encoded so far.
    pub fn encoded_frames(&self) -> u64 {
        self.shared.encoded_frames.load(Ordering::Relaxed)
    }

    /// Returns when everything has ended after the stop.
    pub async fn ended(&self) {
        self.shared.stop.cancelled().await;
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Prepared {
    /// The finished rendition, if exactly this one was made.
    pub fn output(&self, wanted: &Rendition) -> Option<&OutputFacts> {
        self.0.outputs.iter().find(|(made, _)| made == wanted).map(|(_, facts)| facts)
    }

    /// The name of the attempt whose folder they stand in.
    pub fn attempt(&self) -> &str {
        &self.0.attempt.name
    }
}

impl Watcher for Following {
    fn part_opened(&self, part: GrowingPart) {
        let shared = &self.shared;
        if shared.stop.is_cancelled() {
            return;
        }
        let mut parts = shared.parts();
        if let Some(known) = parts.get(&part.video) {
            known.lengths.send_replace(part.synced);
            return;
        }
        if parts.len() >= MOST_PARTS {
            return;
        }
        let (lengths, heard) = watch::channel(part.synced);
        let (stage, seen) = watch::channel(Stage::Waiting);
        let (written, written_ms) = watch::channel(0);
        let (whole, unwanted) = (CancellationToken::new(), shared.stop.child_token());
        let followed = Followed { lengths, whole: whole.clone(), unwanted: unwanted.clone(), stage: seen, written_ms };
        parts.insert(part.video.clone(), followed);
        drop(parts);
        let follower = Follower {
            shared: Arc::clone(shared),
            broadcast: part.broadcast,
            video: part.video,
            cycle_ms: part.cycle_ms,
            lengths: heard,
            whole,
            unwanted,
        };
        shared.tasks.spawn(follower.run(stage, written));
    }
}

impl Shared {
    /// Each change is one map operation, so the map is whole even if a thread panicked while it held the lock.
    fn parts(&self) -> MutexGuard<'_, BTreeMap<VideoId, Followed>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work on one part.
struct Follower {
    shared: Arc<Shared>,
    broadcast: BroadcastId,
    video: VideoId,
    cycle_ms: u64,
    lengths: Lengths,
    whole: CancellationToken,
    unwanted: CancellationToken,
}

impl Follower {
    async fn run(self, stage: watch::Sender<Stage>, written_ms: watch::Sender<u64>) {
        let unwanted = self.unwanted.clone();
        let followed = async {
            let made = self.follow(&stage, &written_ms).await;
            let kept = made.is_some();
            stage.send_replace(Stage::Ended(made));
            if kept {
                tokio::time::sleep(KEEP).await;
            }
        };
        tokio::select! {
            () = followed => {}
            // Whoever took the result dropped it, or nobody wants one.
            () = unwanted.cancelled() => {}
        }
        // Taken already, or of no use.
        self.shared.parts().remove(&self.video);
    }

    async fn follow(&self, stage: &watch::Sender<Stage>, written_ms: &watch::Sender<u64>) -> Option<Arc<Made>> {
        let (source, renditions, slot) = tokio::select! {
            () = self.whole.cancelled() => return None,
            ready = async {
                let source = self.beginning().await?;
                let renditions = self.renditions().await?;
                // A slot is for who encodes: a publisher that sends nothing must not hold one.
                Some((source, renditions, self.shared.slots.acquire().await.ok()?))
            } => ready?,
        };
        stage.send_replace(Stage::Encoding);
        let made = self.encode(source, renditions, written_ms).await;
        drop(slot);
        made
    }

    /// What the part will be asked for. `None` when it is nothing, or nothing tells.
    async fn renditions(&self) -> Option<Vec<Rendition>> {
        match self.shared.guess.renditions(&self.broadcast).await {
            Ok(renditions) => renditions.filter(|renditions| !renditions.is_empty()),
            Err(error) => {
                tracing::warn!(video.id = %self.video, error = %error, "a part is not followed");
                None
            }
        }
    }

    /// Waits until the beginning of the part tells what it is like. `None` when it is over before, or its publisher
    /// stays away.
    async fn beginning(&self) -> Option<Source> {
        let mut lengths = self.lengths.clone();
        let mut length = lengths.borrow_and_update().clone();
        loop {
            if length.borrow_and_update().ended {
                return None;
            }
            let (files, video) = (Arc::clone(&self.shared.files), self.video.clone());
            let looked = tokio::task::spawn_blocking(move || look(&files, &video)).await.ok()?;
            match looked {
                Ok(Some(facts)) if facts.duration_ms() >= ENOUGH_MS => return Some(self.source(&facts)),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(video.id = %self.video, error = %error, "a part is not followed");
                    return None;
                }
            }
            if length.changed().await.is_err() {
                tokio::time::timeout(PAUSED, lengths.changed()).await.ok()?.ok()?;
                length = lengths.borrow_and_update().clone();
            }
        }
    }

    /// The whole part as its beginning promises it: as long as it may get, at the bitrate so far twice over.
    fn source(&self, facts: &PartFacts) -> Source {
        let beginning = recorder::facts_of(facts);
        let duration_ms = self.cycle_ms.saturating_add(OVERRUN_MS);
        let size_bytes = facts.bytes.saturating_mul(2).saturating_mul(duration_ms) / facts.duration_ms().max(1);
        let path = self.shared.files.media_path(&self.video, files::SOURCE);
        Source { duration_ms, size_bytes, ..source(&path, &beginning) }
    }

    async fn encode(
        &self,
        source: Source,
        renditions: Vec<Rendition>,
        written_ms: &watch::Sender<u64>,
    ) -> Option<Arc<Made>> {
        let shared = &self.shared;
        let attempt = Attempt { files: Arc::clone(&shared.files), name: format!("{}-following", self.video) };
        let prepared = shared.files.fresh_work(&attempt.name).and_then(|work_dir| {
            let file = shared.files.video(&self.video)?.open(files::SOURCE)?;
            Ok((work_dir, file.into_std()))
        });
        let (work_dir, file) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                tracing::warn!(video.id = %self.video, error = %error, "a part is not followed");
                return None;
            }
        };
        let job = TranscodeJob { source, work_dir, renditions, snapshots: None, threads: THREADS, limits: None };
        let (lengths, whole) = (self.lengths.clone(), self.whole.clone());
        let fed = |stdin| feed(tokio::fs::File::from_std(file), lengths, whole, stdin);
        let report = transcode_piped(&shared.tools, &job, &self.unwanted, written_ms, fed).await;
        let report = match report {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(video.id = %self.video, error = %error, "a part could not be followed");
                return None;
            }
        };
        shared.encoded_frames.fetch_add(report.encoded_frames, Ordering::Relaxed);
        let mut outputs = Vec::new();
        for (rendition, output) in job.renditions.into_iter().zip(report.outputs) {
            match output.result {
                Ok(facts) => outputs.push((rendition, facts)),
                Err(error) => tracing::info!(
                    video.id = %self.video, error = %error, "a rendition was not made while its part was recorded"
                ),
            }
        }
        let source = job.source;
        (!outputs.is_empty()).then(|| Arc::new(Made { source, outputs, attempt }))
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Err(error) = self.files.remove_work(&self.name) {
            tracing::warn!(attempt = self.name, error = %error, "an attempt's folder could not be removed");
        }
    }
}

/// What is whole of a part.
fn look(files: &Files, video: &VideoId) -> io::Result<Option<PartFacts>> {
    let mut file = files.video(video)?.open(files::SOURCE)?.into_std();
    Ok(PartFacts::from_scan(&scan(&mut file, false)?))
}

/// Whether an encode of the whole is what an encode of the beginning was.
fn is_alike(beginning: &Source, whole: &Source) -> bool {
    let picture = match (&beginning.video, &whole.video) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            (one.codec, one.width, one.height) == (other.codec, other.width, other.height)
                && (one.fps - other.fps).abs() <= other.fps * RATE_TOLERANCE
        }
        _ => false,
    };
    picture && beginning.audio == whole.audio
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::plan::{AudioSource, VideoSource};
    use crate::ffmpeg::template::VideoCodec;

    #[tokio::test]
    async fn a_part_without_media_holds_no_slot() {
        let world = crate::testkit::World::new().await;
        let config = crate::config::Config::parse("").unwrap().policies;
        let policies =
            crate::policies::Policies::new(&config, world.store.clone(), Arc::clone(&world.files), [9; 32]).unwrap();
        let guess = Guess { store: world.store.clone(), policies: Arc::new(policies) };
        let nowhere = std::path::PathBuf::from("/nonexistent");
        let tools = Tools { ffmpeg: nowhere.clone(), ffprobe: nowhere.clone(), helper: nowhere, strict: true };
        let following = Following::new(Arc::clone(&world.files), tools, guess, 1, CancellationToken::new());
        let video = VideoId::new("v1");
        world.files.make_video(&video).unwrap().write(files::SOURCE, b"").unwrap();
        let (publisher, synced) = watch::channel(Synced { bytes: 0, ended: false });
        following.part_opened(GrowingPart { broadcast: BroadcastId::new("b1"), video, cycle_ms: 300_000, synced });
        drop(publisher);
        // Its follower runs on this thread, as far as it can.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let state = (following.shared.slots.available_permits(), following.shared.parts().len());
        assert_eq!(state, (1, 1), "the publisher may come back, and others encode meanwhile");
    }

    #[test]
    fn a_beginning_stands_for_a_whole_that_is_like_it() {
        let picture = VideoSource { codec: VideoCodec::H264, width: 640, height: 360, fps: 30.0 };
        let sound = AudioSource { sample_rate: 48_000, channels: 2 };
        let source = |video, audio| Source { path: "/x".into(), size_bytes: 1, duration_ms: 1, video, audio };
        let beginning = source(Some(picture), Some(sound));
        let table = [
            (Some(picture), Some(sound), true),
            (Some(VideoSource { fps: 29.2, ..picture }), Some(sound), true),
            (Some(VideoSource { fps: 25.0, ..picture }), Some(sound), false),
            (Some(VideoSource { height: 480, ..picture }), Some(sound), false),
            (Some(VideoSource { codec: VideoCodec::H265, ..picture }), Some(sound), false),
            (Some(picture), None, false),
            (None, Some(sound), false),
            (Some(picture), Some(AudioSource { channels: 1, ..sound }), false),
        ];
        for (video, audio, expected) in table {
            let whole = Source { size_bytes: 900, duration_ms: 77, ..source(video, audio) };
            assert_eq!(is_alike(&beginning, &whole), expected, "{whole:?}");
        }
    }
}
