//! From what is asked to steps: which fragments are copied, and what has to be made. Pure.
//!
//! The result has one codec configuration: that of most of the material. What has another is encoded to it, at the same
//! size; an encoder's parameter sets get a number of their own, so that copied and encoded pictures live in one track.
//! Where that cannot be (H.265, ten bits, odd sizes), all pictures are encoded.

use std::collections::BTreeMap;
use std::ops::Range;

use reprise_lifecycle::question::GapRule;
use reprise_media::compose::{free_parameter_set_id, select};
use reprise_media::flv::VideoCodec;
use reprise_media::fmp4::FragmentEntry;
use reprise_media::track::{AudioConfig, VideoConfig};

use super::manifest::Manifest;
use super::part::PartIndex;
use super::{Error, MAX_GAP_MS};
use crate::ffmpeg::stretch::Profile;

/// How far a fragment may lie from where a gap is said to be: a break ends a fragment, but is told in the recorder's
/// time.
const GAP_SEARCH_MS: u64 = 1_000;

/// Gaps shorter than this are not filled: the join is as short as a seam between two cycles.
pub(super) const LEAST_GAP_MS: u64 = 200;

/// Sound is encoded for at most two channels; what has more and has to be encoded is mixed down.
const MAX_CHANNELS: u8 = 2;

/// AAC-LC, the one kind of AAC that our encoder makes.
const LOW_COMPLEXITY: u8 = 2;

/// What all pictures of the result are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pictures {
    /// The configuration of what is copied; absent when everything is encoded.
    pub(super) copied: Option<VideoConfig>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) profile: Profile,
    /// The number of an encoder's parameter sets.
    pub(super) set_id: u8,
}

/// What all sound of the result is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sound {
    /// The configuration of what is copied; absent when everything is encoded.
    pub(super) copied: Option<AudioConfig>,
    pub(super) rate: u32,
    pub(super) channels: u8,
}

/// One run of the result.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Fragments as they are.
    Copy(Stretch),
    /// Samples of these fragments, some of them through an encoder.
    Make { stretch: Stretch, picture: Picture, sound: Tone },
    /// What stands in for a gap: made of the last picture of these fragments.
    Fill { after: Stretch, len_ms: u64, slate: bool },
}

/// Fragments of one part, and which of their samples are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) part: usize,
    pub(super) fragments: Range<usize>,
    /// The first decode time that is meant, in milliseconds of the part's own timeline; absent is the first there is.
    pub(super) from_ms: Option<u64>,
    /// The first that is not meant any more; absent is the end.
    pub(super) to_ms: Option<u64>,
}

/// Where a made run's pictures come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Picture {
    /// There are none.
    None,
    Copy,
    Encode,
    /// A slate as long as the sound, drawn over a picture of this stretch.
    Slate(Stretch),
}

/// Where a made run's sound comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// There is none.
    None,
    Copy,
    Encode,
    Silence,
}

/// How to make the result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recipe {
    pub(super) pictures: Option<Pictures>,
    pub(super) sound: Option<Sound>,
    pub(super) steps: Vec<Step>,
}

/// A selected stretch, before it is decided what becomes of it.
struct Chosen {
    whole: Stretch,
    inner: Range<usize>,
}

impl Recipe {
    /// How to make what a manifest asks for out of these parts, by number.
    pub(super) fn of(manifest: &Manifest, parts: &[PartIndex]) -> Result<Self, Error> {
        let fill = match manifest.request.gaps {
            GapRule::Cut => None,
            GapRule::Hold => Some(false),
            GapRule::Slate => Some(true),
        };
        let mut chosen: Vec<(u64, Chosen)> = Vec::new();
        for (number, piece) in manifest.pieces() {
            let Some(part) = parts.get(number) else { continue };
            let Some((selected, base_ms)) = choose(part, number, piece.from_ms, piece.to_ms) else { continue };
            let mut rest = selected;
            let mut gap_ms = piece.gap_before_ms;
            for gap in piece.gaps.iter().filter(|_| fill.is_some()) {
                let at_ms = base_ms.saturating_add(gap.at_ms);
                let Some(at) = break_at(&part.index.fragments, &rest.whole.fragments, at_ms) else { continue };
                let (before, after) = rest.split(at);
                chosen.push((gap_ms, before));
                (rest, gap_ms) = (after, gap.len_ms);
            }
            chosen.push((gap_ms, rest));
        }
        if chosen.is_empty() {
            return Err(Error::Empty);
        }
        let mut gaps: Vec<Option<(u64, bool)>> = chosen
            .iter()
            .map(|(gap_ms, _)| fill.filter(|_| *gap_ms >= LEAST_GAP_MS).map(|slate| ((*gap_ms).min(MAX_GAP_MS), slate)))
            .collect();
        // Before the first stretch there is nothing that a gap could lie between.
        if let Some(first) = gaps.first_mut() {
            *first = None;
        }
        let chosen: Vec<Chosen> = chosen.into_iter().map(|(_, chosen)| chosen).collect();
        let filled = gaps.iter().any(Option::is_some);
        let pictures = pictures(&chosen, parts, filled);
        let sound = sound(&chosen, parts, filled);
        let mut steps = Vec::new();
        let donor = chosen.iter().find(|c| parts[c.whole.part].tracks.video.is_some());
        let donor = donor.map(|donor| donor.whole.clone());
        for (chosen, gap) in chosen.iter().zip(gaps) {
            if let (Some((len_ms, slate)), Some(after)) = (gap, last_group(&steps, parts)) {
                steps.push(Step::Fill { after, len_ms, slate });
            }
            let tracks = &parts[chosen.whole.part].tracks;
            let picture = picture_of(&pictures, tracks.video.as_ref(), chosen, donor.as_ref());
            let tone = tone_of(&sound, tracks.audio.as_ref());
            chosen.steps(picture, tone, &mut steps);
        }
        Ok(Self { pictures, sound, steps })
    }

    /// Whether it takes nothing but copying.
    pub(super) fn is_plain(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Copy(_)))
    }
}

fn choose(part: &PartIndex, number: usize, from_ms: u64, to_ms: Option<u64>) -> Option<(Chosen, u64)> {
    let fragments = &part.index.fragments;
    let found = select(fragments, from_ms, to_ms)?;
    let base_ms = fragments.first()?.first_ms;
    let at = |ms: u64| base_ms.saturating_add(ms);
    let whole = Stretch {
        part: number,
        from_ms: (!found.start_exact).then(|| at(from_ms)),
        to_ms: if found.end_exact { None } else { to_ms.map(at) },
        fragments: found.fragments,
    };
    Some((Chosen { whole, inner: found.inner }, base_ms))
}

/// The fragment inside of `range` with which media went on after a break at `at_ms`.
fn break_at(fragments: &[FragmentEntry], range: &Range<usize>, at_ms: u64) -> Option<usize> {
    let inside = (range.start + 1..range.end).filter(|index| fragments.get(*index).is_some_and(|entry| entry.keyframe));
    let distance = |index: &usize| fragments[*index].first_ms.abs_diff(at_ms);
    inside.min_by_key(distance).filter(|index| distance(index) <= GAP_SEARCH_MS)
}

impl Chosen {
    fn split(self, at: usize) -> (Self, Self) {
        let Stretch { part, fragments, from_ms, to_ms } = self.whole;
        let cut = |range: Range<usize>| if range.start < range.end { range } else { at..at };
        let before = Stretch { part, fragments: fragments.start..at, from_ms, to_ms: None };
        let after = Stretch { part, fragments: at..fragments.end, from_ms: None, to_ms };
        let (start, end) = (self.inner.start.max(fragments.start), self.inner.end);
        // A stretch that ends or begins at a break does so exactly, so everything up to there is inside.
        let inner_before = if before.from_ms.is_none() { fragments.start..at } else { cut(start..at.min(end.max(at))) };
        let inner_after = if after.to_ms.is_none() { at..fragments.end } else { cut(at..end) };
        (Self { whole: before, inner: inner_before }, Self { whole: after, inner: inner_after })
    }

    fn is_exact(&self) -> bool {
        self.whole.from_ms.is_none() && self.whole.to_ms.is_none()
    }

    fn part_of(&self, fragments: Range<usize>, from_ms: Option<u64>, to_ms: Option<u64>) -> Stretch {
        Stretch { part: self.whole.part, fragments, from_ms, to_ms }
    }

    fn steps(&self, picture: Picture, sound: Tone, steps: &mut Vec<Step>) {
        let copied = matches!(picture, Picture::Copy | Picture::None) && matches!(sound, Tone::Copy | Tone::None);
        let whole = &self.whole;
        if copied && self.is_exact() {
            steps.push(Step::Copy(whole.clone()));
            return;
        }
        // A cut that goes through a group of pictures costs an encoder that group and no more.
        let cut = if picture == Picture::None { Picture::None } else { Picture::Encode };
        if copied && !self.inner.is_empty() {
            if whole.from_ms.is_some() {
                let stretch = self.part_of(whole.fragments.start..self.inner.start, whole.from_ms, None);
                steps.push(Step::Make { stretch, picture: cut.clone(), sound });
            }
            steps.push(Step::Copy(self.part_of(self.inner.clone(), None, None)));
            if whole.to_ms.is_some() {
                let stretch = self.part_of(self.inner.end..whole.fragments.end, None, whole.to_ms);
                steps.push(Step::Make { stretch, picture: cut, sound });
            }
            return;
        }
        let picture = match picture {
            Picture::Copy if !self.is_exact() => cut,
            picture => picture,
        };
        steps.push(Step::Make { stretch: whole.clone(), picture, sound });
    }
}

fn picture_of(
    pictures: &Option<Pictures>,
    has: Option<&VideoConfig>,
    chosen: &Chosen,
    donor: Option<&Stretch>,
) -> Picture {
    match (pictures, has) {
        (None, _) => Picture::None,
        (Some(pictures), Some(config)) if pictures.copied.as_ref() == Some(config) => Picture::Copy,
        (Some(_), Some(_)) => Picture::Encode,
        (Some(_), None) => Picture::Slate(donor.unwrap_or(&chosen.whole).clone()),
    }
}

fn tone_of(sound: &Option<Sound>, has: Option<&AudioConfig>) -> Tone {
    match (sound, has) {
        (None, _) => Tone::None,
        (Some(_), None) => Tone::Silence,
        (Some(sound), Some(config)) => match &sound.copied {
            Some(copied) if is_same_sound(copied, config) => Tone::Copy,
            _ => Tone::Encode,
        },
    }
}

/// The last group of pictures that was played so far, for its last picture.
fn last_group(steps: &[Step], parts: &[PartIndex]) -> Option<Stretch> {
    let stretch = steps.iter().rev().find_map(|step| match step {
        Step::Copy(stretch) | Step::Make { stretch, .. } => Some(stretch),
        Step::Fill { .. } => None,
    })?;
    let part = parts.get(stretch.part)?;
    let fragments = part.index.fragments.get(stretch.fragments.clone())?;
    let keyframe = fragments.iter().rposition(|entry| entry.keyframe).unwrap_or(0);
    let fragments = stretch.fragments.start + keyframe..stretch.fragments.end;
    Some(Stretch { fragments, ..stretch.clone() })
}

/// The configuration with most of the time.
fn most<'a, T: Clone + 'a>(
    chosen: &[Chosen],
    parts: &'a [PartIndex],
    of: impl Fn(&'a PartIndex) -> Option<&'a T>,
    key: impl Fn(&T) -> Vec<u8>,
) -> Option<T> {
    let mut times: BTreeMap<Vec<u8>, (u64, &T)> = BTreeMap::new();
    for chosen in chosen {
        let part = &parts[chosen.whole.part];
        let Some(config) = of(part) else { continue };
        let fragments = part.index.fragments.get(chosen.whole.fragments.clone()).unwrap_or_default();
        let time: u64 = fragments.iter().map(|entry| u64::from(entry.duration_ms)).sum();
        times.entry(key(config)).or_insert((0, config)).0 += time;
    }
    // With equal times the same one is chosen at every attempt: the last by its bytes.
    times.into_values().max_by_key(|(time, _)| *time).map(|(_, config)| config.clone())
}

fn pictures(chosen: &[Chosen], parts: &[PartIndex], filled: bool) -> Option<Pictures> {
    let most = most(chosen, parts, |part| part.tracks.video.as_ref(), |config| config.record.to_vec())?;
    let encodes = |c: &Chosen| parts[c.whole.part].tracks.video.as_ref() != Some(&most) || !c.is_exact();
    let needs_encoder = filled || chosen.iter().any(encodes);
    let (width, height) = (u32::from(most.width), u32::from(most.height));
    let profile = match most.profile {
        66 => Some(Profile::Baseline),
        77 => Some(Profile::Main),
        100 => Some(Profile::High),
        _ => None,
    };
    let plain = most.codec == VideoCodec::Avc && (most.bit_depth, most.chroma_format) == (8, 1);
    let even = width.is_multiple_of(2) && height.is_multiple_of(2);
    let free = free_parameter_set_id(&most);
    Some(match (profile, free) {
        _ if !needs_encoder => Pictures { copied: Some(most), width, height, profile: Profile::High, set_id: 0 },
        (Some(profile), Some(set_id)) if plain && even => {
            Pictures { copied: Some(most), width, height, profile, set_id }
        }
        _ => Pictures {
            copied: None,
            width: (width & !1).max(2),
            height: (height & !1).max(2),
            profile: Profile::High,
            set_id: 0,
        },
    })
}

fn sound(chosen: &[Chosen], parts: &[PartIndex], filled: bool) -> Option<Sound> {
    let most = most(chosen, parts, |part| part.tracks.audio.as_ref(), |config| config.record.to_vec())?;
    let other = |c: &Chosen| !parts[c.whole.part].tracks.audio.as_ref().is_some_and(|has| is_same_sound(&most, has));
    let needs_encoder = filled || chosen.iter().any(other);
    let makeable = most.object_type == LOW_COMPLEXITY
        && (1..=MAX_CHANNELS).contains(&most.channels)
        && most.frame_samples == FRAME_SAMPLES;
    let (rate, channels) = (most.sample_rate, most.channels.clamp(1, MAX_CHANNELS));
    Some(Sound { copied: (makeable || !needs_encoder).then_some(most), rate, channels })
}

/// Samples of one frame of AAC-LC.
pub(super) const FRAME_SAMPLES: u32 = 1024;

/// Whether frames of two configurations are the same to a decoder: headers differ in what they leave out.
fn is_same_sound(a: &AudioConfig, b: &AudioConfig) -> bool {
    let known = |config: &AudioConfig| config.object_type == LOW_COMPLEXITY && config.channels > 0;
    let alike = |config: &AudioConfig| (config.object_type, config.sample_rate, config.channels, config.frame_samples);
    a == b || (known(a) && alike(a) == alike(b))
}
