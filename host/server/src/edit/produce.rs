//! Making an edited video: its materials are pinned so that they stay while it is made, laid out, cut and joined or
//! drawn by ffmpeg, and what comes of it appears in the video's folder whole or not at all.
//!
//! A production that cannot be made, because of its timeline or its materials, has that as its result. One that failed
//! on this machine's account tells nothing and is made again.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::question::GapRule;
use reprise_lifecycle::record::{WorkFailure, WorkResult};
use reprise_lifecycle::work::ProduceOpening;
use tokio::sync::watch;

use super::fonts::{FontError, Fonts};
use super::image::ImageFormat;
use super::layout::{Layout, lay};
use super::materials::Known;
use super::pack::pack;
use super::pins;
use super::plain::{PlainRange, plain_ranges};
use super::timeline::Timeline;
use crate::compose::{Composer, PARTS, Piece, Request, drop_links, give_up, pin_names};
use crate::driver::{Handle, Work};
use crate::ffmpeg::edit::{EditJob, EditPlanError, EditSources, RESULT, edit, plan};
use crate::ffmpeg::error::{Failure, Fault};
use crate::ffmpeg::tools::Tools;
use crate::files::{Files, SOURCE};
use crate::jobs::queue::{Claim, NoSlot, Queue};
use crate::room::Room;
use crate::store::Store;

/// The vendor's codes.
const BAD_TIMELINE: &str = "InvalidParameter.Timeline";
const BAD_MEDIA: &str = "InvalidParameter.ResourceContentBad";
const NO_MATERIAL: &str = "InvalidVideo.NotFound";

/// Threads of the encoder; ingest keeps the other cores.
const THREADS: u32 = 2;
/// The sound of a result, for its expected length.
const SOUND_KBPS: u64 = 192;
/// The folder of an attempt from which its result is published.
const DONE: &str = "done";

/// Makes edited videos.
#[derive(Debug)]
pub struct Producer {
    store: Store,
    files: Arc<Files>,
    tools: Tools,
    composer: Arc<Composer>,
    queue: Queue,
    room: Option<Arc<Room>>,
}

/// Why there is no result.
enum End {
    /// There never will be one.
    Failed(WorkFailure),
    /// It is tried again; why is in the log.
    Again,
}

/// One attempt's folders.
struct Attempt<'a> {
    work: &'a Work,
    video: &'a VideoId,
    /// Where ffmpeg writes.
    name: String,
    /// Where the materials are pinned. ffmpeg may only read there: a second name of a file is the file itself.
    pins: String,
}

impl Producer {
    /// A producer whose encoders wait for their slot in `queue`.
    pub fn new(store: Store, files: Arc<Files>, tools: Tools, composer: Arc<Composer>, queue: Queue) -> Self {
        Self { store, files, tools, composer, queue, room: None }
    }

    /// The same producer, which draws only where there is room.
    #[must_use]
    pub fn within(self, room: Arc<Room>) -> Self {
        Self { room: Some(room), ..self }
    }

    /// Makes `video`, the production of the work's broadcast, and tells what came of it.
    pub async fn produce(&self, work: &Work, handle: &Handle, video: &VideoId) {
        let Some(opening) = &work.broadcast.production else { return };
        if work.cancel.is_cancelled() {
            // Its folder may be gone already, and does not come back.
            return;
        }
        let name = format!("{video}-{}", work.effect_id.record);
        let attempt = Attempt { work, video, pins: format!("{name}-in"), name };
        let made = self.make(&attempt, opening).await;
        for folder in [&attempt.name, &attempt.pins] {
            let (files, name) = (Arc::clone(&self.files), folder.clone());
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || files.remove_work(&name)).await {
                tracing::warn!(attempt = folder, error = %error, "an attempt's folder could not be removed");
            }
        }
        let result = match made {
            Ok(facts) => WorkResult::Done(facts),
            Err(End::Failed(failure)) => {
                // Another attempt, should this result be lost, has what is still there.
                if let Err(error) = give_up(&self.files, video) {
                    tracing::warn!(video.id = %video, error = %error, "links to materials could not be removed");
                }
                WorkResult::Failed(failure)
            }
            Err(End::Again) => return,
        };
        let failed = matches!(result, WorkResult::Failed(_));
        let input = Input::ComposeFinished { effect: work.effect_id, result };
        if let Err(error) = handle.job_input(&work.broadcast.id, input).await {
            tracing::warn!(video.id = %video, error = %error, "a production's result was not recorded; it is made again");
            return;
        }
        // Links only keep the bytes of materials now. Until the result was recorded, another attempt would need them.
        if !failed
            && let Err(error) = drop_links(&self.files, video)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(video.id = %video, error = %error, "links to materials could not be removed");
        }
    }

    async fn make(&self, attempt: &Attempt<'_>, opening: &ProduceOpening) -> Result<PartFacts, End> {
        let timeline: Timeline =
            serde_json::from_str(&opening.timeline).map_err(|error| failed(BAD_TIMELINE, error.to_string()))?;
        let known = Known::load(&self.store, opening.tenant.as_str(), &timeline).await;
        let known = known.map_err(|error| again(attempt.video, &error))?;
        let known = self.completed(attempt.video, &timeline, known).await?;
        let layout = lay(&timeline, &known.materials).map_err(|error| failed(BAD_TIMELINE, error.to_string()))?;
        if let Some(ranges) = plain_ranges(&layout, &known.materials)
            && let Some(facts) = self.joined(attempt, opening, &ranges).await?
        {
            return Ok(facts);
        }
        let mut sources = self.pinned(attempt, opening, &known)?;
        sources.fonts = fonts(&layout, attempt.video).await?;
        self.drawn(attempt, opening, &layout, &sources).await
    }

    /// With what was removed since the production was accepted.
    async fn completed(&self, video: &VideoId, timeline: &Timeline, mut known: Known) -> Result<Known, End> {
        let (files, id, timeline) = (Arc::clone(&self.files), video.clone(), timeline.clone());
        let completed = tokio::task::spawn_blocking(move || {
            pins::complete(&files, &id, &timeline, &mut known)?;
            Ok(known)
        });
        let completed = completed.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        completed.map_err(|error| again(video, &error))
    }

    /// The result as a copy of stretches of its materials, with an encoder only for the groups of pictures that a cut
    /// goes through. `None` where the materials are not of a form that can be copied: then all of it is encoded.
    async fn joined(
        &self,
        attempt: &Attempt<'_>,
        opening: &ProduceOpening,
        ranges: &[PlainRange],
    ) -> Result<Option<PartFacts>, End> {
        let piece = |range: &PlainRange| Piece {
            from_ms: range.from_ms,
            to_ms: range.to_ms,
            ..Piece::whole(VideoId::new(range.video.clone()))
        };
        let request = Request { pieces: ranges.iter().map(piece).collect(), gaps: GapRule::default() };
        let joined = match self.composer.link(attempt.video, &request).await {
            Ok(_) => {
                let claim = Claim { tenant: opening.tenant.as_str(), priority: opening.request.priority };
                self.composer.build(attempt.video, claim, &attempt.work.cancel).await
            }
            Err(error) => Err(error),
        };
        match joined {
            Ok(facts) => Ok(Some(facts)),
            Err(error) => match error.fault() {
                Fault::Job => {
                    tracing::info!(video.id = %attempt.video, error = %error, "an edit cannot be copied and is encoded");
                    Ok(None)
                }
                Fault::Host => Err(again(attempt.video, &error)),
                Fault::Cancelled => Err(End::Again),
            },
        }
    }

    /// Second names of all materials' files.
    fn pinned(&self, attempt: &Attempt<'_>, opening: &ProduceOpening, known: &Known) -> Result<EditSources, End> {
        let host = |error: io::Error| again(attempt.video, &error);
        self.files.fresh_work(&attempt.pins).map_err(host)?;
        let gone = |what: String| {
            move |error: io::Error| match error.kind() {
                io::ErrorKind::NotFound => failed(NO_MATERIAL, format!("{what} is not there any more")),
                _ => again(attempt.video, &error),
            }
        };
        let mut sources = EditSources::default();
        // What was accepted is in the video's own folder; where a crash came between, the material itself must do.
        let pinned = |file: &str, name: &str| {
            self.files.pin_video(attempt.video.as_str(), &format!("{PARTS}/{file}"), &attempt.pins, name)
        };
        for (number, id) in known.materials.videos.keys().enumerate() {
            let name = format!("{number}.mp4");
            let path = pinned(&pin_names(id).0, &name)
                .or_else(|_| self.files.pin_video(id, SOURCE, &attempt.pins, &name))
                .map_err(gone(format!("the source of video {id}")))?;
            sources.videos.insert(id.clone(), path);
        }
        for row in &known.images {
            let format = ImageFormat::of_extension(&row.format)
                .ok_or_else(|| failed(BAD_MEDIA, format!("image {} has no format that is known", row.id)))?;
            let file = format!("{}.{}", row.id, format.extension());
            let path =
                pinned(&file, &file).or_else(|_| self.files.pin_image(opening.tenant.as_str(), &file, &attempt.pins));
            sources.images.insert(row.id.clone(), (path.map_err(gone(format!("image {}", row.id)))?, format));
        }
        Ok(sources)
    }

    /// The result as ffmpeg draws it.
    async fn drawn(
        &self,
        attempt: &Attempt<'_>,
        opening: &ProduceOpening,
        layout: &Layout,
        sources: &EditSources,
    ) -> Result<PartFacts, End> {
        let host = |error: io::Error| again(attempt.video, &error);
        let plan = plan(layout, sources, THREADS).map_err(|error| {
            let code = if error == EditPlanError::TooLong { BAD_TIMELINE } else { NO_MATERIAL };
            failed(code, error.to_string())
        })?;
        // It is made before the long work and not after it: a video that is removed meanwhile does not come back.
        self.files.make_video(attempt.video).map_err(host)?;
        let (tenant, priority) = (opening.tenant.as_str(), opening.request.priority);
        let _slot = self.queue.acquire(tenant, priority, &attempt.work.cancel).await.map_err(|none| match none {
            NoSlot::Cancelled => End::Again,
            NoSlot::Full(full) => again(attempt.video, &full),
        })?;
        let held = self.room.as_ref().map(|room| room.hold(drawn_bytes(layout))).transpose();
        let _held = held.map_err(|none| again(attempt.video, &none))?;
        let work_dir = self.files.fresh_work(&attempt.name).map_err(host)?;
        let job = EditJob { plan, work_dir: work_dir.clone(), total_ms: layout.total_ms };
        let (progress, _) = watch::channel(0);
        if let Err(failure) = edit(&self.tools, &job, &attempt.work.cancel, &progress).await {
            return Err(end_of(&failure, attempt.video));
        }
        let (files, cancel) = (Arc::clone(&self.files), attempt.work.cancel.clone());
        let (name, video) = (attempt.name.clone(), attempt.video.clone());
        let published = tokio::task::spawn_blocking(move || {
            let work = Dir::open_ambient_dir(&work_dir, ambient_authority())?;
            work.create_dir(DONE)?;
            let facts = pack(&work, RESULT, &work.open_dir(DONE)?, &cancel)?;
            files.publish_source(&name, DONE, &video)?;
            Ok(facts)
        });
        match published.await.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(facts) => Ok(facts),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(failed(BAD_MEDIA, error.to_string())),
            Err(error) => Err(host(error)),
        }
    }
}

/// About how many bytes a drawn result takes: what ffmpeg leaves, and the same as a file of ours.
fn drawn_bytes(layout: &Layout) -> u64 {
    let kbps = layout.canvas.map_or(SOUND_KBPS, |canvas| canvas.bitrate_kbps.saturating_add(SOUND_KBPS));
    (kbps.saturating_mul(layout.total_ms) / 8).saturating_mul(2)
}

/// A font for each text of the layout.
async fn fonts(layout: &Layout, video: &VideoId) -> Result<Vec<std::path::PathBuf>, End> {
    if layout.texts.is_empty() {
        return Ok(Vec::new());
    }
    let texts: Vec<_> = layout.texts.iter().map(|written| written.text.clone()).collect();
    let chosen = tokio::task::spawn_blocking(move || {
        let installed = Fonts::installed();
        // Most texts of a timeline are alike, and choosing reads font files.
        let mut known = BTreeMap::new();
        let mut choose = |text: &super::timeline::Text| {
            let key = (text.content.clone(), text.font.clone(), text.bold, text.italic);
            known.entry(key).or_insert_with(|| installed.choose(text)).clone()
        };
        texts.iter().map(&mut choose).collect::<Result<Vec<_>, FontError>>()
    });
    match chosen.await {
        Ok(chosen) => chosen.map_err(|error| failed(BAD_TIMELINE, error.to_string())),
        Err(panic) => Err(again(video, &panic)),
    }
}

fn failed(code: &str, message: String) -> End {
    End::Failed(WorkFailure { code: code.to_owned(), message })
}

fn again(video: &VideoId, error: &dyn std::error::Error) -> End {
    tracing::error!(video.id = %video, error = %error, "a production failed on this machine's account; it is made again");
    End::Again
}

fn end_of(failure: &Failure, video: &VideoId) -> End {
    match failure.reason.fault() {
        Fault::Job => failed(BAD_MEDIA, failure.to_string()),
        Fault::Host => again(video, failure),
        Fault::Cancelled => End::Again,
    }
}
