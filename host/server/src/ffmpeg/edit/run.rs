//! Running an edit's command, and looking at what it left.

use std::path::{Path, PathBuf};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::error::{Failure, Reason, complaint};
use super::super::folder::within;
use super::super::probe::{self, Form, MediaFacts};
use super::super::process::{self, Outcome, RunSpec};
use super::super::tools::Tools;
use super::{EditPlan, RESULT};

/// One edit to be run.
#[derive(Debug, Clone)]
pub struct EditJob {
    pub plan: EditPlan,
    /// Absolute, existing and empty: this attempt's own folder. No material may lie in it: the program can write here.
    pub work_dir: PathBuf,
    /// How long the result will be.
    pub total_ms: u64,
}

/// What stands in the folder as [`RESULT`].
#[derive(Debug, Clone, PartialEq)]
pub struct EditFacts {
    pub media: MediaFacts,
}

/// A result may differ from its plan by a frame or two of picture and of sound, not by more.
const LENGTH_TOLERANCE_MS: u64 = 250;

/// Runs the command; `progress` goes from 0 to 100 and never back.
///
/// # Errors
/// Why there is no result.
pub async fn edit(
    tools: &Tools,
    job: &EditJob,
    cancel: &CancellationToken,
    progress: &watch::Sender<u8>,
) -> Result<EditFacts, Failure> {
    let texts = job.plan.texts.clone();
    within(&job.work_dir, move |work| texts.iter().try_for_each(|(name, text)| work.write(name, text))).await?;
    let spec = RunSpec {
        program: tools.ffmpeg.clone(),
        args: job.plan.args.clone(),
        work_dir: job.work_dir.clone(),
        readable: job.plan.readable.clone(),
        limits: job.plan.limits.clone(),
        helper: tools.helper.clone(),
        strict: tools.strict,
    };
    let report = |seen: super::super::progress::Progress| {
        let percent = seen.percent(job.total_ms).min(99);
        progress.send_if_modified(|known| {
            let more = percent > *known;
            *known = percent.max(*known);
            more
        });
    };
    match process::run(&spec, cancel, report).await {
        Outcome::Done => {}
        Outcome::Failed { reason, stderr_tail, .. } => {
            return Err(Failure { reason, detail: words(&stderr_tail, job) });
        }
    }
    let size_bytes = within(&job.work_dir, |work| {
        let meta = work.symlink_metadata(RESULT)?;
        if meta.is_file() { Ok(meta.len()) } else { Err(std::io::Error::other("the result is not a plain file")) }
    })
    .await?;
    let media = probe::probe(tools, &job.work_dir, Path::new(RESULT), Form::Mp4, size_bytes, cancel).await?;
    check(job, &media)?;
    progress.send_replace(100);
    Ok(EditFacts { media })
}

fn check(job: &EditJob, media: &MediaFacts) -> Result<(), Failure> {
    let has = (media.video.is_some(), media.audio.is_some());
    let apart_ms = media.duration_ms.abs_diff(job.total_ms);
    if has == (job.plan.has_picture, job.plan.has_sound) && apart_ms <= LENGTH_TOLERANCE_MS {
        return Ok(());
    }
    let word = |there: bool| if there { "with" } else { "no" };
    let found =
        format!("{} ms of {} ms, {} picture, {} sound", media.duration_ms, job.total_ms, word(has.0), word(has.1));
    Err(Reason::BadOutput { found }.into())
}

/// ffmpeg's words without the host's paths.
fn words(stderr: &str, job: &EditJob) -> String {
    let mut hidden = Vec::new();
    for (number, path) in job.plan.readable.iter().enumerate() {
        let path = path.display().to_string();
        hidden.push((format!("file:{path}"), format!("material {}", number + 1)));
        hidden.push((path, format!("material {}", number + 1)));
    }
    hidden.push((job.work_dir.display().to_string(), "job".to_owned()));
    let hidden: Vec<(&str, &str)> = hidden.iter().map(|(path, name)| (path.as_str(), name.as_str())).collect();
    complaint(stderr, &hidden)
}
