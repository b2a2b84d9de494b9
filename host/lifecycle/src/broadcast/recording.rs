//! Parts: one is open at most, each is closed once, and a closed one is a video.

use super::{Broadcast, Part, PartState, Publishing, Rejected};
use crate::id::{EffectId, Epoch, JobId, PartIndex, RecordSeq, VideoId};
use crate::media::{AudioTrack, PartFacts, VideoTrack};
use crate::record::{CloseCause, Record};
use crate::time::Timestamp;
use crate::video::{Analysis, Source, Video};
use crate::work::{AnalysisKind, Request, Trigger};

/// The ordinal of a part's analysis among the effects of the record that closed it; the question about its template
/// group comes first.
const ANALYSE: u32 = 1;

pub(super) fn opening(
    broadcast: &Broadcast,
    epoch: Epoch,
    video: Option<&VideoTrack>,
    audio: Option<&AudioTrack>,
    first_ms: u64,
    now: Timestamp,
) -> Result<Vec<Record>, Rejected> {
    if broadcast.publishing != (Publishing::Live { epoch }) {
        // The publisher's time is over; its recorder hears that there is no permit.
        return Ok(Vec::new());
    }
    if broadcast.open_part().is_some() {
        return Err(Rejected::Impossible("a part is opened while another is open"));
    }
    let Ok(part) = PartIndex::try_from(broadcast.parts.len()) else {
        return Err(Rejected::Impossible("more parts than there are numbers"));
    };
    Ok(vec![Record::PartOpened {
        part,
        video: video.map(VideoTrack::recordable),
        audio: audio.cloned(),
        first_ms,
        at: now,
    }])
}

pub(super) fn closed(
    broadcast: &Broadcast,
    part: PartIndex,
    facts: &PartFacts,
    cause: CloseCause,
    now: Timestamp,
) -> Result<Vec<Record>, Rejected> {
    let Some(known) = broadcast.parts.get(part as usize) else {
        return Err(Rejected::Impossible("a part is closed that was never opened"));
    };
    if known.state != PartState::Open {
        return Ok(Vec::new());
    }
    if facts.is_empty() {
        return Ok(vec![Record::PartDropped { part, at: now }]);
    }
    let ended_at = end_of(broadcast, known, facts, now);
    Ok(vec![Record::PartClosed { part, facts: facts.recordable(), cause, ended_at, at: now }])
}

/// The wall clock of a part's end: its media plus the breaks inside it. The time at which somebody noticed
/// can be a break window or an outage later.
fn end_of(broadcast: &Broadcast, part: &Part, facts: &PartFacts, now: Timestamp) -> Timestamp {
    let media_ms = i64::try_from(facts.duration_ms).unwrap_or(i64::MAX);
    let mut end = part.started_at.plus_ms(media_ms);
    for gap in &broadcast.breaks {
        if gap.from >= part.started_at && gap.from < end {
            end = end.plus_ms(i64::try_from(gap.to.ms_since(gap.from)).unwrap_or(0));
        }
    }
    // The wall clock may have been set back since the part was opened.
    end.min(now.max(part.started_at))
}

pub(super) fn apply_opened(
    broadcast: &mut Broadcast,
    part: PartIndex,
    video: Option<&VideoTrack>,
    audio: Option<&AudioTrack>,
    first_ms: u64,
    at: Timestamp,
) -> Result<(), &'static str> {
    if part as usize != broadcast.parts.len() || broadcast.open_part().is_some() {
        return Err("a part out of order");
    }
    if !matches!(broadcast.publishing, Publishing::Live { .. }) {
        return Err("a part without a publisher");
    }
    broadcast.parts.push(Part {
        video: video.cloned(),
        audio: audio.cloned(),
        first_ms,
        started_at: at,
        state: PartState::Open,
    });
    Ok(())
}

pub(super) fn apply_closed(
    broadcast: &mut Broadcast,
    part: PartIndex,
    facts: &PartFacts,
    ended_at: Timestamp,
    seq: RecordSeq,
    at: Timestamp,
) -> Result<(), &'static str> {
    set_state(broadcast, part, PartState::Closed { facts: facts.clone(), ended_at })?;
    let id = VideoId::of_part(&broadcast.id, part);
    let mut video = Video::stored(id.clone(), Source::Part(part), facts.clone(), seq, at);
    if broadcast.rules.analyse {
        video.analyses.push(Analysis {
            job: JobId::of_analysis(&id),
            kind: AnalysisKind::Facts,
            trigger: Trigger::Auto,
            request: Request::default(),
            effect: EffectId { record: seq, ordinal: ANALYSE },
            result: None,
            created_at: at,
        });
    }
    broadcast.videos.insert(id, video);
    Ok(())
}

pub(super) fn apply_dropped(broadcast: &mut Broadcast, part: PartIndex) -> Result<(), &'static str> {
    set_state(broadcast, part, PartState::Dropped)
}

fn set_state(broadcast: &mut Broadcast, part: PartIndex, state: PartState) -> Result<(), &'static str> {
    let known = broadcast.parts.get_mut(part as usize).ok_or("an unknown part")?;
    if known.state != PartState::Open {
        return Err("a part closed twice");
    }
    known.state = state;
    Ok(())
}
