//! The trash: one folder per removal, `<time>-<video>-<number>`, holding what was moved under its old name. Moving is a
//! rename, so it costs nothing and a crash leaves each file in one place or the other.

use std::io;

use cap_std::fs::Dir;
use reprise_lifecycle::id::{RecordSeq, VideoId};
use reprise_lifecycle::time::Timestamp;
use reprise_lifecycle::work::Removal;

use crate::files::{Files, SOURCE, SOURCE_INDEX, sync};

/// What makes up a video's source: the recording, or what it was composed of.
const SOURCE_FILES: [&str; 4] = [SOURCE, SOURCE_INDEX, "compose.json", "parts"];

/// Moves what `what` means of a video to the trash. What is not there was moved before.
///
/// # Errors
/// When something is there and cannot be moved.
pub(super) fn discard(
    files: &Files,
    video: &VideoId,
    what: &Removal,
    record: RecordSeq,
    now: Timestamp,
) -> io::Result<()> {
    let name = name(video, record, now);
    match what {
        Removal::Video => discard_folder(files, video.as_str(), &name),
        Removal::Source => discard_some(files, video, &SOURCE_FILES, &name),
        Removal::Streams(jobs) => {
            let jobs: Vec<&str> = jobs.iter().map(AsRef::as_ref).collect();
            discard_some(files, video, &jobs, &name)
        }
    }
}

/// The name of a removal's folder; its time is when the grace begins.
pub(super) fn name(video: &VideoId, record: RecordSeq, now: Timestamp) -> String {
    format!("{}-{video}-{record}", now.0.max(0))
}

/// Moves a folder of `media` with all in it.
pub(super) fn discard_folder(files: &Files, folder: &str, name: &str) -> io::Result<()> {
    absent_is_fine(files.media().rename(folder, files.trash(), name))?;
    sync(files.trash())?;
    sync(files.media())
}

fn discard_some(files: &Files, video: &VideoId, names: &[&str], name: &str) -> io::Result<()> {
    let from = match files.video(video) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    files.trash().create_dir_all(name)?;
    let to = files.trash().open_dir(name)?;
    for name in names {
        absent_is_fine(from.rename(name, &to, name))?;
    }
    sync(&to)?;
    sync(files.trash())?;
    sync(&from)
}

/// Deletes the removals whose grace is over. Says how many. One that cannot be deleted is logged and left for the next
/// time: the others' room is needed meanwhile.
///
/// # Errors
/// When the trash cannot be listed.
pub(super) fn empty(files: &Files, grace_ms: i64, now: Timestamp) -> io::Result<usize> {
    let mut emptied = 0;
    for entry in files.trash().entries()? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(moved_at) = name.split('-').next().and_then(|time| time.parse::<i64>().ok()) else { continue };
        if moved_at.saturating_add(grace_ms) > now.0 {
            continue;
        }
        match remove(files.trash(), name) {
            Ok(()) => emptied += 1,
            Err(error) => tracing::error!(folder = name, error = %error, "trash could not be deleted"),
        }
    }
    Ok(emptied)
}

fn remove(dir: &Dir, name: &str) -> io::Result<()> {
    if dir.symlink_metadata(name)?.is_dir() { dir.remove_dir_all(name) } else { dir.remove_file(name) }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
