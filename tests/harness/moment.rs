//! Moments in the making of a composed video, as the data folder shows them from outside: what a process that is
//! killed, or a video that is deleted, is caught in.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use reprise_lifecycle::id::{BroadcastId, VideoId};

use crate::PATIENCE;

/// A copy takes some milliseconds, so the look must be shorter.
const LOOK: Duration = Duration::from_micros(300);

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Encoders make what cannot be copied.
    Composing,
    /// The one file is being written.
    Copying,
    /// The whole is being transcoded: something of a rendition is there.
    Transcoding,
}

/// The composed video of a broadcast.
pub fn composed(broadcast: &str) -> String {
    VideoId::of_compose(&BroadcastId::new(broadcast)).to_string()
}

impl Moment {
    /// Waits from now on until the moment is there, for this video in this data folder.
    ///
    /// # Errors
    /// When it does not come, or has passed unseen.
    pub fn watch(self, data: &Path, video: &str) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let (data, video, since) = (data.to_owned(), video.to_owned(), SystemTime::now());
        let seen = tokio::task::spawn_blocking(move || {
            let until = Instant::now() + PATIENCE;
            while Instant::now() < until {
                if self.is_now(&data, &video, since) {
                    return true;
                }
                std::thread::sleep(LOOK);
            }
            false
        });
        async move {
            anyhow::ensure!(seen.await?, "waited in vain for {self:?}");
            Ok(())
        }
    }

    /// What an earlier process left behind is no moment of this one.
    fn is_now(self, data: &Path, video: &str, since: SystemTime) -> bool {
        let work = data.join("work");
        match self {
            Self::Composing => is_younger(&work.join(format!("{video}-compose")), since),
            Self::Copying => is_younger(&data.join("media").join(video).join("source.mp4.new"), since),
            Self::Transcoding => {
                let young = |attempt: &PathBuf| is_younger(attempt, since) && holds_something(attempt);
                attempts(&work, video).iter().any(young)
            }
        }
    }
}

fn is_younger(path: &Path, since: SystemTime) -> bool {
    path.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|written| written >= since)
}

/// The folders of transcodes of a video.
fn attempts(work: &Path, video: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(work) else { return Vec::new() };
    let is_attempt = |path: &PathBuf| {
        let record = path.file_name().and_then(|name| name.to_str()?.strip_prefix(video)?.strip_prefix('-'));
        record.is_some_and(|record| record.bytes().all(|byte| byte.is_ascii_digit()))
    };
    entries.filter_map(Result::ok).map(|entry| entry.path()).filter(is_attempt).collect()
}

fn holds_something(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.filter_map(Result::ok).any(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => holds_something(&entry.path()),
        Ok(metadata) => metadata.len() > 0,
        Err(_) => false,
    })
}

/// Bytes of what a data folder keeps of a video.
///
/// # Errors
/// When its folder is there and cannot be read.
pub fn bytes_of(data: &Path, video: &str) -> anyhow::Result<u64> {
    let folder = data.join("media").join(video);
    if !folder.exists() {
        return Ok(0);
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
