//! Jobs: the renditions and covers of a video's task, made by ffmpeg in one decode, each published by rename and
//! told to the driver with a result of its own. A job that fails on the host's account tells nothing and is
//! tried again; one that fails on the media's or the template's account has that as its result.

pub mod joining;
pub mod progress;
pub mod queue;
mod reuse;
pub mod schedule;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reprise_lifecycle::id::{JobId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::record::{CoverFacts, OutputFacts, WorkFailure, WorkResult};
use reprise_lifecycle::time::Timestamp;
use reprise_lifecycle::video::Task;
use tokio::sync::watch;

use self::progress::Progress;
use self::queue::{NoSlot, Queue};
use crate::api::template::rendition;
use crate::api::urls::SNAPSHOT_INDEX;
use crate::clock;
use crate::driver::{Handle, Work};
use crate::ffmpeg::error::{Failure, Fault};
use crate::ffmpeg::plan::{AudioSource, PlanError, Source, VideoSource};
use crate::ffmpeg::snapshot::SnapshotPlan;
use crate::ffmpeg::template::{Rendition, VideoCodec};
use crate::ffmpeg::tools::Tools;
use crate::ffmpeg::transcode::{self, Snapshots, TranscodeJob, TranscodeReport, transcode};
use crate::files::{self, Files};

/// The vendor's code for media that cannot be processed.
const BAD_MEDIA: &str = "InvalidParameter.ResourceContentBad";

/// The vendor's code for a template that cannot be applied.
const BAD_TEMPLATE: &str = "InvalidParameter.Template";

/// Threads of one ffmpeg; with one process for every two cores, ingest keeps its share.
const THREADS: u32 = 2;

/// The vendor's default.
const DEFAULT_PRIORITY: u8 = 6;

/// Runs jobs, a bounded number at a time.
#[derive(Debug)]
pub struct Jobs {
    files: Arc<Files>,
    tools: Tools,
    queue: Queue,
    progress: Progress,
    encoded_frames: AtomicU64,
}

/// One rendition to be made.
struct Wanted {
    job: JobId,
    rendition: Rendition,
}

/// What a task still lacks.
struct Open {
    wanted: Vec<Wanted>,
    cover: Option<JobId>,
}

/// Where one attempt's results go.
struct Attempt<'a> {
    work: &'a Work,
    handle: &'a Handle,
    video: &'a VideoId,
    name: String,
    started_at: Timestamp,
}

impl Jobs {
    /// At most `workers` processes at once; 0 is one for every two cores.
    pub fn new(files: Arc<Files>, tools: Tools, workers: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = if workers == 0 { (cores / 2).max(1) } else { workers };
        Self {
            files,
            tools,
            queue: Queue::new(workers),
            progress: Progress::default(),
            encoded_frames: AtomicU64::new(0),
        }
    }

    /// The line in which all work for ffmpeg waits for its slot.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// How far running jobs are.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Pictures encoded for renditions since the server started.
    pub fn encoded_frames(&self) -> u64 {
        self.encoded_frames.load(Ordering::Relaxed)
    }

    /// Makes what a video's task still lacks.
    pub async fn process(&self, work: &Work, handle: &Handle, video: &VideoId) {
        let Some(known) = work.broadcast.videos.get(video) else { return };
        let (Some(task), Some(facts)) = (known.task(), &known.facts) else { return };
        let slot = self.queue.acquire(work.broadcast.tenant.as_str(), DEFAULT_PRIORITY, &work.cancel).await;
        let _slot = match slot {
            Ok(slot) => slot,
            Err(NoSlot::Cancelled) => return,
            Err(full @ NoSlot::Full(_)) => {
                tracing::warn!(video.id = %video, reason = %full, "a task waits outside the queue; it is tried again");
                return;
            }
        };
        let name = format!("{video}-{}", work.effect_id.record);
        let attempt = Attempt { work, handle, video, name, started_at: clock::now() };
        let open = attempt.open(task).await;
        if !open.wanted.is_empty() || open.cover.is_some() {
            self.run(&attempt, facts, &open).await;
        }
        if let Err(error) = self.files.remove_work(&attempt.name) {
            tracing::warn!(attempt = attempt.name, error = %error, "an attempt's folder could not be removed");
        }
    }

    async fn run(&self, attempt: &Attempt<'_>, facts: &PartFacts, open: &Open) {
        let work_dir = match self.files.fresh_work(&attempt.name) {
            Ok(dir) => dir,
            Err(error) => {
                tracing::error!(video.id = %attempt.video, error = %error, "no folder for a job; it is tried again");
                return;
            }
        };
        let job = TranscodeJob {
            source: source(&self.files.media_path(attempt.video, files::SOURCE), facts),
            work_dir: work_dir.clone(),
            renditions: open.wanted.iter().map(|wanted| wanted.rendition.clone()).collect(),
            snapshots: open.cover.as_ref().map(|job| SnapshotPlan::cover(job.as_str(), facts.duration_ms)),
            threads: THREADS,
            limits: None,
        };
        let report = match self.encode(&job, attempt, open).await {
            Ok(report) => report,
            Err(error) => {
                let failure = WorkFailure { code: BAD_TEMPLATE.to_owned(), message: error.to_string() };
                attempt.fail_all(open, &failure).await;
                return;
            }
        };
        for (wanted, output) in open.wanted.iter().zip(report.outputs) {
            let result = self.published(attempt, &work_dir, wanted, output.result);
            attempt.output(&wanted.job, result).await;
        }
        if let Some(job) = &open.cover {
            let result = report.snapshots.map(|taken| self.covered(attempt, &work_dir, job, taken));
            attempt.cover(job, result.unwrap_or_else(|| Told::Result(WorkResult::Failed(no_picture())))).await;
        }
    }

    /// Runs ffmpeg and shows how far it is.
    async fn encode(
        &self,
        job: &TranscodeJob,
        attempt: &Attempt<'_>,
        open: &Open,
    ) -> Result<TranscodeReport, PlanError> {
        let tracked = self.progress.track(open.wanted.iter().map(|wanted| &wanted.job));
        let (progress, mut seen) = watch::channel(0);
        let encoding = transcode(&self.tools, job, &attempt.work.cancel, &progress);
        tokio::pin!(encoding);
        let report = loop {
            tokio::select! {
                report = &mut encoding => break report?,
                Ok(()) = seen.changed() => tracked.set(*seen.borrow_and_update()),
            }
        };
        self.encoded_frames.fetch_add(report.encoded_frames, Ordering::Relaxed);
        Ok(report)
    }

    fn published(
        &self,
        attempt: &Attempt<'_>,
        work_dir: &Path,
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
        let gather = if facts.entry.contains('/') {
            Ok(())
        } else {
            gather(work_dir, &folder, [(facts.entry.as_str(), entry.as_str())])
        };
        let done = gather.and_then(|()| self.files.publish(&attempt.name, &folder, attempt.video, wanted.job.as_str()));
        match done {
            Ok(()) => Told::Result(WorkResult::Done(output_facts(format!("{}/{entry}", wanted.job), &facts))),
            Err(error) => {
                tracing::error!(job.id = %wanted.job, error = %error, "a rendition could not be published; it is made again");
                Told::Nothing
            }
        }
    }

    fn covered(
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
        let names: Vec<String> = (1..=pictures.files.len()).map(|index| format!("{index:05}.jpg")).collect();
        let moves = pictures.files.iter().map(|file| file.name.as_str()).zip(names.iter().map(String::as_str));
        let folder = gathered(job.as_str());
        let done = gather(work_dir, &folder, moves)
            .and_then(|()| self.files.publish(&attempt.name, &folder, attempt.video, job.as_str()));
        match done {
            Ok(()) => Told::Result(WorkResult::Done(CoverFacts {
                pattern: format!("{job}/{SNAPSHOT_INDEX}.jpg"),
                count: u32::try_from(pictures.files.len()).unwrap_or(u32::MAX),
                cover: u32::try_from(pictures.files.len() / 2 + 1).unwrap_or(1),
            })),
            Err(error) => {
                tracing::error!(job.id = %job, error = %error, "covers could not be published; they are taken again");
                Told::Nothing
            }
        }
    }
}

/// What is told of a piece of work.
enum Told<T> {
    /// This came of it.
    Result(WorkResult<T>),
    /// Nothing yet: it is tried again.
    Nothing,
}

impl Attempt<'_> {
    /// What the task still lacks. Templates that cannot be applied have their result at once.
    async fn open(&self, task: &Task) -> Open {
        let mut wanted = Vec::new();
        for output in task.outputs.iter().filter(|output| output.finished.is_none()) {
            match rendition::of(&output.template) {
                Ok(rendition) => wanted.push(Wanted { job: output.job.clone(), rendition }),
                Err(problem) => {
                    let failure = WorkFailure { code: BAD_TEMPLATE.to_owned(), message: problem.to_string() };
                    self.output(&output.job, Told::Result(WorkResult::Failed(failure))).await;
                }
            }
        }
        let cover = task.cover.as_ref().filter(|cover| cover.result.is_none());
        Open { wanted, cover: cover.map(|cover| cover.job.clone()) }
    }

    async fn fail_all(&self, open: &Open, failure: &WorkFailure) {
        for wanted in &open.wanted {
            self.output(&wanted.job, Told::Result(WorkResult::Failed(failure.clone()))).await;
        }
        if let Some(job) = &open.cover {
            self.cover(job, Told::Result(WorkResult::Failed(failure.clone()))).await;
        }
    }

    async fn output(&self, job: &JobId, told: Told<OutputFacts>) {
        let Told::Result(result) = told else { return };
        let (video, job) = (self.video.clone(), job.clone());
        self.tell(Input::OutputFinished { video, job, result, started_at: self.started_at }).await;
    }

    async fn cover(&self, job: &JobId, told: Told<CoverFacts>) {
        let Told::Result(result) = told else { return };
        self.tell(Input::CoverFinished { video: self.video.clone(), job: job.clone(), result }).await;
    }

    async fn tell(&self, input: Input) {
        if let Err(error) = self.handle.job_input(&self.work.broadcast.id, input).await {
            tracing::warn!(video.id = %self.video, error = %error, "a job's result was not recorded; it is made again");
        }
    }
}

/// A folder in which loose files are gathered, so that they appear together.
fn gathered(job: &str) -> String {
    format!("done-{job}")
}

fn gather<'a>(
    work_dir: &Path,
    folder: &str,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> std::io::Result<()> {
    let dir = cap_std::fs::Dir::open_ambient_dir(work_dir, cap_std::ambient_authority())?;
    dir.create_dir(folder)?;
    let to = dir.open_dir(folder)?;
    for (from, name) in files {
        dir.rename(from, &to, name)?;
    }
    Ok(())
}

fn told_of<T>(failure: &Failure) -> Told<T> {
    match failure.reason.fault() {
        Fault::Job => {
            let message = failure.to_string();
            Told::Result(WorkResult::Failed(WorkFailure { code: BAD_MEDIA.to_owned(), message }))
        }
        Fault::Host => {
            tracing::error!(error = %failure, "a job failed on this machine's account; it is tried again");
            Told::Nothing
        }
        Fault::Cancelled => Told::Nothing,
    }
}

fn no_picture() -> WorkFailure {
    WorkFailure { code: BAD_MEDIA.to_owned(), message: "the source has no picture".to_owned() }
}

fn source(path: &Path, facts: &PartFacts) -> Source {
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

fn output_facts(file: String, facts: &transcode::OutputFacts) -> OutputFacts {
    let media = &facts.media;
    let (video, audio) = (media.video.as_ref(), media.audio.as_ref());
    let codec = match (video.map(|video| video.codec.as_str()), audio.map(|audio| audio.codec.as_str())) {
        (Some("hevc"), _) => "H.265",
        (Some(_), _) => "H.264",
        (None, Some("mp3")) => "MP3",
        (None, _) => "AAC",
    };
    OutputFacts {
        file,
        width: video.map_or(0, |video| video.width),
        height: video.map_or(0, |video| video.height),
        fps: video.map_or(0.0, |video| video.fps),
        duration_ms: media.duration_ms,
        bitrate_kbps: u64::from(media.bitrate_kbps),
        bytes: media.size_bytes,
        codec: codec.to_owned(),
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
