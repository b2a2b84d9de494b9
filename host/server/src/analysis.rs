//! Analyses: what is to be seen and heard in a video, and its fingerprint with the tenant's other videos that show the
//! same. One that fails on the host's account tells nothing and is tried again; one that fails on the media's account
//! has that as its result.

use std::io::{self, Read as _};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use reprise_lifecycle::id::{JobId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::{MediaFacts, Stretch};
use reprise_lifecycle::record::{WorkFailure, WorkResult};
use reprise_lifecycle::work::{AnalysisKind, AnalysisResult, DEFAULT_PRIORITY, Duplicate, DuplicateStretch, Trigger};
use reprise_media::signature::{MOST_FRAMES, Signature};

use crate::driver::{Handle, Work};
use crate::ffmpeg::analyse::plan::SIGNATURE;
use crate::ffmpeg::error::{Failure, Fault, Reason};
use crate::ffmpeg::tools::Tools;
use crate::ffmpeg::{AnalyseJob, Findings, Span, analyse, sign};
use crate::files::{self, Files};
use crate::jobs::queue::{NoSlot, Queue};
use crate::jobs::{self, schedule};
use crate::store::Store;
use crate::store::analyses::FingerprintRow;

/// Threads of one.
const THREADS: u32 = 2;

/// The newest fingerprints that a new one is compared with. Comparing two hours takes a quarter of a second, so that
/// this is a minute of one core in the background.
const MOST_OTHERS: i64 = 250;

/// Videos that are told as duplicates, the most alike. They go into the journal and into one event.
const MOST_DUPLICATES: usize = 50;

/// The largest signature, with its coarse segments: more bytes than this are no file of ours.
const MOST_SIGNATURE_BYTES: u64 = MOST_FRAMES as u64 * 100;

/// Fingerprints that are removed from the disk in one go.
const SWEEP: i64 = 100;

/// The folder of an attempt that becomes the job's.
const MADE: &str = "made";

/// The vendor's code for media that cannot be processed.
const BAD_MEDIA: &str = "InvalidParameter.ResourceContentBad";

/// Runs analyses.
#[derive(Debug)]
pub struct Analyses {
    files: Arc<Files>,
    store: Store,
    tools: Tools,
    queue: Queue,
}

/// One attempt at an analysis.
struct Attempt<'a> {
    work: &'a Work,
    video: &'a VideoId,
    job: &'a JobId,
    /// Of its folder below the work folder.
    name: String,
}

impl Analyses {
    /// Over this data folder and this catalogue; each analysis waits for its slot in `queue`.
    pub fn new(files: Arc<Files>, store: Store, tools: Tools, queue: Queue) -> Self {
        Self { files, store, tools, queue }
    }

    /// Does one analysis and tells what came of it.
    pub async fn run(&self, work: &Work, handle: &Handle, video: &VideoId, job: &JobId, kind: AnalysisKind) {
        let (tenant, priority) = (work.broadcast.tenant.as_str(), priority(work, video, job));
        let _slot = match self.queue.acquire(tenant, priority, &work.cancel).await {
            Ok(slot) => slot,
            Err(NoSlot::Cancelled) => return,
            Err(full @ NoSlot::Full(_)) => {
                tracing::warn!(video.id = %video, reason = %full, "an analysis finds no place in the queue; it is tried again");
                return;
            }
        };
        let attempt = Attempt { work, video, job, name: format!("analysis-{job}") };
        let result = match self.attempt(&attempt, kind).await {
            Ok(result) => WorkResult::Done(result),
            Err(failure) => match failure.reason.fault() {
                Fault::Job => {
                    WorkResult::Failed(WorkFailure { code: BAD_MEDIA.to_owned(), message: failure.to_string() })
                }
                Fault::Host => {
                    tracing::error!(video.id = %video, error = %failure, "an analysis failed on this machine's account; it is tried again");
                    return;
                }
                Fault::Cancelled => return,
            },
        };
        let input = Input::AnalysisFinished { video: video.clone(), job: job.clone(), result };
        if let Err(error) = handle.job_input(&work.broadcast.id, input).await {
            tracing::warn!(video.id = %video, error = %error, "an analysis was not recorded; it is done again");
        }
    }

    async fn attempt(&self, attempt: &Attempt<'_>, kind: AnalysisKind) -> Result<AnalysisResult, Failure> {
        let facts = attempt.work.broadcast.videos.get(attempt.video).and_then(|video| video.facts.clone());
        let Some(facts) = facts else {
            let refusal = "the video has no source yet".to_owned();
            return Err(Reason::Refused { refusal }.into());
        };
        let source = jobs::source(&self.files.media_path(attempt.video, files::SOURCE), &facts);
        let video = attempt.video.clone();
        let is_there =
            |files: &Files, video: &VideoId| match files.video(video).and_then(|dir| dir.metadata(files::SOURCE)) {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(error),
            };
        if !self.blocking(move |files| is_there(files, &video)).await? {
            // It was composed and played, but its own file could not be made; it never comes.
            return Err(Reason::Refused { refusal: "the video has no file".to_owned() }.into());
        }
        let name = attempt.name.clone();
        let work_dir = self.blocking(move |files| {
            let work = files.fresh_work(&name)?;
            Dir::open_ambient_dir(&work, ambient_authority())?.create_dir(MADE)?;
            Ok(work.join(MADE))
        });
        let job = AnalyseJob { source, work_dir: work_dir.await?, threads: THREADS, limits: None };
        let result = match kind {
            AnalysisKind::Facts => {
                let found = analyse(&self.tools, &job, &attempt.work.cancel).await;
                found.map(|found| AnalysisResult::Facts(media_facts(found)))
            }
            AnalysisKind::Fingerprint => self.fingerprint(attempt, &job).await,
        };
        let name = attempt.name.clone();
        if let Err(error) = self.blocking(move |files| files.remove_work(&name)).await {
            tracing::warn!(attempt = attempt.name, error = %error, "an attempt's folder could not be removed");
        }
        result
    }

    async fn fingerprint(&self, attempt: &Attempt<'_>, job: &AnalyseJob) -> Result<AnalysisResult, Failure> {
        let cancel = &attempt.work.cancel;
        sign(&self.tools, job, cancel).await?;
        let made = job.work_dir.clone();
        let mine = self.blocking(move |_| read(&Dir::open_ambient_dir(made, ambient_authority())?, SIGNATURE)).await?;
        let mine = Arc::new(mine);
        let tenant = attempt.work.broadcast.tenant.as_str();
        let others = self.store.other_fingerprints(tenant, attempt.video.as_str(), MOST_OTHERS).await.map_err(host)?;
        let mut duplicates = Vec::new();
        for other in others {
            if cancel.is_cancelled() {
                return Err(Reason::Cancelled.into());
            }
            let mine = Arc::clone(&mine);
            duplicates.extend(self.blocking(move |files| Ok(compare(files, &mine, &other))).await?);
        }
        duplicates.sort_by_key(|other| std::cmp::Reverse(other.similarity_permille));
        duplicates.truncate(MOST_DUPLICATES);
        let (name, video, folder) = (attempt.name.clone(), attempt.video.clone(), attempt.job.to_string());
        self.blocking(move |files| files.publish(&name, MADE, &video, &folder)).await?;
        self.sweep().await;
        Ok(AnalysisResult::Fingerprint { file: format!("{}/{SIGNATURE}", attempt.job), duplicates })
    }

    /// Removes fingerprints from the disk that tenants took out of their libraries.
    async fn sweep(&self) {
        let forgotten = match self.store.forgotten_fingerprints(SWEEP).await {
            Ok(forgotten) => forgotten,
            Err(error) => return tracing::warn!(error = %error, "forgotten fingerprints could not be listed"),
        };
        for FingerprintRow { job, video, .. } in forgotten {
            let folder = job.clone();
            let removed = self.blocking(move |files| match files.video(&VideoId::new(video))?.remove_dir_all(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            });
            let done = match removed.await {
                Ok(()) => self.store.fingerprint_removed(&job).await.map_err(host),
                Err(failure) => Err(failure),
            };
            if let Err(error) = done {
                tracing::warn!(job.id = job, error = %error, "a forgotten fingerprint is still there; it is tried again");
            }
        }
    }

    /// Works with files off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let files = Arc::clone(&self.files);
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        done.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull => Reason::DiskFull.into(),
            _ => host(error),
        })
    }
}

/// What the record rules call for is looked at first: the compose of the whole broadcast waits for it.
fn priority(work: &Work, video: &VideoId, job: &JobId) -> u8 {
    let video = work.broadcast.videos.get(video);
    let analysis = video.and_then(|video| video.analyses.iter().find(|analysis| &analysis.job == job));
    analysis.map_or(DEFAULT_PRIORITY, |analysis| match analysis.trigger {
        Trigger::Auto => schedule::HIGHEST,
        Trigger::Manual => analysis.request.priority,
    })
}

fn host(error: impl std::fmt::Display) -> Failure {
    Reason::Host { detail: error.to_string() }.into()
}

/// What a video has in common with another one. A fingerprint that is gone with its video is none.
fn compare(files: &Files, mine: &Signature, other: &FingerprintRow) -> Option<Duplicate> {
    let video = VideoId::new(&other.video);
    let theirs = files.video(&video).and_then(|dir| read(&dir, &other.file));
    let theirs = match theirs {
        Ok(theirs) => theirs,
        Err(error) => {
            tracing::warn!(video.id = %video, error = %error, "a fingerprint cannot be read and is left out");
            return None;
        }
    };
    let found = mine.duplicates(&theirs)?;
    let stretches = found.stretches.iter().map(|stretch| DuplicateStretch {
        from_ms: stretch.from_ms,
        other_from_ms: stretch.other_from_ms,
        duration_ms: stretch.duration_ms,
    });
    Some(Duplicate { video, similarity_permille: found.similarity_permille, stretches: stretches.collect() })
}

fn read(dir: &Dir, file: &str) -> io::Result<Signature> {
    let mut bytes = Vec::new();
    dir.open(file)?.take(MOST_SIGNATURE_BYTES).read_to_end(&mut bytes)?;
    Signature::read(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn media_facts(found: Findings) -> MediaFacts {
    let stretches =
        |spans: Vec<Span>| spans.into_iter().map(|span| Stretch { from_ms: span.from_ms, to_ms: span.to_ms }).collect();
    MediaFacts {
        silences: stretches(found.silences),
        blacks: stretches(found.blacks),
        freezes: stretches(found.freezes),
        scenes_ms: found.scenes_ms,
        loudness_lufs: found.loudness_lufs,
        true_peak_dbfs: found.true_peak_dbfs,
        loudness_range_lu: found.loudness_range_lu,
        cover_ms: found.cover_ms,
    }
}
