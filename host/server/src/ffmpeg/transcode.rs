//! A whole transcode: all renditions and pictures of one source, each with a result of its own.
//!
//! First everything in one command, which decodes once. If that fails for a reason that may be one output's fault, each
//! output gets a run of its own, so that the good ones stand and the bad one has its own reason. Outputs stay in the
//! attempt's folder; publishing them is the caller's, by rename. It knows neither videos nor where results go.

mod outputs;
mod piped;

pub use piped::transcode_piped;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::error::{Failure, Reason, complaint_of_run};
use super::limits::Limits;
use super::plan::{Plan, PlanError, PlannedOutput, PlannedSnapshots, Source, plan};
use super::probe::{self, Form, MediaFacts};
use super::process::{self, Outcome, RunSpec};
use super::snapshot::SnapshotPlan;
use super::template::{Rendition, Track};
use super::tools::Tools;

/// What to make of one source.
#[derive(Debug, Clone)]
pub struct TranscodeJob {
    pub source: Source,
    /// Absolute, existing and empty: this attempt's own folder.
    pub work_dir: PathBuf,
    pub renditions: Vec<Rendition>,
    pub snapshots: Option<SnapshotPlan>,
    /// Per decoder and encoder.
    pub threads: u32,
    /// Instead of [`Limits::of`] the plan.
    pub limits: Option<Limits>,
}

/// What became of it, in the order asked.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscodeReport {
    pub outputs: Vec<OutputResult>,
    /// `None` if none were asked for, or the source has no picture.
    pub snapshots: Option<Result<Snapshots, Failure>>,
    /// Whether the outputs had to be made one by one.
    pub one_by_one: bool,
    /// Pictures that were encoded for renditions, over all outputs and tries.
    pub encoded_frames: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct OutputResult {
    pub key: String,
    pub result: Result<OutputFacts, Failure>,
}

/// One output that stands in the attempt's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputFacts {
    /// What a player opens, relative to the folder.
    pub entry: String,
    /// All files, the entry among them, sorted by name.
    pub files: Vec<OutputFile>,
    pub media: MediaFacts,
}

/// A file relative to the attempt's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OutputFile {
    pub name: String,
    pub size_bytes: u64,
}

/// Pictures in order of time; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshots {
    pub files: Vec<OutputFile>,
}

impl Snapshots {
    /// The picture that stands for the video: the middle one.
    pub fn cover(&self) -> Option<&OutputFile> {
        self.files.get(self.files.len() / 2)
    }
}

/// Makes all that `job` asks for; `progress` goes from 0 to 100 and never back. Errors are the caller's mistakes; what
/// media and hosts do wrong is in the report.
pub async fn transcode(
    tools: &Tools,
    job: &TranscodeJob,
    cancel: &CancellationToken,
    progress: &watch::Sender<u8>,
) -> Result<TranscodeReport, PlanError> {
    let run = Run { tools, job, cancel, progress, encoded_frames: AtomicU64::new(0) };
    let all = plan(&job.source, &job.renditions, job.snapshots.as_ref(), job.threads)?;
    let report = match run.command(&all, (0, 1)).await {
        Ok(()) => run.gather(&all, false).await,
        Err(failure) if run.worth_splitting(&all, &failure) => run.one_by_one(&all).await?,
        Err(failure) => all_failed(&all, &failure),
    };
    progress.send_replace(100);
    let encoded_frames = run.encoded_frames.load(Ordering::Relaxed);
    Ok(TranscodeReport { encoded_frames, ..report.in_order(&job.renditions, &all) })
}

struct Run<'a> {
    tools: &'a Tools,
    job: &'a TranscodeJob,
    cancel: &'a CancellationToken,
    progress: &'a watch::Sender<u8>,
    encoded_frames: AtomicU64,
}

impl Run<'_> {
    /// Runs the command of `plan`, which is number `turn.0` of `turn.1`.
    async fn command(&self, plan: &Plan, turn: (usize, usize)) -> Result<(), Failure> {
        if plan.is_empty() {
            return Ok(());
        }
        if self.cancel.is_cancelled() {
            return Err(Reason::Cancelled.into());
        }
        outputs::prepare(&self.job.work_dir, plan).await?;
        let source = &self.job.source;
        let spec = self.spec(plan, vec![source.path.clone()]);
        let mut frames = 0;
        let report = |progress: super::progress::Progress| {
            frames = progress.frames.max(frames);
            let percent = usize::from(progress.percent(source.duration_ms));
            let total = (turn.0 * 100 + percent) / turn.1.max(1);
            let total = u8::try_from(total.min(99)).unwrap_or(99);
            self.progress.send_if_modified(|seen| {
                let more = total > *seen;
                *seen = total.max(*seen);
                more
            });
        };
        let outcome = process::run(&spec, self.cancel, report).await;
        self.encoded_frames.fetch_add(frames.saturating_mul(encoders(plan, &self.job.renditions)), Ordering::Relaxed);
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Failed { reason, stderr_tail, .. } => {
                Err(Failure { reason, detail: self.complaint(&stderr_tail) })
            }
        }
    }

    fn spec(&self, plan: &Plan, readable: Vec<PathBuf>) -> RunSpec {
        let job = self.job;
        let limits = job.limits.clone().unwrap_or_else(|| Limits::of(plan, &job.source, &job.renditions, job.threads));
        RunSpec {
            program: self.tools.ffmpeg.clone(),
            args: plan.args.clone(),
            work_dir: job.work_dir.clone(),
            readable,
            limits,
            helper: self.tools.helper.clone(),
            strict: self.tools.strict,
        }
    }

    /// ffmpeg's words without the host's paths.
    fn complaint(&self, stderr: &str) -> String {
        complaint_of_run(stderr, &self.job.source.path, &self.job.work_dir)
    }

    fn worth_splitting(&self, plan: &Plan, failure: &Failure) -> bool {
        let parts = plan.outputs.len() + usize::from(plan.snapshots.is_some());
        parts > 1 && failure.reason.may_be_one_outputs_fault()
    }

    /// A run for each output of `all`, and one for the pictures.
    async fn one_by_one(&self, all: &Plan) -> Result<TranscodeReport, PlanError> {
        let job = self.job;
        let turns = all.outputs.len() + usize::from(all.snapshots.is_some());
        let mut report = TranscodeReport { outputs: Vec::new(), snapshots: None, one_by_one: true, encoded_frames: 0 };
        let planned = |r: &&Rendition| all.outputs.iter().any(|output| output.key == r.key);
        let mut singles = Vec::new();
        for rendition in job.renditions.iter().filter(planned) {
            let rendition = std::slice::from_ref(rendition);
            singles.push(plan(&job.source, rendition, None, job.threads)?);
        }
        if all.snapshots.is_some() {
            let snapshots = job.snapshots.as_ref();
            singles.push(plan(&job.source, &[], snapshots, job.threads)?);
        }
        // What the failed command left is of no use, and would count as a single run's.
        self.discard(all).await;
        for (turn, single) in singles.iter().enumerate() {
            let part = match self.command(single, (turn, turns)).await {
                Ok(()) => self.gather(single, true).await,
                Err(failure) => {
                    self.discard(single).await;
                    all_failed(single, &failure)
                }
            };
            report.outputs.extend(part.outputs);
            report.snapshots = report.snapshots.or(part.snapshots);
        }
        Ok(report)
    }

    async fn discard(&self, plan: &Plan) {
        if let Err(failure) = outputs::discard(&self.job.work_dir, plan).await {
            // The folder is the attempt's own and goes as a whole in the end.
            tracing::debug!(error = %failure, "failed to remove partial outputs");
        }
    }

    /// Looks at all that a command which ended well should have left.
    async fn gather(&self, plan: &Plan, one_by_one: bool) -> TranscodeReport {
        let mut outputs = Vec::new();
        for output in &plan.outputs {
            outputs.push(OutputResult { key: output.key.clone(), result: self.output(output).await });
        }
        let snapshots = match &plan.snapshots {
            Some(planned) => Some(self.pictures(planned).await),
            None => None,
        };
        TranscodeReport { outputs, snapshots, one_by_one, encoded_frames: 0 }
    }

    async fn output(&self, planned: &PlannedOutput) -> Result<OutputFacts, Failure> {
        let has = (planned.video, planned.audio);
        let directory = planned.directory.as_deref();
        inspect(self.tools, &self.job.work_dir, directory, &planned.entry, has, self.cancel).await
    }

    async fn pictures(&self, planned: &PlannedSnapshots) -> Result<Snapshots, Failure> {
        let files = outputs::pictures(&self.job.work_dir, planned).await?;
        if files.is_empty() {
            let found = "no picture could be decoded".into();
            return Err(Reason::BadOutput { found }.into());
        }
        Ok(Snapshots { files })
    }
}

impl TranscodeReport {
    /// Puts results and refusals in the order in which the renditions were asked for.
    fn in_order(mut self, renditions: &[Rendition], all: &Plan) -> Self {
        for (key, refusal) in &all.refused {
            let refusal = refusal.to_string();
            self.outputs.push(OutputResult { key: key.clone(), result: Err(Reason::Refused { refusal }.into()) });
        }
        let place = |key: &str| renditions.iter().position(|r| r.key == key);
        self.outputs.sort_by_key(|output| place(&output.key));
        self
    }
}

/// Looks at an output that stands in `work_dir`: a file, or a playlist in a folder. `expected` says whether it must have
/// a picture and whether it must have sound.
///
/// # Errors
/// When it is not what was expected, or cannot be looked at.
pub async fn inspect(
    tools: &Tools,
    work_dir: &Path,
    directory: Option<&str>,
    entry: &str,
    expected: (bool, bool),
    cancel: &CancellationToken,
) -> Result<OutputFacts, Failure> {
    let files = outputs::files(work_dir, directory, entry).await?;
    let size_bytes = files.iter().map(|file| file.size_bytes).sum();
    let form = match directory {
        Some(_) => Form::Hls,
        None => Form::Mp4,
    };
    let media = probe::probe(tools, work_dir, Path::new(entry), form, size_bytes, cancel).await?;
    let has = (media.video.is_some(), media.audio.is_some());
    if has != expected || media.duration_ms == 0 {
        let with = |there| if there { "with" } else { "no" };
        let found = format!("{} ms, {} video, {} audio", media.duration_ms, with(has.0), with(has.1));
        return Err(Reason::BadOutput { found }.into());
    }
    Ok(OutputFacts { entry: entry.to_owned(), files, media })
}

fn all_failed(plan: &Plan, failure: &Failure) -> TranscodeReport {
    let failed = |output: &PlannedOutput| OutputResult { key: output.key.clone(), result: Err(failure.clone()) };
    TranscodeReport {
        outputs: plan.outputs.iter().map(failed).collect(),
        snapshots: plan.snapshots.as_ref().map(|_| Err(failure.clone())),
        one_by_one: false,
        encoded_frames: 0,
    }
}

/// Outputs of a plan that encode a picture. ffmpeg counts the frames of the first one; the others decode the same.
fn encoders(plan: &Plan, renditions: &[Rendition]) -> u64 {
    let encodes = |key: &str| {
        renditions.iter().any(|rendition| rendition.key == key && matches!(rendition.video, Some(Track::Encode(_))))
    };
    plan.outputs.iter().filter(|output| output.video && encodes(&output.key)).count() as u64
}
