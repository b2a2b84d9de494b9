//! Short names for inputs, with media of 2 Mbit/s and 25 pictures a second in them.

use crate::decision::{Applied, Decision, Failure, FailureKind, Verdict};
use crate::id::{EffectId, GroupId, JobId, TemplateId, VideoId};
use crate::input::Input;
use crate::media::{AudioTrack, PartFacts, VideoTrack};
use crate::question::{ComposePlan, GapRule, Hook, PartRange};
use crate::record::{
    CloseCause, CoverFacts, EndCause, LeaveCause, OutputFacts, RecordRules, Resolution, TaskPlan, Template,
    WorkFailure, WorkResult,
};
use crate::time::Timestamp;

/// All times in these tests are milliseconds after this one.
pub(super) const T0: Timestamp = Timestamp(1_798_761_600_000);

pub(super) const NO_GROUP: &str = crate::id::NO_TRANSCODE;

pub(super) fn store_only() -> RecordRules {
    with_group(NO_GROUP)
}

pub(super) fn with_group(group: &str) -> RecordRules {
    RecordRules { cycle_ms: 10_000, group: GroupId::new(group), ..RecordRules::default() }
}

pub(super) fn composing(group: &str) -> RecordRules {
    RecordRules { auto_compose: true, compose_group: Some(GroupId::new(group)), ..store_only() }
}

pub(super) fn asked() -> Input {
    Input::PublishAsked { client: "203.0.113.9".to_owned() }
}

pub(super) fn gone(epoch: u32, cause: LeaveCause) -> Input {
    Input::gone(epoch, cause)
}

pub(super) fn end(cause: EndCause) -> Input {
    Input::End { cause }
}

fn picture(fps: f64) -> Option<VideoTrack> {
    Some(VideoTrack { codec: "H.264".to_owned(), width: 1280, height: 720, fps, profile: "High".to_owned() })
}

fn sound() -> Option<AudioTrack> {
    Some(AudioTrack { codec: "AAC".to_owned(), sample_rate: 48_000, channels: 2 })
}

pub(super) fn opening(epoch: u32, first_ms: u64) -> Input {
    Input::PartOpening { epoch, video: picture(0.0), audio: sound(), first_ms }
}

pub(super) fn opening_at_fps(fps: f64) -> Input {
    Input::PartOpening { epoch: 1, video: picture(fps), audio: None, first_ms: 0 }
}

fn facts(first_ms: u64, duration_ms: u64, fps: f64) -> PartFacts {
    PartFacts {
        first_ms,
        duration_ms,
        bytes: duration_ms * 250,
        video_frames: duration_ms / 40,
        audio_frames: duration_ms * 48 / 1024,
        video: picture(fps),
        audio: sound(),
    }
}

pub(super) fn closed(part: u32, first_ms: u64, duration_ms: u64, cause: CloseCause) -> Input {
    Input::PartClosed { part, facts: facts(first_ms, duration_ms, 25.0), cause }
}

pub(super) fn closed_at_fps(fps: f64) -> Input {
    Input::PartClosed { part: 0, facts: facts(0, 10_000, fps), cause: CloseCause::Cycle }
}

pub(super) fn empty(part: u32) -> Input {
    Input::PartClosed { part, facts: facts(0, 0, 0.0), cause: CloseCause::Ended }
}

fn said(effect: (u64, u32), verdict: Verdict, applied: Applied, resolution: Resolution) -> Input {
    let hook = if effect.1 == 2 { Hook::ComposeRules } else { Hook::TemplateGroup };
    Input::VerdictGiven {
        effect: EffectId { record: effect.0, ordinal: effect.1 },
        decision: Decision { hook, question_digest: "00".repeat(32), verdict, applied, provenance: None },
        resolution,
    }
}

pub(super) fn verdict(effect: (u64, u32), resolution: Resolution) -> Input {
    said(effect, Verdict::NoPolicy, Applied::Default, resolution)
}

pub(super) fn rejected(effect: (u64, u32)) -> Input {
    let trap = Verdict::Failed(Failure { kind: FailureKind::Trap, message: "unreachable".to_owned() });
    said(effect, trap, Applied::Rejected, Resolution::Nothing)
}

pub(super) fn refused(message: &str) -> Resolution {
    Resolution::Refused(WorkFailure { code: "Gone".to_owned(), message: message.to_owned() })
}

pub(super) fn process(group: &str, templates: &[&str]) -> Resolution {
    let template = |id: &&str| Template {
        id: TemplateId::new(*id),
        name: (*id).to_owned(),
        definition: (*id).to_uppercase(),
        format: "m3u8".to_owned(),
        settings: "{}".to_owned(),
    };
    Resolution::Process(TaskPlan {
        group: GroupId::new(group),
        templates: templates.iter().map(template).collect(),
        cover: true,
    })
}

pub(super) fn compose(parts: &[u32]) -> Resolution {
    let range = |index: &u32| PartRange { index: *index, from_ms: 0, to_ms: None };
    Resolution::Compose {
        plan: ComposePlan {
            ranges: parts.iter().map(range).collect(),
            gaps: GapRule::Cut,
            min_duration_ms: 0,
            title: None,
            group: None,
        },
    }
}

pub(super) fn composed(effect: (u64, u32), duration_ms: u64) -> Input {
    Input::ComposeFinished {
        effect: EffectId { record: effect.0, ordinal: effect.1 },
        result: WorkResult::Done(facts(0, duration_ms, 25.0)),
    }
}

pub(super) fn compose_failed(effect: (u64, u32)) -> Input {
    Input::ComposeFinished {
        effect: EffectId { record: effect.0, ordinal: effect.1 },
        result: WorkResult::Failed(failure()),
    }
}

fn failure() -> WorkFailure {
    WorkFailure { code: "InvalidMedia".to_owned(), message: "the source is damaged".to_owned() }
}

fn rendition(job: &(VideoId, JobId), result: WorkResult<OutputFacts>) -> Input {
    Input::OutputFinished { video: job.0.clone(), job: job.1.clone(), result, started_at: T0.plus_ms(11_000) }
}

pub(super) fn rendition_done(job: &(VideoId, JobId)) -> Input {
    rendition_at_fps(job, 25.0)
}

pub(super) fn rendition_at_fps(job: &(VideoId, JobId), fps: f64) -> Input {
    let facts = OutputFacts {
        file: "index.m3u8".to_owned(),
        width: 1280,
        height: 720,
        fps,
        duration_ms: 10_000,
        bitrate_kbps: 800,
        bytes: 1_000_000,
        codec: "H.264".to_owned(),
        audio: None,
    };
    rendition(job, WorkResult::Done(facts))
}

pub(super) fn rendition_failed(job: &(VideoId, JobId)) -> Input {
    rendition(job, WorkResult::Failed(failure()))
}

fn pictures(job: &(VideoId, JobId), result: WorkResult<CoverFacts>) -> Input {
    Input::CoverFinished { video: job.0.clone(), job: job.1.clone(), result }
}

pub(super) fn cover_done(job: &(VideoId, JobId)) -> Input {
    let facts = CoverFacts { pattern: "cover-{SnapshotCount}.jpg".to_owned(), count: 3, cover: 2 };
    pictures(job, WorkResult::Done(facts))
}

pub(super) fn cover_failed(job: &(VideoId, JobId)) -> Input {
    pictures(job, WorkResult::Failed(failure()))
}
