//! Pictures that tenants ask for: one job at a time from its frozen settings to files that play, published by rename
//! and told to the driver. A job that fails on the host's account tells nothing and is tried again; one that fails on
//! the media's or the settings' account has that as its result.

use std::sync::Arc;

use reprise_lifecycle::id::{JobId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::record::{WorkFailure, WorkResult};
use reprise_lifecycle::work::{DEFAULT_PRIORITY, PictureFacts, PictureKind, PicturesPlan};

use crate::api::urls::SNAPSHOT_INDEX;
use crate::driver::{Handle, Work};
use crate::ffmpeg::error::Fault;
use crate::ffmpeg::pictures::{FOLDER, PictureJob, PictureSettings, Taken, take};
use crate::ffmpeg::tools::Tools;
use crate::files::{self, Files};
use crate::jobs::queue::Queue;

/// The vendor's code for media or settings that give no picture.
const BAD_MEDIA: &str = "InvalidParameter.ResourceContentBad";

/// Threads of one ffmpeg.
const THREADS: u32 = 2;

/// Takes pictures.
#[derive(Debug)]
pub struct Pictures {
    files: Arc<Files>,
    tools: Tools,
    queue: Queue,
}

impl Pictures {
    /// Takes pictures of the videos in `files`; each job waits for its slot in `queue`.
    pub fn new(files: Arc<Files>, tools: Tools, queue: Queue) -> Self {
        Self { files, tools, queue }
    }

    /// Takes the pictures of one job and tells what came of it.
    pub async fn take(&self, work: &Work, handle: &Handle, video: &VideoId, job: &JobId, plan: &PicturesPlan) {
        let known = work.broadcast.videos.get(video);
        let Some(facts) = known.and_then(|video| video.facts.as_ref()) else { return };
        let asked = known.and_then(|video| video.pictures.iter().find(|pictures| &pictures.job == job));
        let priority = asked.map_or(DEFAULT_PRIORITY, |pictures| pictures.request.priority);
        let tenant = work.broadcast.tenant.as_str();
        let Ok(_slot) = self.queue.acquire(tenant, priority, &work.cancel).await else { return };
        let attempt = format!("{video}-{}", work.effect_id.record);
        let taken = self.attempt(work, &attempt, video, job, facts, plan).await;
        let files = Arc::clone(&self.files);
        let removed = tokio::task::spawn_blocking(move || files.remove_work(&attempt)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(job.id = %job, error = %error, "an attempt's folder could not be removed");
        }
        let Some(result) = taken else { return };
        let input = Input::PicturesFinished { video: video.clone(), job: job.clone(), result };
        if let Err(error) = handle.job_input(&work.broadcast.id, input).await {
            tracing::warn!(job.id = %job, error = %error, "taken pictures were not recorded; they are taken again");
        }
    }

    /// What came of it; nothing when it is to be tried again.
    async fn attempt(
        &self,
        work: &Work,
        attempt: &str,
        video: &VideoId,
        job: &JobId,
        facts: &PartFacts,
        plan: &PicturesPlan,
    ) -> Option<WorkResult<Vec<PictureFacts>>> {
        let settings: PictureSettings = match serde_json::from_str(&plan.settings) {
            Ok(settings) => settings,
            Err(error) => return Some(failed(format!("the settings cannot be read: {error}"))),
        };
        let host = |error: std::io::Error| {
            tracing::error!(job.id = %job, error = %error, "pictures could not be taken or kept; they are taken again");
        };
        let work_dir = self.blocking({
            let attempt = attempt.to_owned();
            move |files| files.fresh_work(&attempt)
        });
        let work_dir = work_dir.await.map_err(host).ok()?;
        let source = crate::jobs::source(&self.files.media_path(video, files::SOURCE), facts);
        let picture_job = PictureJob { source, work_dir, settings, threads: THREADS };
        let taken = match take(&self.tools, &picture_job, &work.cancel).await {
            Ok(taken) => taken,
            Err(failure) => match failure.reason.fault() {
                Fault::Job => return Some(failed(failure.to_string())),
                Fault::Host => {
                    tracing::error!(job.id = %job, error = %failure, "pictures failed on this machine's account");
                    return None;
                }
                Fault::Cancelled => return None,
            },
        };
        let published = self.blocking({
            let (attempt, video, job) = (attempt.to_owned(), video.clone(), job.clone());
            move |files| files.publish(&attempt, FOLDER, &video, job.as_str())
        });
        published.await.map_err(host).ok()?;
        Some(WorkResult::Done(series(job, plan.kind, taken)))
    }

    /// File work off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> std::io::Result<T> + Send + 'static,
    ) -> std::io::Result<T> {
        let files = Arc::clone(&self.files);
        tokio::task::spawn_blocking(move || work(&files))
            .await
            .unwrap_or_else(|panic| Err(std::io::Error::other(panic)))
    }
}

fn failed<T>(message: String) -> WorkResult<T> {
    WorkResult::Failed(WorkFailure { code: BAD_MEDIA.to_owned(), message })
}

/// What was taken, as series: what was asked for first, then what it was made of.
fn series(job: &JobId, kind: PictureKind, taken: Taken) -> Vec<PictureFacts> {
    let one = |kind, name: &str, count| PictureFacts { kind, pattern: format!("{job}/{name}"), count };
    let mut all = Vec::new();
    if taken.captions {
        all.push(one(PictureKind::WebVtt, &format!("{SNAPSHOT_INDEX}.vtt"), 1));
    }
    if taken.sheets > 0 {
        all.push(one(PictureKind::Sprite, &format!("sheet-{SNAPSHOT_INDEX}.jpg"), taken.sheets));
        if taken.pictures > 0 {
            all.push(one(PictureKind::SpriteOrigin, &format!("cell-{SNAPSHOT_INDEX}.jpg"), taken.pictures));
        }
    } else {
        all.push(one(kind, &format!("{SNAPSHOT_INDEX}.jpg"), taken.pictures));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_have_the_names_of_their_files() {
        let job = JobId::new("j1");
        let names = |kind, taken| -> Vec<(PictureKind, String, u32)> {
            series(&job, kind, taken).into_iter().map(|facts| (facts.kind, facts.pattern, facts.count)).collect()
        };
        let pattern = |name: &str| format!("j1/{name}");
        assert_eq!(
            names(PictureKind::Normal, Taken { pictures: 3, sheets: 0, captions: false }),
            [(PictureKind::Normal, pattern("{SnapshotCount}.jpg"), 3)]
        );
        assert_eq!(
            names(PictureKind::WebVtt, Taken { pictures: 5, sheets: 2, captions: true }),
            [
                (PictureKind::WebVtt, pattern("{SnapshotCount}.vtt"), 1),
                (PictureKind::Sprite, pattern("sheet-{SnapshotCount}.jpg"), 2),
                (PictureKind::SpriteOrigin, pattern("cell-{SnapshotCount}.jpg"), 5),
            ]
        );
    }
}
