//! Jobs: the renditions and covers of a video's task, made by ffmpeg in one decode, each published by rename and
//! told to the driver with a result of its own. A job that fails on the host's account tells nothing and is
//! tried again; one that fails on the media's or the template's account has that as its result.
//!
//! What is there already is not encoded: renditions that were made while the part was recorded ([`following`]), and
//! those of its parts where a composed video asks for the same ([`joining`]). Everything that runs ffmpeg takes its
//! slot from one [`queue`].

mod attempt;
mod composed;
pub mod following;
pub mod joining;
pub mod progress;
pub mod queue;
mod reuse;
pub mod schedule;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reprise_lifecycle::id::{JobId, TaskId, VideoId};
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::record::{CoverFacts, OutputFacts, WorkFailure, WorkResult};
use tokio::sync::{Notify, watch};

use self::attempt::{Attempt, Open, Told, Wanted, gather, gathered, no_picture, output_facts, told_of};
use self::following::Following;
use self::progress::Progress;
use self::queue::{NoSlot, Queue, Slot};
use crate::api::urls::SNAPSHOT_INDEX;
use crate::clock;
use crate::driver::{Handle, Work};
use crate::ffmpeg::error::Failure;
use crate::ffmpeg::plan::{AudioSource, PlanError, Source, VideoSource};
use crate::ffmpeg::snapshot::SnapshotPlan;
use crate::ffmpeg::template::VideoCodec;
use crate::ffmpeg::tools::Tools;
use crate::ffmpeg::transcode::{self, Snapshots, TranscodeJob, TranscodeReport, transcode};
use crate::files::{self, Files};
use crate::room::{Held, Room};
use crate::store::Store;

/// The vendor's code for media that cannot be processed.
const BAD_MEDIA: &str = "InvalidParameter.ResourceContentBad";

/// The vendor's code for a template that cannot be applied.
const BAD_TEMPLATE: &str = "InvalidParameter.Template";

/// How late what others recorded may be seen, such as a decision about a part or a cancelled task: it rings nobody here.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Threads of one ffmpeg; with one process for every two cores, ingest keeps its share.
pub const THREADS: u32 = 2;

/// Runs jobs, a bounded number at a time.
#[derive(Debug)]
pub struct Jobs {
    files: Arc<Files>,
    tools: Tools,
    store: Store,
    queue: Queue,
    progress: Progress,
    following: Option<Following>,
    room: Option<Arc<Room>>,
    encoded_frames: AtomicU64,
    /// Renditions that were made while their part was recorded, and those joined from parts'.
    followed: AtomicU64,
    joined: AtomicU64,
    /// Rung when a job may have ended, for tasks that wait for those of others.
    ended: Notify,
}

/// One process for every two cores, one at least.
fn by_cores() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).max(1)
}

/// How many parts are followed at once by this configuration.
pub fn following_slots(config: &crate::config::Jobs) -> usize {
    usize::try_from(config.following).unwrap_or_else(|_| by_cores())
}

impl Jobs {
    /// At most `workers` processes at once; 0 is one for every two cores.
    pub fn new(
        files: Arc<Files>,
        tools: Tools,
        store: Store,
        workers: usize,
        progress: Progress,
        following: Option<Following>,
    ) -> Self {
        let workers = if workers == 0 { by_cores() } else { workers };
        Self {
            files,
            tools,
            store,
            queue: Queue::new(workers),
            progress,
            following,
            room: None,
            encoded_frames: AtomicU64::new(0),
            followed: AtomicU64::new(0),
            joined: AtomicU64::new(0),
            ended: Notify::new(),
        }
    }

    /// The same, but a task begins only where there is room for what it makes.
    #[must_use]
    pub fn within(self, room: Arc<Room>) -> Self {
        Self { room: Some(room), ..self }
    }

    /// The line in which all work for ffmpeg waits for its slot.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Pictures encoded for renditions since the server started.
    pub fn encoded_frames(&self) -> u64 {
        let followed = self.following.as_ref().map_or(0, Following::encoded_frames);
        self.encoded_frames.load(Ordering::Relaxed) + followed
    }

    /// Renditions that were not encoded when they were asked for, by what made that possible.
    pub fn reused(&self) -> [(&'static str, u64); 2] {
        [("followed", self.followed.load(Ordering::Relaxed)), ("joined", self.joined.load(Ordering::Relaxed))]
    }

    /// Makes what a task of a video still lacks.
    pub async fn process(&self, work: &Work, handle: &Handle, video: &VideoId, task: &TaskId) {
        let Some(known) = work.broadcast.videos.get(video) else { return };
        let (Some(task), Some(facts)) = (known.task_by_id(task), &known.facts) else { return };
        let name = format!("{video}-{}", work.effect_id.record);
        let priority = task.request.priority;
        let attempt = Attempt { work, handle, video, name, priority, started_at: clock::now(), ended: &self.ended };
        let mut open = attempt.open(task).await;
        let source = source(&self.files.media_path(video, files::SOURCE), facts);
        self.take_followed(&attempt, &source, &mut open).await;
        self.join_parts(&attempt, known, &mut open).await;
        if !open.is_empty()
            && let Some(_slot) = self.slot(&attempt).await
            && let Some(_held) = self.hold(&attempt, facts, &open)
        {
            self.run(&attempt, source, facts, &open).await;
        }
        self.remove_work(&attempt.name).await;
        self.ended.notify_waiters();
    }

    async fn remove_work(&self, name: &str) {
        let attempt = name.to_owned();
        if let Err(error) = self.blocking(move |files| files.remove_work(&attempt)).await {
            tracing::warn!(attempt = name, error = %error, "an attempt's folder could not be removed");
        }
    }

    /// File work off the async threads: syncing an hour of video takes seconds.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let files = Arc::clone(&self.files);
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        done.unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    async fn slot(&self, attempt: &Attempt<'_>) -> Option<Slot> {
        let (work, priority) = (attempt.work, attempt.priority);
        match self.queue.acquire(work.broadcast.tenant.as_str(), priority, &work.cancel).await {
            Ok(slot) => Some(slot),
            Err(NoSlot::Cancelled) => None,
            Err(full @ NoSlot::Full(_)) => {
                tracing::warn!(video.id = %attempt.video, reason = %full, "a task finds no place in the queue; it is tried again");
                None
            }
        }
    }

    /// Room for what is still wanted. A rendition is seldom larger than its source.
    fn hold(&self, attempt: &Attempt<'_>, facts: &PartFacts, open: &Open) -> Option<Option<Held>> {
        let renditions = u64::try_from(open.wanted.len()).unwrap_or(u64::MAX);
        let held = self.room.as_ref().map(|room| room.hold(facts.bytes.saturating_mul(renditions))).transpose();
        held
            .inspect_err(|none| {
                tracing::error!(video.id = %attempt.video, reason = %none, "no room for a task's renditions; it is tried again");
            })
            .ok()
    }

    /// Takes what was made while the part was recorded.
    async fn take_followed(&self, attempt: &Attempt<'_>, source: &Source, open: &mut Open) {
        let Some(following) = &self.following else { return };
        if open.wanted.is_empty() {
            return;
        }
        let tracked = self.progress.track(open.wanted.iter().map(|wanted| &wanted.job));
        let percent = |written_ms: u64| {
            let percent = written_ms.saturating_mul(100) / source.duration_ms.max(1);
            tracked.set(u8::try_from(percent).unwrap_or(u8::MAX));
        };
        let Some(prepared) = following.take(attempt.video, source, &attempt.work.cancel, percent).await else { return };
        for wanted in std::mem::take(&mut open.wanted) {
            let Some(facts) = prepared.output(&wanted.rendition) else {
                open.wanted.push(wanted);
                continue;
            };
            match self.published(attempt, prepared.attempt(), &wanted, Ok(facts.clone())).await {
                Told::Nothing => open.wanted.push(wanted),
                told => {
                    self.followed.fetch_add(1, Ordering::Relaxed);
                    attempt.output(&wanted.job, told).await;
                }
            }
        }
    }

    async fn run(&self, attempt: &Attempt<'_>, source: Source, facts: &PartFacts, open: &Open) {
        let work_dir = match self.files.fresh_work(&attempt.name) {
            Ok(dir) => dir,
            Err(error) => {
                tracing::error!(video.id = %attempt.video, error = %error, "no folder for a job; it is tried again");
                return;
            }
        };
        let job = TranscodeJob {
            source,
            work_dir: work_dir.clone(),
            renditions: open.wanted.iter().map(|wanted| wanted.rendition.clone()).collect(),
            snapshots: open.cover.as_ref().map(|job| SnapshotPlan::cover(job.as_str(), facts.duration_ms)),
            threads: THREADS,
            limits: None,
        };
        let jobs: Vec<&JobId> = open.wanted.iter().map(|wanted| &wanted.job).collect();
        let report = match self.encode(attempt, &job, &jobs).await {
            Ok(report) => report,
            Err(error) => {
                let failure = WorkFailure { code: BAD_TEMPLATE.to_owned(), message: error.to_string() };
                attempt.fail_all(open, &failure).await;
                return;
            }
        };
        for (wanted, output) in open.wanted.iter().zip(report.outputs) {
            let result = self.published(attempt, &attempt.name, wanted, output.result).await;
            attempt.output(&wanted.job, result).await;
        }
        if let Some(job) = &open.cover {
            let result = match report.snapshots {
                Some(taken) => self.covered(attempt, &work_dir, job, taken).await,
                None => Told::Result(WorkResult::Failed(no_picture())),
            };
            attempt.cover(job, result).await;
        }
    }

    /// Runs ffmpeg, counts what it encodes, and shows how far `jobs` are. It ends early when none of them is wanted any
    /// more: cancelling a task leaves its covers to be taken, so the work as such goes on.
    async fn encode(
        &self,
        attempt: &Attempt<'_>,
        job: &TranscodeJob,
        jobs: &[&JobId],
    ) -> Result<TranscodeReport, PlanError> {
        let tracked = self.progress.track(jobs.iter().copied());
        let (progress, mut seen) = watch::channel(0);
        let cancel = attempt.work.cancel.child_token();
        let encoding = transcode(&self.tools, job, &cancel, &progress);
        let unwanted = self.until_unwanted(attempt, jobs);
        tokio::pin!(encoding, unwanted);
        let report = loop {
            tokio::select! {
                report = &mut encoding => break report?,
                Ok(()) = seen.changed() => tracked.set(*seen.borrow_and_update()),
                () = &mut unwanted, if !cancel.is_cancelled() => cancel.cancel(),
            }
        };
        self.encoded_frames.fetch_add(report.encoded_frames, Ordering::Relaxed);
        Ok(report)
    }

    /// Returns when all of `jobs` have a result, which others than this attempt recorded.
    async fn until_unwanted(&self, attempt: &Attempt<'_>, jobs: &[&JobId]) {
        if jobs.is_empty() {
            return std::future::pending().await;
        }
        let tenant = attempt.work.broadcast.tenant.as_str();
        for job in jobs {
            loop {
                match self.store.job(tenant, job.as_str()).await {
                    Ok(Some(row)) if row.completed_at.is_none() => {}
                    Ok(_) => break,
                    Err(error) => tracing::warn!(job.id = %job, error = %error, "a job cannot be looked up"),
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    /// Moves an output from the folder of `made_in`, where it stands, to its video.
    async fn published(
        &self,
        attempt: &Attempt<'_>,
        made_in: &str,
        wanted: &Wanted,
        result: Result<transcode::OutputFacts, Failure>,
    ) -> Told<OutputFacts> {
        let facts = match result {
            Ok(facts) => facts,
            Err(failure) => return told_of(&failure),
        };
        let (folder, entry) = match facts.entry.split_once('/') {
            Some((folder, entry)) => (folder.to_owned(), entry.to_owned()),
            None => (gathered(wanted.job.as_str()), facts.entry.clone()),
        };
        let is_loose = !facts.entry.contains('/');
        let done = self.blocking({
            let (made_in, video, job) = (made_in.to_owned(), attempt.video.clone(), wanted.job.clone());
            let entry = entry.clone();
            move |files| {
                if is_loose {
                    gather(&files.work_path(&made_in), &folder, [(entry.as_str(), entry.as_str())])?;
                }
                files.publish(&made_in, &folder, &video, job.as_str())
            }
        });
        match done.await {
            Ok(()) => Told::Result(WorkResult::Done(output_facts(format!("{}/{entry}", wanted.job), &facts))),
            Err(error) => {
                tracing::error!(job.id = %wanted.job, error = %error, "a rendition could not be published; it is made again");
                Told::Nothing
            }
        }
    }

    async fn covered(
        &self,
        attempt: &Attempt<'_>,
        work_dir: &Path,
        job: &JobId,
        taken: Result<Snapshots, Failure>,
    ) -> Told<CoverFacts> {
        let pictures = match taken {
            Ok(pictures) => pictures,
            Err(failure) => return told_of(&failure),
        };
        let count = pictures.files.len();
        let done = self.blocking({
            let (name, video, job) = (attempt.name.clone(), attempt.video.clone(), job.clone());
            let (work_dir, folder) = (work_dir.to_owned(), gathered(job.as_str()));
            move |files| {
                let names: Vec<String> = (1..=count).map(|index| format!("{index:05}.jpg")).collect();
                let taken = pictures.files.iter().map(|file| file.name.as_str());
                gather(&work_dir, &folder, taken.zip(names.iter().map(String::as_str)))?;
                files.publish(&name, &folder, &video, job.as_str())
            }
        });
        match done.await {
            Ok(()) => Told::Result(WorkResult::Done(CoverFacts {
                pattern: format!("{job}/{SNAPSHOT_INDEX}.jpg"),
                count: u32::try_from(count).unwrap_or(u32::MAX),
                cover: u32::try_from(count / 2 + 1).unwrap_or(1),
            })),
            Err(error) => {
                tracing::error!(job.id = %job, error = %error, "covers could not be published; they are taken again");
                Told::Nothing
            }
        }
    }
}

/// A recording as ffmpeg's plans describe it.
pub(crate) fn source(path: &Path, facts: &PartFacts) -> Source {
    Source {
        path: path.to_owned(),
        size_bytes: facts.bytes,
        duration_ms: facts.duration_ms,
        video: facts.video.as_ref().map(|video| VideoSource {
            codec: if video.codec == "H.265" { VideoCodec::H265 } else { VideoCodec::H264 },
            width: video.width,
            height: video.height,
            fps: video.fps,
        }),
        audio: facts.audio.as_ref().map(|audio| AudioSource {
            sample_rate: audio.sample_rate,
            channels: u8::try_from(audio.channels).unwrap_or(u8::MAX),
        }),
    }
}

/// Looks up the programs and says what is missing.
///
/// # Errors
/// Which program to install, and how.
pub fn tools(config: &crate::config::Jobs) -> Result<Tools, crate::ffmpeg::tools::ToolsError> {
    let mut tools = Tools::find()?;
    tools.strict = config.strict_sandbox;
    Ok(tools)
}
