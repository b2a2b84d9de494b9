//! Removals: what is taken away is gone for everybody at once, and from the disk as soon as nothing that was promised
//! reads it any more.

use std::collections::BTreeMap;

use super::{Broadcast, Rejected, composing};
use crate::effect::Effect;
use crate::id::{EffectId, JobId, RecordSeq, VideoId};
use crate::record::Record;
use crate::time::Timestamp;
use crate::video::{Discarding, Source, Stage, Video};
use crate::work::Removal;

pub(super) fn asked(
    broadcast: &Broadcast,
    video: &VideoId,
    what: &Removal,
    now: Timestamp,
) -> Result<Vec<Record>, Rejected> {
    let known = broadcast.videos.get(video).ok_or(Rejected::Unfit("the video does not exist"))?;
    let is_late = known.removed || (*what == Removal::Source && known.source_removed);
    if is_late {
        return Ok(Vec::new());
    }
    let what = match what {
        Removal::Video => Removal::Video,
        Removal::Source if known.stage == Stage::Composing => {
            return Err(Rejected::Unfit("the video's source is being made"));
        }
        Removal::Source => Removal::Source,
        Removal::Streams(jobs) => {
            let there: Vec<JobId> = jobs.iter().filter(|job| has_stream(known, job)).cloned().collect();
            if there.is_empty() {
                return Ok(Vec::new());
            }
            Removal::Streams(there)
        }
    };
    Ok(vec![Record::Removed { video: video.clone(), what, at: now }])
}

/// Whether this rendition is there and could be taken away.
fn has_stream(video: &Video, job: &JobId) -> bool {
    let output = video.task_of_job(job).and_then(|task| task.output(job));
    output.is_some_and(|output| {
        !output.removed && output.finished.as_ref().is_some_and(|finished| finished.result.done().is_some())
    })
}

pub(super) fn discarded(broadcast: &Broadcast, effect: EffectId, now: Timestamp) -> Vec<Record> {
    let pending = |video: &&Video| video.discarding.iter().any(|it| it.record == effect.record) && effect.ordinal == 0;
    let video = broadcast.videos.values().find(pending);
    let discarded = |video: &Video| Record::Discarded { video: video.id.clone(), record: effect.record, at: now };
    video.map(discarded).into_iter().collect()
}

pub(super) fn outstanding(broadcast: &Broadcast, effects: &mut BTreeMap<EffectId, Effect>) {
    // What was removed before the end is in no compose; what is removed later may be in the one that is under way.
    let needed_since = composing::needs_parts(broadcast);
    for video in broadcast.videos.values() {
        let is_part = matches!(video.source, Source::Part(_));
        let is_read = !video.removed && (video.is_worked_on() || matches!(video.stage, Stage::Deciding(_)));
        for Discarding { record, what } in &video.discarding {
            let composing = is_part && needed_since.is_some_and(|since| *record > since);
            let waits = match what {
                Removal::Video => composing,
                Removal::Source => composing || is_read,
                Removal::Streams(_) => false,
            };
            if !waits {
                let discard = Effect::Discard { video: video.id.clone(), what: what.clone() };
                effects.insert(EffectId { record: *record, ordinal: 0 }, discard);
            }
        }
    }
}

pub(super) fn apply_removed(
    broadcast: &mut Broadcast,
    video: &VideoId,
    what: &Removal,
    record: RecordSeq,
) -> Result<(), &'static str> {
    let video = broadcast.videos.get_mut(video).filter(|video| !video.removed).ok_or("a removal of nothing")?;
    match what {
        Removal::Video => video.removed = true,
        Removal::Source if video.source_removed => return Err("a source removed twice"),
        Removal::Source => video.source_removed = true,
        Removal::Streams(jobs) => {
            let outputs = video.tasks.iter_mut().flat_map(|task| &mut task.outputs);
            let mut there = outputs.filter(|output| !output.removed && jobs.contains(&output.job)).peekable();
            if there.peek().is_none() {
                return Err("renditions removed twice");
            }
            there.for_each(|output| output.removed = true);
        }
    }
    video.discarding.push(Discarding { record, what: what.clone() });
    Ok(())
}

pub(super) fn apply_discarded(
    broadcast: &mut Broadcast,
    video: &VideoId,
    record: RecordSeq,
) -> Result<(), &'static str> {
    let video = broadcast.videos.get_mut(video).ok_or("files of an unknown video")?;
    let before = video.discarding.len();
    video.discarding.retain(|it| it.record != record);
    if video.discarding.len() == before { Err("files that nobody removed") } else { Ok(()) }
}
