//! The files of an attempt: made ready, listed, removed.

use std::io;
use std::path::Path;

use cap_std::fs::Dir;

use super::super::error::Failure;
use super::super::folder::within;
use super::super::plan::{Plan, PlannedOutput, PlannedSnapshots};
use super::OutputFile;

/// A day of one-second segments; a folder with more is not a playlist that anything can play.
const MOST_FILES: usize = 100_000;

/// Makes the folders that the outputs go to.
pub(super) async fn prepare(work_dir: &Path, plan: &Plan) -> Result<(), Failure> {
    let directories: Vec<String> = directories(plan);
    within(work_dir, move |work| {
        for directory in directories {
            work.create_dir_all(directory)?;
        }
        Ok(())
    })
    .await
}

/// Removes whatever there is of the outputs of `plan`.
pub(super) async fn discard(work_dir: &Path, plan: &Plan) -> Result<(), Failure> {
    let directories = directories(plan);
    let single = |output: &PlannedOutput| output.directory.is_none();
    let mut files: Vec<String> =
        plan.outputs.iter().filter(|output| single(output)).map(|output| output.entry.clone()).collect();
    files.extend(plan.snapshots.iter().flat_map(picture_names));
    within(work_dir, move |work| {
        for directory in directories {
            absent_is_fine(work.remove_dir_all(directory))?;
        }
        for file in files {
            absent_is_fine(work.remove_file(file))?;
        }
        Ok(())
    })
    .await
}

/// All files of one output.
pub(super) async fn files(work_dir: &Path, directory: Option<&str>, entry: &str) -> Result<Vec<OutputFile>, Failure> {
    let (directory, entry) = (directory.map(str::to_owned), entry.to_owned());
    within(work_dir, move |work| match &directory {
        None => Ok(vec![file(work, entry)?]),
        Some(directory) => {
            let mut found = Vec::new();
            for entry in work.read_dir(directory)? {
                let name = entry?.file_name();
                let name = name.to_str().ok_or(io::ErrorKind::InvalidData)?;
                found.push(file(work, format!("{directory}/{name}"))?);
                if found.len() > MOST_FILES {
                    return Err(io::Error::other("too many files"));
                }
            }
            found.sort();
            Ok(found)
        }
    })
    .await
}

/// The pictures that were taken, in order; a gap ends them.
pub(super) async fn pictures(work_dir: &Path, planned: &PlannedSnapshots) -> Result<Vec<OutputFile>, Failure> {
    let names: Vec<String> = picture_names(planned).collect();
    within(work_dir, move |work| {
        let present = |name| file(work, name).ok();
        Ok(names.into_iter().map_while(present).collect())
    })
    .await
}

fn picture_names(planned: &PlannedSnapshots) -> impl Iterator<Item = String> + use<> {
    let name = planned.name.clone();
    (1..=planned.most).map(move |index| format!("{name}-{index:05}.jpg"))
}

fn directories(plan: &Plan) -> Vec<String> {
    let directory = |output: &PlannedOutput| output.directory.clone();
    plan.outputs.iter().filter_map(directory).collect()
}

/// A plain file that is no link.
fn file(work: &Dir, name: String) -> io::Result<OutputFile> {
    let meta = work.symlink_metadata(&name)?;
    if !meta.is_file() {
        return Err(io::Error::other("an output is not a plain file"));
    }
    Ok(OutputFile { name, size_bytes: meta.len() })
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
