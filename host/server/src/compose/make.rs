//! Making what cannot be copied: runs of samples, some of them out of an encoder, written as a file of ours in the
//! attempt's folder. From there they are copied like any part.

mod place;
mod samples;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use cap_std::fs::Dir;
use reprise_lifecycle::id::VideoId;
use reprise_media::compose::{Base, Run, assemble, repack};
use reprise_media::fmp4::{FragmentEntry, FragmentIndex};
use reprise_media::timeline::TrackKind;
use reprise_media::track::{AudioConfig, Tracks, VideoConfig};
use tokio_util::sync::CancellationToken;

use self::place::Place;
use self::samples::{Samples, in_samples, open};
use super::assemble::{self as carry_out, Sources};
use super::manifest::{PARTS, names};
use super::part::{self, PartIndex};
use super::recipe::{Picture, Pictures, Recipe, Sound, Step, Stretch, Tone};
use super::{Composer, Error, blocking};
use crate::ffmpeg::stretch::{self, PictureStretch, STILL_STEP_MS, SoundStretch, Still};

/// The frame of encoded silence that is repeated: the first ones still hold the encoder's start.
const SILENT_FRAME: usize = 8;
/// How much silence is encoded to have that frame.
const SILENCE_MS: u64 = 500;

/// A run that was made.
#[derive(Debug)]
pub(super) struct Made {
    /// Its file in the attempt's folder.
    pub(super) name: String,
    pub(super) index: FragmentIndex,
    pub(super) tracks: Tracks,
}

/// Makes the runs of one recipe.
pub(super) struct Maker<'a> {
    pub(super) composer: &'a Composer,
    pub(super) video: &'a VideoId,
    pub(super) work_dir: PathBuf,
    pub(super) work: Arc<Dir>,
    pub(super) links: Arc<Dir>,
    pub(super) parts: Arc<Vec<PartIndex>>,
    pub(super) recipe: &'a Recipe,
    pub(super) cancel: &'a CancellationToken,
    /// A frame of nothing, and how it is decoded, once one was needed.
    pub(super) silence: Option<(Bytes, AudioConfig)>,
}

/// What the repacking thread reads samples from.
enum PictureFrom {
    Nothing,
    Fragments,
    /// The encoder's file, on the clock of this place.
    File(String, Place),
    /// A standing picture from here on.
    Still(String, u64),
}

enum SoundFrom {
    Nothing,
    Fragments,
    File(String),
    Frame(Bytes),
}

impl Maker<'_> {
    /// Makes the run of a step; `None` for one that is copied.
    pub(super) async fn make(&mut self, step: &Step, number: usize) -> Result<Option<Made>, Error> {
        match step {
            Step::Copy(_) => Ok(None),
            Step::Make { stretch, picture, sound } => self.stretch(stretch, picture, *sound, number).await.map(Some),
            Step::Fill { after, len_ms, slate } => self.fill(after, *len_ms, *slate, number).await.map(Some),
        }
    }

    async fn stretch(
        &mut self,
        stretch: &Stretch,
        picture: &Picture,
        tone: Tone,
        number: usize,
    ) -> Result<Made, Error> {
        let place = self.place(stretch).await?;
        let mut tracks = Tracks::default();
        let mut wanted = (None, None);
        if let (Picture::Encode, Some(pictures)) = (picture, &self.recipe.pictures) {
            let delayed = |ms: u64| ms.saturating_add_signed(place.delay_ms);
            let (from_ms, to_ms) = (stretch.from_ms.map(delayed), stretch.to_ms.map(delayed));
            wanted.0 = Some(PictureStretch { from_ms, to_ms, ..form(pictures, number, None) });
        }
        if let (Tone::Encode, Some(sound)) = (tone, &self.recipe.sound) {
            wanted.1 = Some(sound_stretch(sound, number, place.from_ms, Some(place.to_ms), false));
        }
        let (made_picture, made_sound) = (wanted.0.is_some(), wanted.1.is_some());
        if made_picture || made_sound {
            self.encode(stretch, wanted.0, wanted.1, number).await?;
        }
        let from_picture = match picture {
            Picture::None => PictureFrom::Nothing,
            Picture::Copy => PictureFrom::Fragments,
            Picture::Encode => PictureFrom::File(picture_file(number), place),
            Picture::Slate(donor) => {
                let still = self.still(donor, place.to_ms.saturating_sub(place.from_ms), true, number).await?;
                PictureFrom::Still(still, place.from_ms)
            }
        };
        let from_sound = self.sound_from(tone, number).await?;
        tracks.video = self.video_config(&from_picture).await?;
        tracks.audio = self.audio_config(&from_sound).await?;
        self.write(stretch.clone(), place, tracks, from_picture, from_sound, number).await
    }

    async fn fill(&mut self, after: &Stretch, len_ms: u64, slate: bool, number: usize) -> Result<Made, Error> {
        let from_picture = match &self.recipe.pictures {
            Some(_) => PictureFrom::Still(self.still(after, len_ms, slate, number).await?, 0),
            None => PictureFrom::Nothing,
        };
        let tone = if self.recipe.sound.is_some() { Tone::Silence } else { Tone::None };
        let from_sound = self.sound_from(tone, number).await?;
        let tracks =
            Tracks { video: self.video_config(&from_picture).await?, audio: self.audio_config(&from_sound).await? };
        self.write(after.clone(), Place::alone(len_ms), tracks, from_picture, from_sound, number).await
    }

    /// Encodes the last picture of `after` as one that stands for `len_ms`.
    async fn still(&self, after: &Stretch, len_ms: u64, slate: bool, number: usize) -> Result<String, Error> {
        let Some(pictures) = &self.recipe.pictures else { return Err(Error::Empty) };
        let group = self.last_group(after);
        let place = self.place(&group).await?;
        let frames = u32::try_from(len_ms.div_ceil(STILL_STEP_MS)).unwrap_or(u32::MAX).max(1);
        let still = form(pictures, number, Some(Still { frames, slate }));
        let still = PictureStretch { from_ms: Some(place.last_shown_ms), ..still };
        self.encode(&group, Some(still), None, number).await?;
        Ok(picture_file(number))
    }

    /// The last group of pictures of a stretch.
    fn last_group(&self, stretch: &Stretch) -> Stretch {
        let fragments = self.fragments(stretch);
        let keyframe = fragments.iter().rposition(|entry| entry.keyframe).unwrap_or(0);
        let fragments = stretch.fragments.start + keyframe..stretch.fragments.end;
        Stretch { fragments, ..stretch.clone() }
    }

    async fn sound_from(&mut self, tone: Tone, number: usize) -> Result<SoundFrom, Error> {
        Ok(match tone {
            Tone::None => SoundFrom::Nothing,
            Tone::Copy => SoundFrom::Fragments,
            Tone::Encode => SoundFrom::File(sound_file(number)),
            Tone::Silence => {
                if self.silence.is_none() {
                    self.silence = Some(self.encode_silence(number).await?);
                }
                match &self.silence {
                    Some((frame, _)) => SoundFrom::Frame(frame.clone()),
                    None => SoundFrom::Nothing,
                }
            }
        })
    }

    /// Silence as the encoder writes it: some sound of these parts, turned down to nothing.
    async fn encode_silence(&self, number: usize) -> Result<(Bytes, AudioConfig), Error> {
        let donor = self.parts.iter().position(|part| part.tracks.audio.is_some());
        let (Some(part), Some(sound)) = (donor, &self.recipe.sound) else { return Err(Error::Empty) };
        let all = self.parts[part].index.fragments.len();
        // The first fragments are enough, and the encoder pads what is too short.
        let stretch = Stretch { part, fragments: 0..all.min(3), from_ms: None, to_ms: None };
        let from_ms = self.fragments(&stretch).first().map_or(0, |entry| entry.first_ms);
        let silent = sound_stretch(sound, number, from_ms, Some(from_ms + SILENCE_MS), true);
        self.encode(&stretch, None, Some(silent), number).await?;
        let (work, name) = (Arc::clone(&self.work), sound_file(number));
        blocking(move || {
            let mut reader = open(&work, &name)?;
            let config = reader.tracks().audio.clone().ok_or_else(|| nothing_made("sound"))?;
            let mut frames = Vec::new();
            while let Some(more) = reader.next_fragment()? {
                frames.extend(more);
            }
            let frame = frames.get(SILENT_FRAME.min(frames.len().saturating_sub(1)));
            Ok((frame.ok_or_else(|| nothing_made("sound"))?.sample.data.clone(), config))
        })
        .await
    }

    /// Runs the encoder over the fragments of a stretch.
    async fn encode(
        &self,
        stretch: &Stretch,
        picture: Option<PictureStretch>,
        sound: Option<SoundStretch>,
        number: usize,
    ) -> Result<(), Error> {
        let fragments = self.fragments(stretch);
        let whole = self.parts.get(stretch.part).is_some_and(|part| part.index.fragments.len() == fragments.len());
        let bytes = fragments.iter().map(|entry| u64::from(entry.total_size)).sum();
        let duration_ms = fragments.iter().map(|entry| u64::from(entry.duration_ms)).sum();
        let input = if whole {
            let (name, _) = names(stretch.part);
            self.composer.files.media_path(self.video, &format!("{PARTS}/{name}"))
        } else {
            // What is decoded is no more than what is needed, and lies at its own times.
            let name = format!("in-{number}.mp4");
            self.excerpt(stretch.clone(), name.clone()).await?;
            PathBuf::from(name)
        };
        let threads = self.composer.threads;
        let job = stretch::Stretch { input, input_bytes: bytes, duration_ms, picture, sound, threads };
        stretch::encode(&self.composer.tools, &self.work_dir, &job, self.cancel).await?;
        Ok(())
    }

    async fn excerpt(&self, stretch: Stretch, name: String) -> Result<(), Error> {
        let (parts, links, work) = (Arc::clone(&self.parts), Arc::clone(&self.links), Arc::clone(&self.work));
        let cancel = self.cancel.clone();
        blocking(move || {
            let part = parts.get(stretch.part).ok_or(Error::Empty)?;
            let fragments = part.index.fragments.get(stretch.fragments.clone()).unwrap_or_default();
            let mut sources = Sources::default();
            let file = sources.add(&links, names(stretch.part).0);
            let starts = part::starts(&mut sources.open(file)?, &part.tracks, fragments)?;
            let run = Run { file, fragments, starts };
            let assembly =
                assemble(&part.tracks, &[run], Base::Kept).map_err(|error| Error::Media(error.to_string()))?;
            let mut out = work.create(name)?.into_std();
            carry_out::write(&assembly, &sources, &mut out, &cancel)
        })
        .await
    }

    fn fragments(&self, stretch: &Stretch) -> &[FragmentEntry] {
        let part = self.parts.get(stretch.part);
        part.and_then(|part| part.index.fragments.get(stretch.fragments.clone())).unwrap_or_default()
    }

    async fn place(&self, stretch: &Stretch) -> Result<Place, Error> {
        let (parts, links, stretch) = (Arc::clone(&self.parts), Arc::clone(&self.links), stretch.clone());
        blocking(move || Place::of(&parts, &links, &stretch)).await
    }

    async fn video_config(&self, from: &PictureFrom) -> Result<Option<VideoConfig>, Error> {
        let name = match from {
            PictureFrom::Nothing => return Ok(None),
            PictureFrom::Fragments => {
                return Ok(self.recipe.pictures.as_ref().and_then(|pictures| pictures.copied.clone()));
            }
            PictureFrom::File(name, _) | PictureFrom::Still(name, _) => name.clone(),
        };
        let work = Arc::clone(&self.work);
        blocking(move || {
            let reader = open(&work, &name)?;
            reader.tracks().video.clone().ok_or_else(|| nothing_made("picture")).map(Some)
        })
        .await
    }

    async fn audio_config(&self, from: &SoundFrom) -> Result<Option<AudioConfig>, Error> {
        let copied = self.recipe.sound.as_ref().and_then(|sound| sound.copied.clone());
        let name = match from {
            SoundFrom::Nothing => return Ok(None),
            _ if copied.is_some() => return Ok(copied),
            SoundFrom::Fragments => return Ok(None),
            SoundFrom::Frame(_) => return Ok(self.silence.as_ref().map(|(_, config)| config.clone())),
            SoundFrom::File(name) => name.clone(),
        };
        let work = Arc::clone(&self.work);
        blocking(move || {
            let reader = open(&work, &name)?;
            reader.tracks().audio.clone().ok_or_else(|| nothing_made("sound")).map(Some)
        })
        .await
    }

    async fn write(
        &self,
        stretch: Stretch,
        place: Place,
        tracks: Tracks,
        picture: PictureFrom,
        sound: SoundFrom,
        number: usize,
    ) -> Result<Made, Error> {
        let (parts, links, work) = (Arc::clone(&self.parts), Arc::clone(&self.links), Arc::clone(&self.work));
        let cancel = self.cancel.clone();
        blocking(move || {
            let rate = tracks.audio.as_ref().map_or(0, |audio| audio.sample_rate);
            let fragments = || samples::fragments(&parts, &links, &stretch);
            let video: Samples = match picture {
                PictureFrom::Nothing => Box::new(std::iter::empty()),
                PictureFrom::Fragments => Box::new(samples::only(TrackKind::Video, fragments()?)),
                PictureFrom::File(name, place) => Box::new(samples::encoded_pictures(open(&work, &name)?, place)),
                PictureFrom::Still(name, from_ms) => {
                    Box::new(samples::standing_picture(open(&work, &name)?, from_ms, place.to_ms))
                }
            };
            let (from, to) = (in_samples(place.from_ms, rate), in_samples(place.to_ms, rate));
            let audio: Samples = match sound {
                SoundFrom::Nothing => Box::new(std::iter::empty()),
                SoundFrom::Fragments => {
                    let (lower, upper) = (stretch.from_ms.map(|_| from), stretch.to_ms.map(|_| to));
                    Box::new(samples::only(TrackKind::Audio, fragments()?).filter(move |sample| match sample {
                        Ok(timed) => {
                            lower.is_none_or(|from| timed.sample.start >= from)
                                && upper.is_none_or(|to| timed.sample.start < to)
                        }
                        Err(_) => true,
                    }))
                }
                SoundFrom::File(name) => Box::new(samples::encoded_sound(open(&work, &name)?, from, to)),
                SoundFrom::Frame(frame) => Box::new(samples::silence(frame, from, to)),
            };
            let name = format!("made-{number}.mp4");
            let mut out = BufWriter::new(work.create(&name)?.into_std());
            let index = repack(&tracks, video, audio, |bytes| {
                if cancel.is_cancelled() {
                    return Err(io::Error::other("cancelled"));
                }
                out.write_all(bytes)
            });
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let index = index?;
            out.flush()?;
            Ok(Made { name, index, tracks })
        })
        .await
    }
}

fn form(pictures: &Pictures, number: usize, still: Option<Still>) -> PictureStretch {
    PictureStretch {
        file: picture_file(number),
        from_ms: None,
        to_ms: None,
        width: pictures.width,
        height: pictures.height,
        profile: pictures.profile,
        set_id: pictures.set_id,
        still,
    }
}

fn sound_stretch(sound: &Sound, number: usize, from_ms: u64, to_ms: Option<u64>, silent: bool) -> SoundStretch {
    SoundStretch { file: sound_file(number), from_ms, to_ms, rate: sound.rate, channels: sound.channels, silent }
}

fn picture_file(number: usize) -> String {
    format!("picture-{number}.mp4")
}

fn sound_file(number: usize) -> String {
    format!("sound-{number}.mp4")
}

fn nothing_made(what: &str) -> Error {
    Error::Media(format!("the encoder made no {what}"))
}
