//! Where a stretch of a part lies on its two clocks: that by which it is decoded, and that by which it is shown.

use std::io;

use cap_std::fs::Dir;
use reprise_media::fmp4::FragmentEntry;
use reprise_media::timeline::TrackKind;

use super::samples::open;
use crate::compose::Error;
use crate::compose::manifest::names;
use crate::compose::part::PartIndex;
use crate::compose::recipe::Stretch;

/// Fragments in which the last picture is looked for: those of a long group.
const LAST_SOUGHT: usize = 64;

/// Where a run lies on its part's timeline, and where its pictures begin on the clock on which they are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// In milliseconds; sound begins here.
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    /// From decode time to presentation of a group's first picture.
    pub(super) delay_ms: i64,
    /// When the first picture that is meant is shown, and the last.
    pub(super) first_shown_ms: u64,
    pub(super) last_shown_ms: u64,
    /// Decode time of the first picture, and the end of the last.
    pictures_from_ms: u64,
    pub(super) pictures_to_ms: u64,
}

impl Place {
    /// What stands on a timeline of its own, for `len_ms`.
    pub(super) fn alone(len_ms: u64) -> Self {
        Self {
            from_ms: 0,
            to_ms: len_ms,
            delay_ms: 0,
            first_shown_ms: 0,
            last_shown_ms: 0,
            pictures_from_ms: 0,
            pictures_to_ms: len_ms,
        }
    }

    /// Reads the first pictures of a stretch, and the last.
    pub(super) fn of(parts: &[PartIndex], links: &Dir, stretch: &Stretch) -> Result<Self, Error> {
        let part = parts.get(stretch.part).ok_or(Error::Empty)?;
        let fragments = part.index.fragments.get(stretch.fragments.clone()).unwrap_or_default();
        let (Some(first), Some(last)) = (fragments.first(), fragments.last()) else { return Err(Error::Empty) };
        let end_ms = fragments.iter().map(FragmentEntry::end_ms).max().unwrap_or(0);
        let mut place = Self {
            from_ms: stretch.from_ms.unwrap_or(first.first_ms),
            to_ms: stretch.to_ms.unwrap_or(end_ms),
            delay_ms: 0,
            first_shown_ms: 0,
            last_shown_ms: 0,
            pictures_from_ms: first.first_ms,
            pictures_to_ms: stretch.to_ms.unwrap_or(last.ends.video_end_ms),
        };
        if part.tracks.video.is_none() {
            return Ok(place);
        }
        let mut reader = open(links, &names(stretch.part).0)?;
        let mut shown = |entry: &FragmentEntry, place: &mut Self, is_first: &mut bool| -> io::Result<Vec<u64>> {
            let mut times = Vec::new();
            for timed in reader.fragment(entry)?.iter().filter(|timed| timed.track == TrackKind::Video) {
                if std::mem::take(is_first) {
                    place.delay_ms = i64::from(timed.sample.composition);
                    place.pictures_from_ms = timed.sample.start;
                }
                times.push(timed.sample.start.saturating_add_signed(i64::from(timed.sample.composition)));
            }
            Ok(times)
        };
        // The first picture that is meant: it may be decoded after one that is shown later, a fragment on at most.
        let (mut is_first, mut firsts, mut more) = (true, Vec::new(), 0);
        for entry in fragments {
            let times = shown(entry, &mut place, &mut is_first)?;
            let from = stretch.from_ms.map_or(0, |from_ms| from_ms.saturating_add_signed(place.delay_ms));
            firsts.extend(times.into_iter().filter(|time| *time >= from));
            if !firsts.is_empty() {
                more += 1;
            }
            if more == 2 {
                break;
            }
        }
        place.first_shown_ms = firsts.into_iter().min().unwrap_or(place.pictures_from_ms);
        let to = stretch.to_ms.map_or(u64::MAX, |to_ms| to_ms.saturating_add_signed(place.delay_ms));
        let mut lasts = Vec::new();
        let tail = fragments.len().saturating_sub(LAST_SOUGHT);
        let mut known = false;
        for entry in &fragments[tail..] {
            lasts.extend(shown(entry, &mut place, &mut known)?.into_iter().filter(|time| *time < to));
        }
        place.last_shown_ms = lasts.into_iter().max().unwrap_or(place.first_shown_ms);
        Ok(place)
    }
}
