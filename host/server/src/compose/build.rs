//! The one file of a composed video.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::media::PartFacts;
use reprise_media::compose::{Assembly, Base, Run, assemble, join};
use reprise_media::track::{Tracks, VideoConfig};
use tokio_util::sync::CancellationToken;

use super::assemble::{self as carry_out, Sources};
use super::make::{Made, Maker};
use super::manifest::{MANIFEST, Manifest, PARTS, names};
use super::part::{self, PartIndex};
use super::recipe::{Recipe, Step, Stretch};
use super::{Composer, Error, blocking, facts, link};
use crate::files::{self, Files, SOURCE, SOURCE_INDEX};
use crate::jobs::queue::{Claim, Slot};

/// The file while it is written. It is nobody's until it has its name.
const FRESH: &str = "source.mp4.new";

/// How often what is encoded is on the disk at once: its excerpt, what the encoder made of it, the same as a file of
/// ours, and in the result.
const COPIES_MADE: u64 = 4;

/// Bytes for each millisecond of what stands in for a gap: silence, and a picture now and then.
const FILLED_BYTES_PER_MS: u64 = 20;

/// What is known before anything is written.
struct Known {
    dir: Dir,
    parts: Arc<Vec<PartIndex>>,
    recipe: Recipe,
}

pub(super) async fn build(
    composer: &Composer,
    video: &VideoId,
    claim: Claim<'_>,
    cancel: &CancellationToken,
) -> Result<PartFacts, Error> {
    let look = || {
        let (files, id) = (Arc::clone(&composer.files), video.clone());
        blocking(move || look(&files, &id))
    };
    {
        let _turn = composer.turn(cancel).await?;
        match look().await? {
            Looked::Done(facts) => return Ok(facts),
            Looked::Open(known) if known.recipe.is_plain() => {
                // Before anything is written: what does not fit must not bring others' recordings to their end.
                let _held = composer.hold(known.expected_bytes())?;
                let cancel = cancel.clone();
                return blocking(move || write(&known, None, &[], &cancel)).await;
            }
            // What is known of many parts is large, and the wait for an encoder can be long: it is looked up again.
            Looked::Open(_) => {}
        }
    }
    let slot = composer.queue.acquire(claim.tenant, claim.priority, cancel).await?;
    let known = match look().await? {
        Looked::Done(facts) => return Ok(facts),
        Looked::Open(known) => known,
    };
    let _held = composer.hold(known.expected_bytes())?;
    let attempt = format!("{video}-compose");
    let (files, name) = (Arc::clone(&composer.files), attempt.clone());
    let work_dir = blocking(move || Ok(files.fresh_work(&name)?)).await?;
    let result = with_encoders(composer, (video, known), work_dir, slot, cancel).await;
    let files = Arc::clone(&composer.files);
    if let Err(error) = blocking(move || Ok(files.remove_work(&attempt)?)).await {
        tracing::warn!(video.id = %video, error = %error, "an attempt's folder could not be removed");
    }
    result
}

impl Known {
    /// About how many bytes the result and what it is made of take on the disk.
    fn expected_bytes(&self) -> u64 {
        let of = |stretch: &Stretch| {
            let part = self.parts.get(stretch.part);
            let fragments = part.and_then(|part| part.index.fragments.get(stretch.fragments.clone()));
            fragments.unwrap_or_default().iter().map(|entry| u64::from(entry.total_size)).sum::<u64>()
        };
        let bytes = |step: &Step| match step {
            Step::Copy(stretch) => of(stretch),
            Step::Make { stretch, .. } => of(stretch).saturating_mul(COPIES_MADE),
            Step::Fill { len_ms, .. } => len_ms.saturating_mul(FILLED_BYTES_PER_MS * COPIES_MADE),
        };
        self.recipe.steps.iter().map(bytes).fold(0, u64::saturating_add)
    }
}

enum Looked {
    Done(PartFacts),
    Open(Known),
}

fn look(files: &Files, video: &VideoId) -> Result<Looked, Error> {
    let dir = files.video(video)?;
    match part::read(&dir, SOURCE, SOURCE_INDEX) {
        Ok(done) => return Ok(Looked::Done(facts::of_file(&done.index, &done.tracks))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let manifest = Manifest::read(&dir)?.ok_or_else(|| Error::Media(format!("there is no {MANIFEST}")))?;
    let parts = link::read_parts(&dir, &manifest)?;
    let recipe = Recipe::of(&manifest, &parts)?;
    Ok(Looked::Open(Known { dir, parts: Arc::new(parts), recipe }))
}

async fn with_encoders(
    composer: &Composer,
    (video, known): (&VideoId, Known),
    work_dir: PathBuf,
    slot: Slot,
    cancel: &CancellationToken,
) -> Result<PartFacts, Error> {
    let work = Arc::new(Dir::open_ambient_dir(&work_dir, ambient_authority())?);
    let mut made = Vec::new();
    {
        let mut maker = Maker {
            composer,
            video,
            work_dir,
            work: Arc::clone(&work),
            links: Arc::new(known.dir.open_dir(PARTS)?),
            parts: Arc::clone(&known.parts),
            recipe: &known.recipe,
            cancel,
            silence: None,
        };
        for (number, step) in known.recipe.steps.iter().enumerate() {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            made.push(maker.make(step, number).await?);
        }
    }
    drop(slot);
    let _turn = composer.turn(cancel).await?;
    let cancel = cancel.clone();
    blocking(move || write(&known, Some(&work), &made, &cancel)).await
}

/// Writes the file beside its final name, its index, and then gives it that name.
fn write(
    known: &Known,
    work: Option<&Arc<Dir>>,
    made: &[Option<Made>],
    cancel: &CancellationToken,
) -> Result<PartFacts, Error> {
    let tracks = tracks(&known.recipe, made)?;
    let mut sources = Sources::default();
    let links = Arc::new(known.dir.open_dir(PARTS)?);
    for number in 0..known.parts.len() {
        sources.add(&links, names(number).0);
    }
    let assembly = plan(known, work, made, &tracks, &mut sources)?;
    let mut out = known.dir.create(FRESH)?.into_std();
    let written = carry_out::write(&assembly, &sources, &mut out, cancel).and_then(|()| Ok(out.sync_all()?));
    if let Err(error) = written {
        // A full disk needs the room at once; at another attempt the name is used anew in any case.
        let _ = known.dir.remove_file(FRESH);
        return Err(error);
    }
    let len = out.metadata()?.len();
    if len != assembly.index.end_offset() {
        return Err(Error::Media(format!("{len} bytes were written instead of {}", assembly.index.end_offset())));
    }
    // An index without a file is nothing; a file without its index would be walked over.
    Files::write_whole(&known.dir, SOURCE_INDEX, &assembly.index.to_bytes())?;
    known.dir.rename(FRESH, &known.dir, SOURCE)?;
    files::sync(&known.dir)?;
    Ok(facts::of_file(&assembly.index, &tracks))
}

fn plan(
    known: &Known,
    work: Option<&Arc<Dir>>,
    made: &[Option<Made>],
    tracks: &Tracks,
    sources: &mut Sources,
) -> Result<Assembly, Error> {
    let mut runs = Vec::new();
    let mut open: Option<(usize, std::fs::File)> = None;
    for (number, step) in known.recipe.steps.iter().enumerate() {
        let (file, fragments) = match (step, made.get(number), work) {
            (Step::Copy(stretch), ..) => {
                let part = known.parts.get(stretch.part).ok_or(Error::Empty)?;
                (stretch.part, part.index.fragments.get(stretch.fragments.clone()).unwrap_or_default())
            }
            (_, Some(Some(made)), Some(work)) => {
                (sources.add(work, made.name.clone()), made.index.fragments.as_slice())
            }
            _ => return Err(Error::Empty),
        };
        let mut source = match open.take() {
            Some((present, source)) if present == file => source,
            _ => sources.open(file)?,
        };
        let starts = part::starts(&mut source, tracks, fragments)?;
        open = Some((file, source));
        runs.push(Run { file, fragments, starts });
    }
    assemble(tracks, &runs, Base::Zero).map_err(|error| Error::Media(error.to_string()))
}

/// What the file declares: what is copied, and what encoders made of the rest.
fn tracks(recipe: &Recipe, made: &[Option<Made>]) -> Result<Tracks, Error> {
    let mut video: Option<VideoConfig> = recipe.pictures.as_ref().and_then(|pictures| pictures.copied.clone());
    let mut audio = recipe.sound.as_ref().and_then(|sound| sound.copied.clone());
    for made in made.iter().flatten() {
        video = match (video, &made.tracks.video) {
            (Some(before), Some(more)) => {
                let joined = join(&before, more);
                Some(joined.ok_or_else(|| Error::Media("pictures of two encoders do not fit one track".to_owned()))?)
            }
            (before, more) => before.or_else(|| more.clone()),
        };
        audio = audio.or_else(|| made.tracks.audio.clone());
    }
    Ok(Tracks { video, audio })
}
