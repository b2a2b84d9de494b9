//! A transcode of what is still being recorded: one command that is fed as the media comes.
//!
//! It makes the same outputs as the ordinary way. Nothing is tried again one by one: what does not come of it is made
//! the ordinary way once the source is whole.

use std::sync::atomic::AtomicU64;

use tokio::process::ChildStdin;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::error::{Failure, Reason};
use super::super::plan::{PlanError, plan_piped};
use super::super::process::{self, Outcome};
use super::super::progress::Progress;
use super::super::tools::Tools;
use super::{Run, TranscodeJob, TranscodeReport, all_failed, encoders, outputs};

/// Makes all renditions of `job` from what `feed` writes; its snapshots and its source's path are of no account, and
/// the source's length and size are those that it must not exceed. `written_ms` is told how much media was written.
pub async fn transcode_piped<F>(
    tools: &Tools,
    job: &TranscodeJob,
    cancel: &CancellationToken,
    written_ms: &watch::Sender<u64>,
    feed: impl FnOnce(ChildStdin) -> F,
) -> Result<TranscodeReport, PlanError>
where
    F: Future<Output = Result<(), Reason>>,
{
    let (percent, _) = watch::channel(0);
    let run = Run { tools, job, cancel, progress: &percent, encoded_frames: AtomicU64::new(0) };
    let all = plan_piped(&job.source, &job.renditions, job.threads)?;
    let mut frames = 0;
    let report = |progress: Progress| {
        frames = progress.frames.max(frames);
        written_ms.send_replace(progress.out_time_ms);
    };
    let done = match outputs::prepare(&job.work_dir, &all).await {
        Err(failure) => Err(failure),
        Ok(()) => match process::run_fed(&run.spec(&all, Vec::new()), cancel, report, feed).await {
            Outcome::Done => Ok(()),
            Outcome::Failed { reason, stderr_tail, .. } => Err(Failure { reason, detail: run.complaint(&stderr_tail) }),
        },
    };
    let report = match done {
        Ok(()) => run.gather(&all, false).await,
        Err(failure) => all_failed(&all, &failure),
    };
    let encoded_frames = frames.saturating_mul(encoders(&all, &job.renditions));
    Ok(TranscodeReport { encoded_frames, ..report.in_order(&job.renditions, &all) })
}
