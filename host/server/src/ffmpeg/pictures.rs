//! Pictures that somebody asked for: a series, sprite sheets made of one, and the captions that say which picture of a
//! sheet stands for which stretch of the video.
//!
//! In three steps. [`PictureSettings`] say what is wanted; `plan` turns them into one command that decodes once;
//! [`take`] runs it and gathers what is there. Files stay in the attempt's folder; publishing them is the caller's. It
//! knows neither videos nor how the settings came to be.

mod captions;
mod plan;
mod settings;

use std::path::PathBuf;

use cap_std::fs::Dir;
use tokio_util::sync::CancellationToken;

pub use self::captions::captions;
pub use self::plan::{MAX_PICTURES, PicturePlan, Refused};
pub use self::settings::{COLOURS, Captions, PictureSettings, Sheet, Times};
use super::error::{Failure, Reason, complaint_of_run};
use super::folder::within;
use super::plan::Source;
use super::process::{self, Outcome, RunSpec};
use super::tools::Tools;

/// The folder, in the attempt's folder, in which the pictures are gathered.
pub const FOLDER: &str = "pictures";

/// The captions' file in it.
pub const CAPTIONS: &str = "00001.vtt";

/// What to take of one source.
#[derive(Debug, Clone)]
pub struct PictureJob {
    pub source: Source,
    /// Absolute, existing and empty: this attempt's own folder.
    pub work_dir: PathBuf,
    pub settings: PictureSettings,
    pub threads: u32,
}

/// What was taken. Names are `00001.jpg` and on for a series, `sheet-00001.jpg` for sheets, `cell-00001.jpg` for the
/// pictures that a sheet was made of, all in [`FOLDER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Pictures on their own; of a sheet only if they are kept.
    pub pictures: u32,
    pub sheets: u32,
    /// Whether there are captions.
    pub captions: bool,
}

/// Takes the pictures.
///
/// # Errors
/// Why there are none: the settings make no sense for this source, the media is damaged, the host failed.
pub async fn take(tools: &Tools, job: &PictureJob, cancel: &CancellationToken) -> Result<Taken, Failure> {
    let plan = PicturePlan::of(&job.source, &job.settings, job.threads)
        .map_err(|refused| Failure::from(Reason::Refused { refusal: refused.to_string() }))?;
    within(&job.work_dir, |work| work.create_dir(FOLDER)).await?;
    run(tools, job, &plan, cancel).await?;
    let settings = job.settings.clone();
    let duration_ms = job.source.duration_ms;
    within(&job.work_dir, move |work| gather(&work.open_dir(FOLDER)?, &plan, &settings, duration_ms))
        .await?
        .ok_or_else(|| Reason::BadOutput { found: "no picture could be decoded".into() }.into())
}

async fn run(tools: &Tools, job: &PictureJob, plan: &PicturePlan, cancel: &CancellationToken) -> Result<(), Failure> {
    let spec = RunSpec {
        program: tools.ffmpeg.clone(),
        args: plan.args.clone(),
        work_dir: job.work_dir.clone(),
        readable: vec![job.source.path.clone()],
        limits: plan.limits(&job.source, job.threads),
        helper: tools.helper.clone(),
        strict: tools.strict,
    };
    match process::run(&spec, cancel, |_| {}).await {
        Outcome::Done => Ok(()),
        Outcome::Failed { reason, stderr_tail, .. } => {
            let detail = complaint_of_run(&stderr_tail, &job.source.path, &job.work_dir);
            Err(Failure { reason, detail })
        }
    }
}

/// Counts what the command left, removes what is not to be kept, and writes the captions.
fn gather(
    dir: &Dir,
    plan: &PicturePlan,
    settings: &PictureSettings,
    duration_ms: u64,
) -> std::io::Result<Option<Taken>> {
    let pictures = count(dir, plan.picture_prefix(), plan.at_ms.len())?;
    if pictures == 0 {
        return Ok(None);
    }
    let Some(grid) = &plan.grid else {
        return Ok(Some(Taken { pictures, sheets: 0, captions: false }));
    };
    let sheets = count(dir, plan::SHEET_PREFIX, plan.at_ms.len())?;
    let at_ms = &plan.at_ms[..plan.at_ms.len().min(pictures as usize)];
    if let Some(form) = settings.captions {
        dir.write(CAPTIONS, captions(grid, at_ms, duration_ms, form))?;
    }
    let keep = settings.keeps_cells();
    if !keep {
        for index in 1..=pictures {
            dir.remove_file(plan::picture_name(plan::CELL_PREFIX, index))?;
        }
    }
    Ok(Some(Taken { pictures: if keep { pictures } else { 0 }, sheets, captions: settings.captions.is_some() }))
}

/// How many plain files there are in a row; what a boxed program left is looked at without following links.
fn count(dir: &Dir, prefix: &str, most: usize) -> std::io::Result<u32> {
    let mut found = 0;
    for index in (1..).take(most) {
        match dir.symlink_metadata(plan::picture_name(prefix, index)) {
            Ok(meta) if meta.is_file() => found = index,
            Ok(_) => return Err(std::io::Error::other("a picture is not a plain file")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
