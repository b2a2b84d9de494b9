//! One attempt at a task: what it lacks, and what is told of each piece.

use std::io;
use std::path::Path;

use reprise_lifecycle::id::{JobId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::AudioTrack;
use reprise_lifecycle::record::{CoverFacts, OutputFacts, Template, WorkFailure, WorkResult};
use reprise_lifecycle::time::Timestamp;
use reprise_lifecycle::video::Task;
use tokio::sync::Notify;

use super::{BAD_MEDIA, BAD_TEMPLATE};
use crate::api::template::rendition;
use crate::driver::{Handle, Work};
use crate::ffmpeg::error::{Failure, Fault};
use crate::ffmpeg::template::Rendition;
use crate::ffmpeg::transcode;

/// One rendition to be made.
pub(super) struct Wanted {
    pub(super) job: JobId,
    pub(super) template: Template,
    pub(super) rendition: Rendition,
}

/// What a task still lacks.
pub(super) struct Open {
    pub(super) wanted: Vec<Wanted>,
    pub(super) cover: Option<JobId>,
}

impl Open {
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.cover.is_none()
    }
}

/// Where one attempt's results go.
pub(super) struct Attempt<'a> {
    pub(super) work: &'a Work,
    pub(super) handle: &'a Handle,
    pub(super) video: &'a VideoId,
    pub(super) name: String,
    pub(super) priority: u8,
    pub(super) started_at: Timestamp,
    /// Rung after each result.
    pub(super) ended: &'a Notify,
}

/// What is told of a piece of work.
pub(super) enum Told<T> {
    /// Its result.
    Result(WorkResult<T>),
    /// Nothing yet: it is tried again.
    Nothing,
}

impl Attempt<'_> {
    /// What the task still lacks. Templates that cannot be applied have their result at once.
    pub(super) async fn open(&self, task: &Task) -> Open {
        let mut wanted = Vec::new();
        for output in task.outputs.iter().filter(|output| output.finished.is_none()) {
            match rendition::of(&output.template) {
                Ok(rendition) => {
                    wanted.push(Wanted { job: output.job.clone(), template: output.template.clone(), rendition });
                }
                Err(problem) => {
                    let failure = WorkFailure { code: BAD_TEMPLATE.to_owned(), message: problem.to_string() };
                    self.output(&output.job, Told::Result(WorkResult::Failed(failure))).await;
                }
            }
        }
        let cover = task.cover.as_ref().filter(|cover| cover.result.is_none());
        Open { wanted, cover: cover.map(|cover| cover.job.clone()) }
    }

    pub(super) async fn fail_all(&self, open: &Open, failure: &WorkFailure) {
        for wanted in &open.wanted {
            self.output(&wanted.job, Told::Result(WorkResult::Failed(failure.clone()))).await;
        }
        if let Some(job) = &open.cover {
            self.cover(job, Told::Result(WorkResult::Failed(failure.clone()))).await;
        }
    }

    pub(super) async fn output(&self, job: &JobId, told: Told<OutputFacts>) {
        let Told::Result(result) = told else { return };
        let (video, job) = (self.video.clone(), job.clone());
        self.tell(Input::OutputFinished { video, job, result, started_at: self.started_at }).await;
        self.ended.notify_waiters();
    }

    pub(super) async fn cover(&self, job: &JobId, told: Told<CoverFacts>) {
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
pub(super) fn gathered(job: &str) -> String {
    format!("done-{job}")
}

pub(super) fn gather<'a>(
    work_dir: &Path,
    folder: &str,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> io::Result<()> {
    let dir = cap_std::fs::Dir::open_ambient_dir(work_dir, cap_std::ambient_authority())?;
    dir.create_dir(folder)?;
    let to = dir.open_dir(folder)?;
    for (from, name) in files {
        dir.rename(from, &to, name)?;
    }
    Ok(())
}

pub(super) fn told_of<T>(failure: &Failure) -> Told<T> {
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

pub(super) fn no_picture() -> WorkFailure {
    WorkFailure { code: BAD_MEDIA.to_owned(), message: "the source has no picture".to_owned() }
}

pub(super) fn output_facts(file: String, facts: &transcode::OutputFacts) -> OutputFacts {
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
        audio: audio.map(|audio| AudioTrack {
            codec: if audio.codec == "mp3" { "MP3" } else { "AAC" }.to_owned(),
            sample_rate: audio.sample_rate,
            channels: u32::from(audio.channels),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffmpeg::probe::{AudioFacts, MediaFacts};

    #[test]
    fn a_renditions_sound_is_told() {
        let sound = |codec: &str| Some(AudioFacts { codec: codec.to_owned(), sample_rate: 44_100, channels: 2 });
        for (audio, expected) in [(sound("aac"), Some("AAC")), (sound("mp3"), Some("MP3")), (None, None)] {
            let media = MediaFacts { duration_ms: 1, size_bytes: 1, bitrate_kbps: 1, video: None, audio };
            let facts = transcode::OutputFacts { entry: "a.mp4".to_owned(), files: Vec::new(), media };
            let told = output_facts("j/a.mp4".to_owned(), &facts).audio;
            let expected =
                expected.map(|codec| AudioTrack { codec: codec.to_owned(), sample_rate: 44_100, channels: 2 });
            assert_eq!(told, expected);
        }
    }
}
