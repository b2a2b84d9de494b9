//! A world for tests of the HTTP surfaces: a catalogue and a data folder of its own, filled through the same core and
//! the same store calls as in a running server.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::decision::{Applied, Decision, Provenance, Verdict};
use reprise_lifecycle::effect::Effect;
use reprise_lifecycle::id::{BroadcastId, EffectId, GroupId, TemplateId, TenantId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::{AudioTrack, PartFacts, VideoTrack};
use reprise_lifecycle::question::{Answer, ComposePlan, GapRule, Hook, PartRange, StreamKey, TemplateGroupAnswer};
use reprise_lifecycle::record::{
    CloseCause, CoverFacts, EndCause, LeaveCause, Opening, OutputFacts, Record, RecordRules, Resolution, TaskPlan,
    Template, WorkFailure, WorkResult,
};
use reprise_lifecycle::time::Timestamp;
use reprise_media::flv::VideoCodec;
use reprise_media::fmp4::{Fragmenter, Sample, init_segment};
use reprise_media::timeline::{TimelinePosition, TrackKind};
use reprise_media::track::{Tracks, VideoConfig};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::api::urls::MediaUrls;
use crate::delivery::signature::EndpointSecret;
use crate::driver::{self, Driver};
use crate::files::Files;
use crate::store::Store;
use crate::store::decisions::LoggedDecision;
use crate::store::deliveries::OutboxEvent;
use crate::store::journal::Append;
use crate::store::message_callbacks::MessageCallback;
use crate::store::plugins::PluginVersion;
use crate::store::seal::Seal;
use crate::store::tenants::{NewTenant, TenantKeys};

/// 2027-01-01T00:00:00Z, the time in all these tests.
pub(crate) const NOON_S: i64 = 1_798_761_600;

pub(crate) fn noon() -> Timestamp {
    Timestamp(NOON_S * 1000)
}

/// No callback policy is bound.
#[derive(Debug)]
struct NoShapes;

impl driver::Shapes for NoShapes {
    fn shapes(&self, _: &str, _: &StreamKey) -> bool {
        false
    }
}

/// Work that is never done: tests look at what was recorded.
struct Idle;

impl driver::Perform for Idle {
    fn perform(&self, work: driver::Work) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move { work.cancel.cancelled().await })
    }
}

/// The catalogue and the data folder.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) files: Arc<Files>,
    pub(crate) dir: tempfile::TempDir,
}

/// A broadcast whose journal is in the catalogue.
pub(crate) struct Life<'a> {
    world: &'a World,
    pub(crate) state: Broadcast,
    /// When what is put next happens.
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::open(dir.path()).unwrap());
        let store = Store::open(&files.catalogue(), Seal::from_key([7; 32])).await.unwrap();
        Self { store, files, dir }
    }

    /// A driver that writes this catalogue's journals and performs nothing. It ends with its last handle.
    pub(crate) async fn driver(&self) -> driver::Handle {
        let (handle, inbox) = driver::inbox();
        self.drive(handle.clone(), inbox, Arc::new(Idle), Vec::new()).await;
        handle
    }

    /// Runs a driver that performs its work with `perform` and rings `committed`.
    pub(crate) async fn drive(
        &self,
        handle: driver::Handle,
        inbox: driver::Inbox,
        perform: Arc<dyn driver::Perform>,
        committed: Vec<Arc<tokio::sync::Notify>>,
    ) {
        let context = driver::Context {
            store: self.store.clone(),
            files: Arc::clone(&self.files),
            urls: MediaUrls::new("http://vod.example.org/media"),
            publishers_per_tenant: 100,
            shapes: Arc::new(NoShapes),
            committed,
        };
        let driver = Driver::load(context, handle, inbox, perform).await.unwrap();
        tokio::spawn(driver.run(CancellationToken::new()));
    }

    /// A tenant `name` with the keys `<name>-push`, `<name>-play` and the access key `AK<name>` / `<name>-secret`.
    pub(crate) async fn tenant(&self, name: &str) {
        let secret = |what: &str| SecretString::from(format!("{name}-{what}"));
        let webhook_secret = EndpointSecret::from_bytes(vec![7; 32]).unwrap().reveal();
        let keys = TenantKeys { push_key: secret("push"), play_key: secret("play"), webhook_secret };
        let new = NewTenant {
            name: name.to_owned(),
            push_domain: format!("push.{name}.example"),
            play_domain: format!("play.{name}.example"),
            push_auth: true,
            keys,
            access_key_id: format!("AK{name}"),
            access_key_secret: secret("secret"),
        };
        self.store.create_tenant(&new, noon()).await.unwrap();
    }

    /// A receiver of all of a tenant's events.
    pub(crate) async fn receiver(&self, tenant: &str, url: &str) {
        let callback = MessageCallback {
            app_id: "app-1000000".to_owned(),
            url: url.to_owned(),
            event_types: "ALL".to_owned(),
            auth_switch: false,
            auth_key: None,
            extra: "{}".to_owned(),
        };
        self.store.put_message_callback(tenant, &callback, noon()).await.unwrap();
    }

    /// A broadcast of `tenant` with a connected publisher. `id` is also part of its stream's name.
    pub(crate) async fn broadcast(&self, tenant: &str, id: &str) -> Life<'_> {
        let rules =
            RecordRules { cycle_ms: 300_000, break_ms: 60_000, group: GroupId::new("g1"), ..RecordRules::default() };
        self.broadcast_by(tenant, id, rules).await
    }

    /// The same by these rules.
    pub(crate) async fn broadcast_by(&self, tenant: &str, id: &str, rules: RecordRules) -> Life<'_> {
        let opening = Opening {
            tenant: TenantId::new(tenant),
            stream: StreamKey {
                domain: format!("push.{tenant}.example"),
                app: "studio".to_owned(),
                name: format!("cam-{id}"),
            },
            play_domain: format!("play.{tenant}.example"),
            push_args: Vec::new(),
            rules,
        };
        let records = Broadcast::open(opening, "203.0.113.9:4711".to_owned(), noon());
        let id = BroadcastId::new(id);
        let state = Broadcast::fold(id, &records).unwrap().unwrap();
        let life = Life { world: self, state, now: noon() };
        life.commit(0, &records, Vec::new(), Vec::new()).await;
        life
    }
}

/// The decision where no policy is bound.
pub(crate) fn undecided(hook: Hook) -> Decision {
    Decision {
        hook,
        question_digest: "0".repeat(64),
        verdict: Verdict::NoPolicy,
        applied: Applied::Default,
        provenance: None,
    }
}

impl Life<'_> {
    async fn commit(
        &self,
        first_seq: u64,
        records: &[Record],
        events: Vec<OutboxEvent>,
        decisions: Vec<LoggedDecision>,
    ) {
        let append =
            Append { after: &self.state, first_seq, records, events, notices: Vec::new(), decisions, shape: false };
        self.world.store.append(&[append]).await.unwrap();
    }

    /// Puts an input to the broadcast and commits what follows.
    pub(crate) async fn put(&mut self, input: Input) {
        self.put_all(input, Vec::new(), Vec::new()).await;
    }

    async fn put_all(&mut self, input: Input, events: Vec<OutboxEvent>, decisions: Vec<LoggedDecision>) {
        let records = self.state.step(&input, self.now).unwrap();
        assert!(!records.is_empty(), "stale input {input:?}");
        let first_seq = self.state.next_seq;
        for record in &records {
            self.state.apply(record).unwrap();
        }
        self.commit(first_seq, &records, events, decisions).await;
    }

    /// Records a part of ten seconds from `first_ms` with one event about it, and gives its video.
    pub(crate) async fn part(&mut self, first_ms: u64) -> VideoId {
        let facts = facts(first_ms);
        let part = u32::try_from(self.state.parts.len()).unwrap();
        let (video, audio) = (facts.video.clone(), facts.audio.clone());
        self.put(Input::PartOpening { epoch: self.state.epoch, video, audio, first_ms }).await;
        let video = VideoId::of_part(&self.state.id, part);
        let event = OutboxEvent {
            id: format!("evt_{video}"),
            seq: self.state.next_seq,
            video: video.clone(),
            kind: "FileUploadComplete",
            at: noon().0,
            body: format!("{{\"VideoId\":\"{video}\"}}"),
            callback: None,
        };
        self.put_all(Input::PartClosed { part, facts, cause: CloseCause::Cycle }, vec![event], Vec::new()).await;
        video
    }

    /// Ends the broadcast and decides that all of its parts are composed. Gives the video, which does not play yet.
    pub(crate) async fn compose(&mut self, gaps: GapRule) -> VideoId {
        self.put(Input::gone(self.state.epoch, LeaveCause::Unpublished)).await;
        self.put(Input::End { cause: EndCause::BreakWindow }).await;
        let decision = undecided(Hook::ComposeRules);
        let ranges = (0..).zip(&self.state.parts).map(|(index, _)| PartRange { index, from_ms: 0, to_ms: None });
        let plan = ComposePlan { ranges: ranges.collect(), gaps, min_duration_ms: 0, title: None, group: None };
        let is_asked = |effect: &Effect| matches!(effect, Effect::Ask { hook: Hook::ComposeRules, .. });
        let effect = self.effect(is_asked);
        self.put(Input::VerdictGiven { effect, decision, resolution: Resolution::Compose { plan } }).await;
        VideoId::of_compose(&self.state.id)
    }

    /// Records that the composed video plays from its parts.
    pub(crate) async fn link(&mut self) {
        let effect = self.effect(|effect| matches!(effect, Effect::Compose { .. }));
        self.put(Input::ComposeLinked { effect, facts: facts(0) }).await;
    }

    /// Records what became of the composed video's file.
    pub(crate) async fn build(&mut self, failure: Option<WorkFailure>) {
        let effect = self.effect(|effect| matches!(effect, Effect::Compose { .. }));
        let result = failure.map_or_else(|| WorkResult::Done(facts(0)), WorkResult::Failed);
        self.put(Input::ComposeFinished { effect, result }).await;
    }

    fn effect(&self, is_meant: impl Fn(&Effect) -> bool) -> EffectId {
        self.state.outstanding().into_iter().find(|(_, effect)| is_meant(effect)).unwrap().0
    }

    /// Decides a video's template group: one rendition for each of `formats`, and covers.
    pub(crate) async fn decide(&mut self, video: &VideoId, formats: &[&str]) {
        let templates = formats.iter().map(|format| template(format)).collect();
        let plan = TaskPlan { group: GroupId::new("g1"), templates, cover: true };
        let asked = self.state.outstanding().into_iter();
        let effect = asked.filter(|(_, effect)| matches!(effect, Effect::Ask { .. })).map(|(id, _)| id).next().unwrap();
        let decision = Decision {
            hook: Hook::TemplateGroup,
            question_digest: "0".repeat(64),
            verdict: Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::Group("g1".to_owned()))),
            applied: Applied::Answer,
            provenance: Some(Box::new(Provenance {
                plugin: "by-stream".to_owned(),
                version: 1,
                digest: "d".repeat(64),
                interface: "reprise:policy@0.1.0".to_owned(),
                settings_revision: 1,
                fuel: 12_345,
                elapsed_us: 678,
                log: vec!["chose g1".to_owned()],
                binding: Some("default".to_owned()),
                rollout: None,
                reason: None,
                code: None,
                state_revision: None,
                writes: Vec::new(),
                granted: None,
            })),
        };
        let logged = LoggedDecision {
            question: "{\"about\":\"a video\"}".to_owned(),
            decision: decision.clone(),
            video: Some(video.clone()),
            at: noon().0,
        };
        let input = Input::VerdictGiven { effect, decision, resolution: Resolution::Process(plan) };
        self.put_all(input, Vec::new(), vec![logged]).await;
    }

    /// Decides that the video cannot be processed.
    pub(crate) async fn refuse(&mut self, message: &str) {
        let effect = self.effect(|effect| matches!(effect, Effect::Ask { hook: Hook::TemplateGroup, .. }));
        let decision = undecided(Hook::TemplateGroup);
        let failure = WorkFailure { code: "Gone".to_owned(), message: message.to_owned() };
        self.put(Input::VerdictGiven { effect, decision, resolution: Resolution::Refused(failure) }).await;
    }

    /// Writes a rendition's files and records it done. The first file is what a player opens. Gives the job's id.
    pub(crate) async fn rendition(&mut self, video: &VideoId, ordinal: usize, files: &[(&str, &[u8])]) -> String {
        let job = self.state.videos[video].task().unwrap().outputs[ordinal].job.clone();
        self.write(video, job.as_str(), files);
        let facts = OutputFacts {
            file: format!("{job}/{}", files[0].0),
            width: 320,
            height: 240,
            fps: 25.0,
            duration_ms: 10_000,
            bitrate_kbps: 500,
            bytes: 1,
            codec: "H.264".to_owned(),
            audio: Some(AudioTrack { codec: "AAC".to_owned(), sample_rate: 44_100, channels: 2 }),
        };
        let result = WorkResult::Done(facts);
        self.put(Input::OutputFinished { video: video.clone(), job: job.clone(), result, started_at: noon() }).await;
        job.to_string()
    }

    /// Writes cover pictures and records them taken. Gives the job's id.
    pub(crate) async fn covers(&mut self, video: &VideoId, count: u32) -> String {
        let job = self.state.videos[video].task().unwrap().cover.as_ref().unwrap().job.clone();
        let names: Vec<String> = (1..=count).map(|index| format!("c-{index:05}.jpg")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"jpeg".as_slice())).collect();
        self.write(video, job.as_str(), &files);
        let facts = CoverFacts { pattern: format!("{job}/c-{{SnapshotCount}}.jpg"), count, cover: 1 };
        let result = WorkResult::Done(facts);
        self.put(Input::CoverFinished { video: video.clone(), job: job.clone(), result }).await;
        job.to_string()
    }

    /// Writes files of a job.
    pub(crate) fn write(&self, video: &VideoId, folder: &str, files: &[(&str, &[u8])]) {
        let dir = self.world.files.make_video(video).unwrap();
        dir.create_dir_all(folder).unwrap();
        let dir = dir.open_dir(folder).unwrap();
        for (name, bytes) in files {
            dir.write(name, bytes).unwrap();
        }
    }
}

/// Ten seconds of picture and sound.
fn facts(first_ms: u64) -> PartFacts {
    let picture =
        VideoTrack { codec: "H.264".to_owned(), width: 320, height: 240, fps: 25.0, profile: "High".to_owned() };
    PartFacts {
        first_ms,
        duration_ms: 10_000,
        bytes: 1000,
        video_frames: 250,
        audio_frames: 430,
        video: Some(picture),
        audio: Some(AudioTrack { codec: "AAC".to_owned(), sample_rate: 44_100, channels: 2 }),
    }
}

fn template(format: &str) -> Template {
    Template {
        id: TemplateId::new(format!("t-{format}")),
        name: format.to_owned(),
        definition: "SD".to_owned(),
        format: format.to_owned(),
        settings: "{}".to_owned(),
    }
}

/// The first version of a plugin with these hooks, as it is uploaded; there is no component of it.
pub(crate) fn plugin_version(plugin: &str, hooks: &str) -> PluginVersion {
    PluginVersion {
        plugin: plugin.to_owned(),
        version: 1,
        digest: "d".repeat(64),
        bytes: 1,
        interface: "reprise:policy@0.1.0".to_owned(),
        hooks: hooks.to_owned(),
        settings: "{}".to_owned(),
        revision: 1,
        ..PluginVersion::default()
    }
}

/// 320x240 at 25 fps, High: a codec header made by ffmpeg.
const AVC: &str = "0164000dffe100196764000dacd94141fb011000000300100000030320f142996001000668ebe3cb22c0fdf8f800";

/// A part of `seconds` fragments, one picture each, a keyframe in every second one.
pub(crate) fn recording(seconds: u64) -> Vec<u8> {
    recording_from(0, seconds, 200)
}

/// The same `start_s` seconds into its broadcast, with pictures of so many bytes.
pub(crate) fn recording_from(start_s: u64, seconds: u64, picture_bytes: usize) -> Vec<u8> {
    let record = Bytes::from(hex::decode(AVC).unwrap());
    let tracks = Tracks { video: Some(VideoConfig::parse(VideoCodec::Avc, &record).unwrap()), audio: None };
    let mut file = init_segment(&tracks).unwrap().bytes.to_vec();
    let mut fragmenter = Fragmenter::new(1, file.len() as u64, true, 0);
    for second in 0..seconds {
        let (start, data) = ((start_s + second) * 1000, Bytes::from(vec![second as u8; picture_bytes]));
        let sample = Sample { start, composition: 0, keyframe: second % 2 == 0, data };
        fragmenter.push(TrackKind::Video, sample);
        let ends = TimelinePosition { video_end_ms: start + 1000, audio_end: 0, audio_rate: 0 };
        file.extend_from_slice(&fragmenter.finish(ends).unwrap().unwrap().bytes);
    }
    file
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Puts one request to a router. `headers` are names and values.
pub(crate) async fn ask(
    router: &axum::Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answered {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.into()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    // A stream of events does not end; what it says is read over a socket.
    let is_endless = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let body = if is_endless { Vec::new() } else { body.collect().await.unwrap().to_bytes().to_vec() };
    Answered { status: parts.status, headers: parts.headers, body }
}
