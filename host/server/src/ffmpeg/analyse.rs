//! What is to be seen and heard in a source: silence, black, standing pictures, scene changes, loudness, and a picture
//! that could be its cover.
//!
//! [`plan`] makes one command that decodes each track once and runs all detectors over it; they write what they find
//! into small files of the attempt's folder and into ffmpeg's log; [`read`](mod@read) turns those texts into
//! [`Findings`]. Both are pure. Times count from the source's first media.

pub mod plan;
pub mod read;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tokio_util::sync::CancellationToken;

use super::error::{Failure, Reason, complaint_of_run};
use super::limits::Limits;
use super::plan::{Refusal, Source};
use super::process::{self, Outcome, RunSpec};
use super::tools::Tools;

pub use read::{Findings, Span};

/// What to look at.
#[derive(Debug, Clone)]
pub struct AnalyseJob {
    pub source: Source,
    /// Absolute, existing and empty: this attempt's own folder.
    pub work_dir: PathBuf,
    /// Per decoder and filter graph.
    pub threads: u32,
    /// Instead of [`Limits::analysing`] the source.
    pub limits: Option<Limits>,
}

/// Looks at the whole source once.
pub async fn analyse(tools: &Tools, job: &AnalyseJob, cancel: &CancellationToken) -> Result<Findings, Failure> {
    let args = plan::plan(&job.source, job.threads).map_err(refused)?;
    let log = run(tools, job, args, cancel).await?;
    let mut notes = read::Notes { log, ..read::Notes::default() };
    let work_dir = job.work_dir.clone();
    let files = tokio::task::spawn_blocking(move || note_files(&work_dir));
    let files = files.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    [notes.picture, notes.scenes, notes.cover, notes.sound] = files.map_err(host)?;
    Ok(read::read(&notes, job.source.duration_ms))
}

/// Writes the source's MPEG-7 signature to [`plan::SIGNATURE`] in the attempt's folder.
pub async fn sign(tools: &Tools, job: &AnalyseJob, cancel: &CancellationToken) -> Result<(), Failure> {
    let args = plan::signature(&job.source, job.threads).map_err(refused)?;
    run(tools, job, args, cancel).await.map(drop)
}

/// Runs one command over the source and gives the end of its log.
async fn run(
    tools: &Tools,
    job: &AnalyseJob,
    args: Vec<std::ffi::OsString>,
    cancel: &CancellationToken,
) -> Result<String, Failure> {
    let source = &job.source;
    let spec = RunSpec {
        program: tools.ffmpeg.clone(),
        args,
        work_dir: job.work_dir.clone(),
        readable: vec![source.path.clone()],
        limits: job.limits.clone().unwrap_or_else(|| Limits::analysing(source, job.threads)),
        helper: tools.helper.clone(),
        strict: tools.strict,
    };
    match process::run_logged(&spec, cancel, |_| ()).await {
        (Outcome::Done, log) => Ok(log),
        (Outcome::Failed { reason, stderr_tail, .. }, _) => {
            Err(Failure { reason, detail: complaint_of_run(&stderr_tail, &source.path, &job.work_dir) })
        }
    }
}

fn refused(refusal: Refusal) -> Failure {
    Reason::Refused { refusal: refusal.to_string() }.into()
}

fn host(error: io::Error) -> Failure {
    Reason::Host { detail: error.to_string() }.into()
}

fn note_files(work_dir: &Path) -> io::Result<[String; 4]> {
    let dir = Dir::open_ambient_dir(work_dir, ambient_authority())?;
    let read = |name| note(&dir, name);
    Ok([read(plan::PICTURE)?, read(plan::SCENES)?, read(plan::COVER)?, read(plan::SOUND)?])
}

/// A detector that found nothing may have left no file. None is longer than the run's own limit of a file.
fn note(dir: &Dir, name: &str) -> io::Result<String> {
    let file = match dir.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(super::limits::MOST_NOTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
