//! The domain's questions to the guest's words, and the guest's answers to the domain's. Shapes only: whether
//! an answer is within bounds is for [`answers`](crate::answers).

mod facts;

use reprise_lifecycle::media::{AudioTrack, VideoTrack};
use reprise_lifecycle::question::{
    Answer, CallbackAnswer, CallbackQuestion, ComposeAnswer, ComposePlan, ComposeQuestion, GapRule, GroupChoice,
    Origin, PartRange, PartSummary, StreamKey, TemplateGroupAnswer, TemplateGroupQuestion,
};

use crate::bindings::types;
use crate::lines::Said;

/// What the two lines answer with: the answer alone, or a decision around it.
macro_rules! said {
    ($hook:ident, $answer:ident, $decision:ident) => {
        impl From<types::$answer> for Said {
            fn from(answer: types::$answer) -> Self {
                Self { answer: Answer::$hook(answer.into()), reason: None }
            }
        }

        impl From<types::$decision> for Said {
            fn from(decision: types::$decision) -> Self {
                Self { answer: Answer::$hook(decision.answer.into()), reason: decision.reason }
            }
        }
    };
}

said!(TemplateGroup, TemplateGroupAnswer, TemplateGroupDecision);
said!(ComposeRules, ComposeAnswer, ComposeDecision);
said!(Callback, CallbackAnswer, CallbackDecision);

impl From<&TemplateGroupQuestion> for types::TemplateGroupQuestion {
    fn from(question: &TemplateGroupQuestion) -> Self {
        Self {
            origin: (&question.origin).into(),
            part: part(&question.part, facts::share(1)),
            default_group: question.default_group.clone(),
            groups: question.groups.iter().map(Into::into).collect(),
        }
    }
}

impl From<&ComposeQuestion> for types::ComposeQuestion {
    fn from(question: &ComposeQuestion) -> Self {
        Self {
            origin: (&question.origin).into(),
            ended_at_ms: question.ended_at.0,
            parts: question.parts.iter().map(|one| part(one, facts::share(question.parts.len()))).collect(),
            default_compose: question.default_compose,
            default_group: question.default_group.clone(),
            groups: question.groups.iter().map(Into::into).collect(),
        }
    }
}

impl From<&CallbackQuestion> for types::CallbackQuestion {
    fn from(question: &CallbackQuestion) -> Self {
        Self {
            tenant: question.tenant.clone(),
            stream: question.stream.as_ref().map(Into::into),
            play_domain: question.play_domain.clone(),
            event_id: question.event_id.clone(),
            event_type: question.event_type.clone(),
            url: question.url.clone(),
            headers: question.headers.clone(),
            body: question.body.clone(),
        }
    }
}

impl From<&Origin> for types::Origin {
    fn from(origin: &Origin) -> Self {
        Self {
            tenant: origin.tenant.clone(),
            stream: (&origin.stream).into(),
            play_domain: origin.play_domain.clone(),
            push_args: origin.push_args.clone(),
            broadcast: origin.broadcast.as_str().to_owned(),
            broadcast_started_at_ms: origin.broadcast_started_at.0,
            reconnects: origin.reconnects,
        }
    }
}

impl From<&StreamKey> for types::StreamKey {
    fn from(stream: &StreamKey) -> Self {
        Self { domain: stream.domain.clone(), app: stream.app.clone(), name: stream.name.clone() }
    }
}

/// A part whose facts have at most `entries` in each list.
fn part(part: &PartSummary, entries: usize) -> types::Part {
    types::Part {
        index: part.index,
        video_id: part.video_id.as_str().to_owned(),
        started_at_ms: part.started_at.0,
        ended_at_ms: part.ended_at.0,
        first_ms: part.first_ms,
        duration_ms: part.duration_ms,
        bytes: part.bytes,
        bitrate_kbps: part.bitrate_kbps,
        gap_ms: part.gap_ms,
        video: part.video.as_ref().map(Into::into),
        audio: part.audio.as_ref().map(Into::into),
        facts: part.facts.as_ref().map(|found| facts::cut(found, entries)),
    }
}

impl From<&VideoTrack> for types::VideoTrack {
    fn from(video: &VideoTrack) -> Self {
        Self {
            codec: video.codec.clone(),
            width: video.width,
            height: video.height,
            fps: video.fps,
            profile: video.profile.clone(),
        }
    }
}

impl From<&AudioTrack> for types::AudioTrack {
    fn from(audio: &AudioTrack) -> Self {
        Self { codec: audio.codec.clone(), sample_rate: audio.sample_rate, channels: audio.channels }
    }
}

impl From<&GroupChoice> for types::GroupChoice {
    fn from(group: &GroupChoice) -> Self {
        Self { id: group.id.clone(), name: group.name.clone() }
    }
}

impl From<types::TemplateGroupAnswer> for TemplateGroupAnswer {
    fn from(answer: types::TemplateGroupAnswer) -> Self {
        match answer {
            types::TemplateGroupAnswer::UseDefault => Self::UseDefault,
            types::TemplateGroupAnswer::Group(group) => Self::Group(group),
        }
    }
}

impl From<types::ComposeAnswer> for ComposeAnswer {
    fn from(answer: types::ComposeAnswer) -> Self {
        match answer {
            types::ComposeAnswer::UseDefault => Self::UseDefault,
            types::ComposeAnswer::Skip => Self::Skip,
            types::ComposeAnswer::Compose(plan) => Self::Compose(plan.into()),
        }
    }
}

impl From<types::ComposePlan> for ComposePlan {
    fn from(plan: types::ComposePlan) -> Self {
        let range =
            |range: types::PartRange| PartRange { index: range.index, from_ms: range.from_ms, to_ms: range.to_ms };
        Self {
            ranges: plan.ranges.into_iter().map(range).collect(),
            gaps: match plan.gaps {
                types::GapRule::Cut => GapRule::Cut,
                types::GapRule::Hold => GapRule::Hold,
                types::GapRule::Slate => GapRule::Slate,
            },
            min_duration_ms: plan.min_duration_ms,
            title: plan.title,
            group: plan.group,
        }
    }
}

impl From<types::CallbackAnswer> for CallbackAnswer {
    fn from(answer: types::CallbackAnswer) -> Self {
        match answer {
            types::CallbackAnswer::Unchanged => Self::Unchanged,
            types::CallbackAnswer::Drop => Self::Drop,
            types::CallbackAnswer::Replace(shaped) => Self::Replace { body: shaped.body, headers: shaped.headers },
        }
    }
}
