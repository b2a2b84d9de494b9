//! What the outside answers: recorders, policies, encoders and composers that are pure functions of a seed and
//! of what they are asked about. The same effect performed in two lives, or twice in one, gives the same answer.

use reprise_lifecycle::broadcast::{Broadcast, PartState};
use reprise_lifecycle::decision::{
    Applied, CodeSource, Decision, Failure, FailureKind, Granted, Provenance, StateWrite, Verdict,
};
use reprise_lifecycle::effect::Effect;
use reprise_lifecycle::id::{BroadcastId, EffectId, GroupId, JobId, PartIndex, TaskId, TemplateId, TenantId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::{AudioTrack, MediaFacts, PartFacts, Stretch, VideoTrack};
use reprise_lifecycle::question::{
    Answer, ComposeAnswer, ComposePlan, GapRule, Hook, PartRange, StreamKey, TemplateGroupAnswer,
};
use reprise_lifecycle::record::{
    CloseCause, CoverFacts, LeaveCause, Opening, OutputFacts, RecordRules, Resolution, Subject, TaskPlan, Template,
    WorkFailure, WorkResult,
};
use reprise_lifecycle::time::Timestamp;
use reprise_lifecycle::video::Task;
use reprise_lifecycle::work::{
    AnalysisKind, AnalysisResult, PictureFacts, PictureKind, PicturesPlan, ProduceOpening, Removal, Request,
};

/// Everything outside of one broadcast.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pub(crate) seed: u64,
    pub(crate) rules: RecordRules,
    pub(crate) is_production: bool,
}

impl Answers {
    /// What an edited video is born with, where this life is the production of one.
    pub(crate) fn production(&self) -> Option<ProduceOpening> {
        self.is_production.then(|| ProduceOpening {
            tenant: TenantId::new("acme"),
            project: "p-1\n".to_owned(),
            timeline: "{}".to_owned(),
            title: "cut".to_owned(),
            description: String::new(),
            metadata: "{}".to_owned(),
            group: GroupId::new("g-two"),
            request: Request { priority: 3, extend: Some("{\"x\":1}".to_owned()), callback: None },
        })
    }

    pub(crate) fn id(&self) -> BroadcastId {
        BroadcastId::new(format!("{:032x}", self.seed))
    }

    pub(crate) fn opening(&self) -> Opening {
        Opening {
            tenant: TenantId::new("acme"),
            stream: StreamKey {
                domain: "push.example.org".to_owned(),
                app: "studio".to_owned(),
                name: "cam 01 \u{fc}\n".to_owned(),
            },
            play_domain: "play.example.org".to_owned(),
            push_args: vec![("quality".to_owned(), "\"high\"".to_owned())],
            rules: self.rules.clone(),
        }
    }

    /// A number below `below` that depends on the seed and the subject alone.
    fn draw(&self, about: &str, subject: &str, below: u64) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.seed;
        for byte in about.bytes().chain([0]).chain(subject.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash ^ (hash >> 29)) % below
    }

    pub(crate) fn tracks(&self, part: PartIndex) -> (Option<VideoTrack>, Option<AudioTrack>) {
        let part = part.to_string();
        let video = VideoTrack {
            codec: ["H.264", "H.265"][usize::from(self.draw("codec", &part, 2) == 1)].to_owned(),
            width: 1280,
            height: 720,
            fps: self.fps(&part),
            profile: "High".to_owned(),
        };
        let audio = AudioTrack { codec: "AAC".to_owned(), sample_rate: 44_100, channels: 2 };
        match self.draw("tracks", &part, 6) {
            0 => (Some(video), None),
            1 => (None, Some(audio)),
            _ => (Some(video), Some(audio)),
        }
    }

    /// Rates as they are measured: whole, 1001ths, any fraction, and what a division by nothing gives.
    fn fps(&self, subject: &str) -> f64 {
        let numerator = u32::try_from(self.draw("fps", subject, 60_000)).expect("below u32");
        match self.draw("kind of fps", subject, 8) {
            0 => 25.0,
            1 => 30_000.0 / 1_001.0,
            2 => f64::NAN,
            3 => f64::INFINITY,
            _ => f64::from(numerator) / 1_001.0,
        }
    }

    pub(crate) fn first_ms(&self, part: PartIndex) -> u64 {
        (0..part).map(|before| self.duration_ms(before)).sum()
    }

    fn duration_ms(&self, part: PartIndex) -> u64 {
        self.draw("duration", &part.to_string(), 20_000)
    }

    /// What is whole of a part's file, whoever closes it and whenever: nothing at all for some.
    pub(crate) fn facts(&self, part: PartIndex) -> PartFacts {
        let (video, audio) = self.tracks(part);
        let nothing = self.draw("nothing", &part.to_string(), 6) == 0;
        let duration_ms = if nothing { 0 } else { self.duration_ms(part) };
        PartFacts {
            first_ms: self.first_ms(part),
            duration_ms,
            bytes: duration_ms * 250,
            video_frames: if nothing || video.is_none() { 0 } else { 1 + duration_ms / 40 },
            audio_frames: if nothing || audio.is_none() { 0 } else { 1 + duration_ms / 23 },
            video,
            audio,
        }
    }

    pub(crate) fn closed(&self, part: PartIndex, cause: CloseCause) -> Input {
        Input::PartClosed { part, facts: self.facts(part), cause }
    }

    /// All inputs that performing `effect` gives, in their order.
    pub(crate) fn perform(&self, broadcast: &Broadcast, id: EffectId, effect: &Effect, now: Timestamp) -> Vec<Input> {
        match effect {
            Effect::DropPublisher { epoch } => vec![Input::gone(*epoch, LeaveCause::Dropped)],
            Effect::ClosePart { part } => vec![self.closed(*part, CloseCause::Ended)],
            Effect::Ask { subject, .. } => vec![match subject {
                Subject::Video(video) => self.template_group(id, video),
                Subject::Compose => self.compose_rules(id, broadcast),
            }],
            Effect::Process { video, task } => {
                let task = broadcast.videos.get(video).and_then(|video| video.task_by_id(task));
                task.map_or_else(Vec::new, |task| self.process(video, task, now))
            }
            Effect::Compose { video, plan } => {
                let result = self.composed(video, plan);
                let linked = Input::ComposeLinked { effect: id, facts: self.composed_facts(plan) };
                vec![linked, Input::ComposeFinished { effect: id, result }]
            }
            Effect::Produce { video } => {
                let done = self.draw("produced", video.as_str(), 3) > 0;
                let result = if done { WorkResult::Done(self.facts(0)) } else { WorkResult::Failed(failure()) };
                vec![Input::ComposeFinished { effect: id, result }]
            }
            Effect::Pictures { video, job, plan } => vec![Input::PicturesFinished {
                video: video.clone(),
                job: job.clone(),
                result: match self.draw("pictures", job.as_str(), 3) {
                    0 => WorkResult::Failed(failure()),
                    _ => WorkResult::Done(vec![PictureFacts {
                        kind: plan.kind,
                        pattern: "p-{SnapshotCount}.jpg".to_owned(),
                        count: 3,
                    }]),
                },
            }],
            Effect::Analyse { video, job, kind } => vec![Input::AnalysisFinished {
                video: video.clone(),
                job: job.clone(),
                result: match (self.draw("analysis", job.as_str(), 3), kind) {
                    (0, _) => WorkResult::Failed(failure()),
                    (_, AnalysisKind::Facts) => WorkResult::Done(AnalysisResult::Facts(self.media_facts(job))),
                    (_, AnalysisKind::Fingerprint) => WorkResult::Done(AnalysisResult::Fingerprint {
                        file: "signature.xml".to_owned(),
                        duplicates: Vec::new(),
                    }),
                },
            }],
            Effect::Discard { .. } => vec![Input::Discarded { effect: id }],
        }
    }

    fn template_group(&self, effect: EffectId, video: &VideoId) -> Input {
        let group = |name: &str, templates: &[&str], cover: bool| {
            Resolution::Process(TaskPlan {
                group: GroupId::new(name),
                templates: templates.iter().map(|name| template(name)).collect(),
                cover,
            })
        };
        let store_only = GroupId::no_transcode();
        let store_only = store_only.as_str();
        let (verdict, applied, resolution) = match self.draw("group", video.as_str(), 10) {
            0 => (Verdict::NoPolicy, Applied::Default, group(store_only, &[], false)),
            1 => (Verdict::NoPolicy, Applied::Default, group(store_only, &[], true)),
            2 => (Verdict::NoPolicy, Applied::Default, group("g-two", &["hd", "sd"], true)),
            3 => (
                answered(Answer::TemplateGroup(TemplateGroupAnswer::UseDefault)),
                Applied::Default,
                group("g-two", &["hd", "sd"], false),
            ),
            4 => (
                answered(Answer::TemplateGroup(TemplateGroupAnswer::Group("g-empty".to_owned()))),
                Applied::Answer,
                group("g-empty", &[], true),
            ),
            5 => (failed(FailureKind::Fuel), Applied::Fallback, group("g-two", &["hd", "sd"], true)),
            6 => (failed(FailureKind::Trap), Applied::Rejected, Resolution::Nothing),
            7 => (Verdict::NoPolicy, Applied::Default, Resolution::Refused(failure())),
            _ => (
                answered(Answer::TemplateGroup(TemplateGroupAnswer::Group("g-three".to_owned()))),
                Applied::Answer,
                group("g-three", &["hd", "sd", "voice"], true),
            ),
        };
        said(Hook::TemplateGroup, effect, verdict, applied, resolution)
    }

    fn compose_rules(&self, effect: EffectId, broadcast: &Broadcast) -> Input {
        let ranges: Vec<PartRange> = broadcast
            .part_summaries()
            .iter()
            .map(|part| PartRange {
                index: part.index,
                from_ms: part.duration_ms / 3,
                to_ms: (part.index % 2 == 0).then_some(part.duration_ms),
            })
            .collect();
        let plan = ComposePlan {
            ranges,
            gaps: GapRule::Cut,
            min_duration_ms: 0,
            title: None,
            group: self.rules.compose_group.as_ref().map(ToString::to_string),
        };
        let default =
            if self.rules.auto_compose { Resolution::Compose { plan: plan.clone() } } else { Resolution::Nothing };
        let (verdict, applied, resolution) = match self.draw("compose", "", 6) {
            0 => (answered(Answer::ComposeRules(ComposeAnswer::Skip)), Applied::Answer, Resolution::Nothing),
            1 => (failed(FailureKind::Memory), Applied::Rejected, Resolution::Nothing),
            2 => (failed(FailureKind::BadAnswer), Applied::Fallback, default),
            3 => (
                answered(Answer::ComposeRules(ComposeAnswer::Compose(plan.clone()))),
                Applied::Answer,
                Resolution::Compose { plan },
            ),
            _ => (Verdict::NoPolicy, Applied::Default, default),
        };
        said(Hook::ComposeRules, effect, verdict, applied, resolution)
    }

    fn composed(&self, video: &VideoId, plan: &ComposePlan) -> WorkResult<PartFacts> {
        if self.draw("composed", video.as_str(), 3) == 0 {
            return WorkResult::Failed(failure());
        }
        WorkResult::Done(self.composed_facts(plan))
    }

    fn composed_facts(&self, plan: &ComposePlan) -> PartFacts {
        let parts = plan.ranges.iter().map(|range| self.facts(range.index));
        PartFacts { first_ms: 0, duration_ms: parts.map(|part| part.duration_ms).sum(), ..self.facts(0) }
    }

    /// Levels as they are measured, with the numbers that JSON cannot say among them.
    fn media_facts(&self, job: &JobId) -> MediaFacts {
        let level = match self.draw("level", job.as_str(), 4) {
            0 => f64::NEG_INFINITY,
            1 => f64::NAN,
            2 => -0.000_01,
            _ => -23.123_456_789,
        };
        MediaFacts {
            silences: vec![Stretch { from_ms: 10, to_ms: 2_000 }],
            loudness_lufs: Some(level),
            ..MediaFacts::default()
        }
    }

    /// Something that a tenant asks of one of the videos there are.
    pub(crate) fn request(&self, broadcast: &Broadcast, pick: u64) -> Option<Input> {
        let at = usize::try_from(pick / 16).unwrap_or(0) % broadcast.videos.len().max(1);
        let video = broadcast.videos.values().nth(at)?;
        let fresh = format!("{pick:032x}");
        let (id, request) = (video.id.clone(), Request { priority: 9, ..Request::default() });
        let jobs = video.tasks.iter().flat_map(|task| &task.outputs).map(|output| output.job.clone());
        Some(match pick % 16 {
            0..=3 => Input::TaskAsked {
                video: id,
                task: TaskId::new(fresh),
                plan: TaskPlan {
                    group: GroupId::new("g-hand"),
                    templates: vec![template("hand")],
                    cover: pick.is_multiple_of(2),
                },
                request,
            },
            4 => Input::TaskCancelled { task: video.tasks.last()?.id.clone(), video: id },
            5..=7 => {
                let plan = PicturesPlan { kind: PictureKind::Sprite, settings: "{}".to_owned() };
                Input::PicturesAsked { video: id, job: JobId::new(fresh), plan, request }
            }
            8..=10 => {
                let kind = if pick.is_multiple_of(2) { AnalysisKind::Facts } else { AnalysisKind::Fingerprint };
                Input::AnalysisAsked { video: id, job: JobId::new(fresh), kind, request }
            }
            11 => Input::Remove { video: id, what: Removal::Source },
            12..=14 => Input::Remove { what: Removal::Streams(jobs.collect()), video: id },
            _ => Input::Remove { video: id, what: Removal::Video },
        })
    }

    /// The results that are still missing, as a worker sees them that looked at the task before it began.
    fn process(&self, video: &VideoId, task: &Task, now: Timestamp) -> Vec<Input> {
        let missing = task.outputs.iter().filter(|output| output.finished.is_none());
        let renditions = missing.map(|output| Input::OutputFinished {
            video: video.clone(),
            job: output.job.clone(),
            result: self.rendition(video, &output.template),
            started_at: now,
        });
        let cover = task.cover.iter().filter(|cover| cover.result.is_none());
        let covers = cover.map(|cover| Input::CoverFinished {
            video: video.clone(),
            job: cover.job.clone(),
            result: self.cover(video),
        });
        renditions.chain(covers).collect()
    }

    fn rendition(&self, video: &VideoId, template: &Template) -> WorkResult<OutputFacts> {
        let subject = format!("{video} {}", template.id);
        if self.draw("rendition", &subject, 3) == 0 {
            return WorkResult::Failed(failure());
        }
        WorkResult::Done(OutputFacts {
            file: format!("{}/index.m3u8", template.id),
            width: 640,
            height: 360,
            fps: self.fps(&subject),
            duration_ms: 10_000,
            bitrate_kbps: 800,
            bytes: 1_000_000 + self.draw("bytes", &subject, 1_000),
            codec: "H.264".to_owned(),
            audio: None,
        })
    }

    fn cover(&self, video: &VideoId) -> WorkResult<CoverFacts> {
        if self.draw("cover", video.as_str(), 3) == 0 {
            return WorkResult::Failed(failure());
        }
        WorkResult::Done(CoverFacts { pattern: "cover-{SnapshotCount}.jpg".to_owned(), count: 4, cover: 2 })
    }
}

/// What no correct outside says: results for videos, jobs, effects and parts that may or may not exist. It
/// picks among what the broadcast has and what it has not.
pub(crate) fn nonsense(answers: &Answers, broadcast: &Broadcast, pick: u64) -> Input {
    let record = pick % (broadcast.next_seq + 2);
    let effect = EffectId { record, ordinal: u32::try_from(pick % 4).expect("below u32") };
    let part = u32::try_from(pick % 5).expect("below u32");
    let video =
        if pick.is_multiple_of(7) { VideoId::of_compose(&broadcast.id) } else { VideoId::of_part(&broadcast.id, part) };
    let task = broadcast.videos.get(&video).and_then(|video| video.task());
    let job =
        task.and_then(|task| task.outputs.first()).map_or_else(|| JobId::new("none"), |output| output.job.clone());
    match pick % 9 {
        6 => Input::ComposeLinked { effect, facts: answers.facts(0) },
        7 => Input::Discarded { effect },
        8 => Input::AnalysisFinished { video, job, result: WorkResult::Failed(failure()) },
        0 => answers.template_group(effect, &video),
        1 => answers.compose_rules(effect, broadcast),
        2 => Input::ComposeFinished { effect, result: WorkResult::Failed(failure()) },
        3 => Input::CoverFinished { result: answers.cover(&video), video, job },
        4 => answers.closed(part, CloseCause::Cycle),
        _ => Input::OutputFinished {
            result: answers.rendition(&video, &template("hd")),
            video,
            job,
            started_at: Timestamp(0),
        },
    }
}

/// How many parts became videos.
pub(crate) fn closed_parts(broadcast: &Broadcast) -> usize {
    let closed = |state: &PartState| matches!(state, PartState::Closed { .. });
    broadcast.parts.iter().filter(|part| closed(&part.state)).count()
}

fn said(hook: Hook, effect: EffectId, verdict: Verdict, applied: Applied, resolution: Resolution) -> Input {
    let asked = !matches!(verdict, Verdict::NoPolicy);
    let provenance = asked.then(|| {
        Box::new(Provenance {
            plugin: "by-stream".to_owned(),
            version: 3,
            digest: "0f".repeat(32),
            interface: "reprise:policy@0.1.0".to_owned(),
            settings_revision: 2,
            fuel: 12_345,
            elapsed_us: 81,
            log: vec!["chose\nby \"height\"".to_owned()],
            binding: Some("default".to_owned()),
            rollout: None,
            reason: Some("it is tall".to_owned()),
            code: Some(CodeSource::Memory),
            state_revision: Some(4),
            writes: vec![StateWrite { key: "last".to_owned(), value: Some("g1".to_owned()) }],
            granted: Some(Granted { memory_bytes: 16 << 20, log_lines: 64, log_bytes: 4096 }),
        })
    });
    Input::VerdictGiven {
        effect,
        decision: Decision { hook, question_digest: "a1".repeat(32), verdict, applied, provenance },
        resolution,
    }
}

fn answered(answer: Answer) -> Verdict {
    Verdict::Answered(answer)
}

fn failed(kind: FailureKind) -> Verdict {
    Verdict::Failed(Failure { kind, message: "unreachable\n".to_owned() })
}

fn failure() -> WorkFailure {
    WorkFailure { code: "InvalidMedia".to_owned(), message: "the source is damaged".to_owned() }
}

fn template(name: &str) -> Template {
    Template {
        id: TemplateId::new(name),
        name: name.to_owned(),
        definition: name.to_uppercase(),
        format: "m3u8".to_owned(),
        settings: "{\"video\":{}}".to_owned(),
    }
}
