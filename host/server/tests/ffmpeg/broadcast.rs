//! A whole broadcast in one process: recorder, driver and jobs with real media, around them the least that can be. No
//! frame is encoded twice: not by following a part and encoding it again, not in the parts and again in the whole.

use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use reprise::api::template::rendition;
use reprise::api::urls::MediaUrls;
use reprise::config::Config;
use reprise::disk::Disk;
use reprise::driver::{self, Driver, Handle, Perform, Shapes, Work};
use reprise::files::{self, Files};
use reprise::jobs::Jobs;
use reprise::jobs::following::{Following, Guess};
use reprise::jobs::progress::Progress;
use reprise::policies::Policies;
use reprise::recorder::Recorders;
use reprise::store::Store;
use reprise::store::seal::Seal;
use reprise::store::template_groups::TemplateGroup;
use reprise::store::tenants::{NewTenant, TenantKeys};
use reprise::watermark::Watermarks;
use reprise_lifecycle::broadcast::{Broadcast, PartState};
use reprise_lifecycle::decision::{Applied, Decision, Verdict};
use reprise_lifecycle::effect::Effect;
use reprise_lifecycle::id::{BroadcastId, GroupId, TemplateId, TenantId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::question::{ComposePlan, GapRule, Hook, PartRange, StreamKey};
use reprise_lifecycle::record::{
    EndCause, LeaveCause, Opening, RecordRules, Resolution, Subject, TaskPlan, Template, WorkResult,
};
use reprise_lifecycle::time::Timestamp;
use reprise_media::rtmp::{Media, MediaKind};
use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::clip::{ffmpeg, tools};

const TENANT: &str = "acme";
const GROUP: &str = "00112233445566778899aabbccddeeff";

/// The encoder's clip: parts of four seconds each, with a keyframe every second.
const SECONDS: u32 = 12;
const FPS: u32 = 25;
const PARTS: u32 = 3;
const CYCLE_MS: u64 = 4000;

fn templates() -> Vec<Template> {
    let template = |id: &str, format: &str, height: u32| {
        let settings = json!({
            "Container": {"Format": format}, "MuxConfig": {"Segment": {"Duration": "2"}},
            "Video": {"Codec": "H.264", "Height": height.to_string(), "Preset": "veryfast"},
            "Audio": {"Codec": "AAC", "Bitrate": "64"},
        });
        Template {
            id: TemplateId::new(id),
            name: id.to_owned(),
            definition: "LD".to_owned(),
            format: format.to_owned(),
            settings: settings.to_string(),
        }
    };
    vec![template("tmp4", "mp4", 128), template("thls", "m3u8", 144)]
}

#[derive(Debug)]
struct NoShapes;

impl Shapes for NoShapes {
    fn shapes(&self, _: &str, _: &StreamKey) -> bool {
        false
    }
}

/// Does what a broadcast calls for.
#[derive(Clone)]
struct Performer {
    handle: Handle,
    files: Arc<Files>,
    jobs: Arc<Jobs>,
    recorders: Arc<OnceLock<Recorders>>,
    /// A part whose group encodes nothing.
    lacking: Option<u32>,
}

impl Perform for Performer {
    fn perform(&self, work: Work) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let performer = self.clone();
        Box::pin(async move { performer.run(work).await })
    }
}

impl Performer {
    async fn run(self, work: Work) {
        let broadcast = Arc::clone(&work.broadcast);
        match &work.effect {
            Effect::ClosePart { part } => self.recorders.get().unwrap().close_abandoned(&broadcast, *part).await,
            Effect::Ask { hook, subject } => {
                let resolution = match subject {
                    Subject::Video(video) => {
                        let lacks = self.lacking.is_some_and(|part| *video == VideoId::of_part(&broadcast.id, part));
                        let templates = if lacks { Vec::new() } else { templates() };
                        Resolution::Process(TaskPlan { group: GroupId::new(GROUP), templates, cover: false })
                    }
                    Subject::Compose => Resolution::Compose { plan: all(&broadcast) },
                };
                let decision = decision(*hook);
                self.handle.verdict(&broadcast.id, work.effect_id, "{}".into(), decision, resolution).await.unwrap();
            }
            Effect::Process { video, task } => self.jobs.process(&work, &self.handle, video, task).await,
            Effect::Compose { video, .. } => {
                let facts = compose(&self.files, &broadcast, video);
                let effect = work.effect_id;
                let linked = Input::ComposeLinked { effect, facts: facts.clone() };
                self.handle.job_input(&broadcast.id, linked).await.unwrap();
                let done = Input::ComposeFinished { effect, result: WorkResult::Done(facts) };
                self.handle.job_input(&broadcast.id, done).await.unwrap();
            }
            other => panic!("{other:?} is not part of this broadcast"),
        }
    }
}

fn decision(hook: Hook) -> Decision {
    Decision {
        hook,
        question_digest: "0".repeat(64),
        verdict: Verdict::NoPolicy,
        applied: Applied::Default,
        provenance: None,
    }
}

fn all(broadcast: &Broadcast) -> ComposePlan {
    let parts = u32::try_from(broadcast.parts.len()).unwrap();
    ComposePlan {
        ranges: (0..parts).map(|index| PartRange { index, from_ms: 0, to_ms: None }).collect(),
        gaps: GapRule::Cut,
        min_duration_ms: 0,
        title: None,
        group: None,
    }
}

fn closed(broadcast: &Broadcast) -> Vec<PartFacts> {
    let facts = broadcast.parts.iter().filter_map(|part| match &part.state {
        PartState::Closed { facts, .. } => Some(facts.clone()),
        PartState::Open | PartState::Dropped => None,
    });
    facts.collect()
}

/// A composed source, as good as this test needs it.
fn compose(files: &Files, broadcast: &Broadcast, video: &VideoId) -> PartFacts {
    let parts = closed(broadcast);
    let folder = files.make_video(video).unwrap();
    let list: String = (0..parts.len())
        .map(|part| VideoId::of_part(&broadcast.id, u32::try_from(part).unwrap()))
        .map(|part| format!("file '{}'\n", files.media_path(&part, files::SOURCE).display()))
        .collect();
    folder.write("list.txt", list).unwrap();
    let (from, to) = (files.media_path(video, "list.txt"), files.media_path(video, files::SOURCE));
    ffmpeg(&["-f", "concat", "-safe", "0", "-i", from.to_str().unwrap(), "-c", "copy", to.to_str().unwrap()]);
    PartFacts {
        bytes: to.metadata().unwrap().len(),
        duration_ms: parts.iter().map(|part| part.duration_ms).sum(),
        video_frames: parts.iter().map(|part| part.video_frames).sum(),
        ..parts[0].clone()
    }
}

struct World {
    _dir: tempfile::TempDir,
    files: Arc<Files>,
    store: Store,
    handle: Handle,
    jobs: Arc<Jobs>,
    recorders: Recorders,
    stop: CancellationToken,
    following: Option<Following>,
}

impl World {
    async fn new(follow: bool, lacking: Option<u32>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::open(dir.path()).unwrap());
        let store = Store::open(&files.catalogue(), Seal::from_key([7; 32])).await.unwrap();
        furnish(&store).await;
        let (handle, inbox) = driver::inbox();
        let stop = CancellationToken::new();
        let policies = Policies::new(&Config::parse("").unwrap().policies, store.clone(), Arc::clone(&files), [9; 32]);
        let guess = Guess { store: store.clone(), policies: Arc::new(policies.unwrap()) };
        // The disk of a test has room; what a full one does has tests of its own.
        let disk = Arc::new(Disk::new(Arc::new(|| Ok(u64::MAX)), &Config::parse("").unwrap().limits));
        let following =
            follow.then(|| Following::new(Arc::clone(&files), tools(), guess, 3, Arc::clone(&disk), stop.clone()));
        let (progress, all) = (Progress::default(), following.clone());
        let jobs = Arc::new(Jobs::new(Arc::clone(&files), tools(), store.clone(), 1, progress, all));
        let mut recorders = Recorders::new(handle.clone(), Arc::clone(&files), Arc::new(Watermarks::default()), disk);
        if let Some(following) = &following {
            recorders = recorders.watched(Arc::new(following.clone()));
        }
        let performer = Performer {
            handle: handle.clone(),
            files: Arc::clone(&files),
            jobs: Arc::clone(&jobs),
            recorders: Arc::new(recorders.clone().into()),
            lacking,
        };
        let context = driver::Context {
            store: store.clone(),
            files: Arc::clone(&files),
            urls: MediaUrls::new("http://vod.example/media"),
            publishers_per_tenant: 10,
            shapes: Arc::new(NoShapes),
            committed: Vec::new(),
        };
        let driver = Driver::load(context, handle.clone(), inbox, Arc::new(performer)).await.unwrap();
        tokio::spawn(driver.run(stop.clone()));
        Self { _dir: dir, files, store, handle, jobs, recorders, stop, following }
    }

    /// Publishes the clip. With `watch`, media goes on only when somebody follows the part; gives the broadcast.
    async fn publish(&self, media: &[Media], watch: bool) -> BroadcastId {
        let opening = Opening {
            tenant: TenantId::new(TENANT),
            stream: StreamKey { domain: "push.example".into(), app: "live".into(), name: "cam".into() },
            play_domain: "play.example".into(),
            push_args: Vec::new(),
            rules: RecordRules {
                cycle_ms: CYCLE_MS,
                break_ms: 60_000,
                group: GroupId::new(GROUP),
                auto_compose: true,
                compose_group: Some(GroupId::new(GROUP)),
                ..RecordRules::default()
            },
        };
        let joined = self.handle.publish(opening, "203.0.113.9:1".into()).await.unwrap();
        let broadcast = joined.broadcast.clone();
        let recorder = self.recorders.start(joined);
        let mut followed = 0;
        for message in media {
            // Late enough in the part to be followed, early enough for it to grow on.
            if watch && u64::from(message.timestamp_ms) >= u64::from(followed) * CYCLE_MS + 3500 {
                let video = VideoId::of_part(&broadcast, followed);
                let folder = self.files.work_path(&format!("{video}-following"));
                eventually("a part to be followed", || folder.exists().then_some(())).await;
                followed += 1;
            }
            recorder.media(message.clone()).await.unwrap();
        }
        recorder.finish(LeaveCause::Unpublished).await;
        self.handle.end(&broadcast, EndCause::BreakWindow).await.unwrap();
        broadcast
    }

    /// The broadcast once nothing more happens.
    async fn settled(&self, id: &BroadcastId) -> Broadcast {
        let since = Instant::now();
        loop {
            let journal = self.store.journal(id).await.unwrap();
            let broadcast = Broadcast::fold(id.clone(), &journal).unwrap().unwrap();
            if broadcast.is_settled() {
                return broadcast;
            }
            assert!(since.elapsed() < Duration::from_secs(60), "{broadcast:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn furnish(store: &Store) {
    let secret = |text: &str| SecretString::from(text);
    let new = NewTenant {
        name: TENANT.into(),
        push_domain: "push.example".into(),
        play_domain: "play.example".into(),
        push_auth: false,
        keys: TenantKeys { push_key: secret("a"), play_key: secret("b"), webhook_secret: secret("c") },
        access_key_id: "AK".into(),
        access_key_secret: secret("d"),
    };
    store.create_tenant(&new, Timestamp(0)).await.unwrap();
    let group = TemplateGroup {
        id: GROUP.into(),
        name: "two".into(),
        is_default: false,
        locked: false,
        created_at: 0,
        modified_at: 0,
    };
    store.put_template_group(TENANT, &group, &templates()).await.unwrap();
}

/// What an encoder sends: the tags of an FLV file that ffmpeg writes.
fn media(dir: &Path) -> Vec<Media> {
    const FILE_HEADER: usize = 13;
    const TAG_HEADER: usize = 11;
    const PREVIOUS_SIZE: usize = 4;
    let file = dir.join("in.flv");
    let (picture, length) = (format!("testsrc2=s=320x180:r={FPS}:d={SECONDS}"), format!("sine=r=44100:d={SECONDS}"));
    ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        &picture,
        "-f",
        "lavfi",
        "-i",
        &length,
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-bf",
        "2",
        "-g",
        "25",
        "-sc_threshold",
        "0",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        file.to_str().unwrap(),
    ]);
    let flv = std::fs::read(file).unwrap();
    let (mut media, mut rest) = (Vec::new(), &flv[FILE_HEADER..]);
    while rest.len() >= TAG_HEADER {
        let size = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        let timestamp_ms = u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]);
        let data = rest[TAG_HEADER..][..size].to_vec().into();
        let kind = match rest[0] {
            8 => Some(MediaKind::Audio),
            9 => Some(MediaKind::Video),
            _ => None,
        };
        media.extend(kind.map(|kind| Media { kind, timestamp_ms, data }));
        rest = &rest[TAG_HEADER + size + PREVIOUS_SIZE..];
    }
    media
}

fn decoded(file: &Path) -> u64 {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames"])
        .args(["-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.trim_matches(',').parse().ok()).unwrap()
}

/// When the pictures of a file are shown.
fn shown(file: &Path) -> Vec<f64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_frames"])
        .args(["-show_entries", "frame=best_effort_timestamp_time", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut times: Vec<f64> = text.lines().filter_map(|line| line.split(',').next()?.parse().ok()).collect();
    times.sort_by(f64::total_cmp);
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_frame_is_encoded_twice() {
    let scratch = tempfile::tempdir().unwrap();
    let media = media(scratch.path());
    let pushed = u64::from(SECONDS * FPS);
    let renditions = templates().len() as u64;
    // Whether parts are followed, a part that has no renditions of its own; how many are followed then.
    let table = [(true, None, u64::from(PARTS) * renditions), (false, None, 0), (false, Some(1), 0)];
    for (follow, lacking, followed) in table {
        let world = World::new(follow, lacking).await;
        let id = world.publish(&media, follow).await;
        let broadcast = world.settled(&id).await;
        assert_eq!(closed(&broadcast).len(), PARTS as usize);
        let case = format!("follow {follow}, lacking {lacking:?}");
        assert_eq!(world.jobs.reused(), [("followed", followed), ("joined", renditions)], "{case}");
        assert_eq!(world.jobs.encoded_frames(), pushed * renditions, "{case}");

        for video in broadcast.videos.values() {
            let expected = video.facts.as_ref().unwrap().video_frames;
            for output in &video.task().unwrap().outputs {
                let facts = output.finished.as_ref().unwrap().result.done().unwrap();
                assert_eq!(decoded(&world.files.media_path(&video.id, &facts.file)), expected, "{case}: {facts:?}");
                let height = rendition::of(&output.template).unwrap().video;
                assert!(height.is_some() && facts.height > 0);
            }
        }
        let whole = &broadcast.videos[&VideoId::of_compose(&id)];
        for output in &whole.task().unwrap().outputs {
            let facts = output.finished.as_ref().unwrap().result.done().unwrap();
            let times = shown(&world.files.media_path(&whole.id, &facts.file));
            let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let uneven: Vec<_> = steps.iter().enumerate().filter(|(_, step)| !(0.038..0.042).contains(*step)).collect();
            assert!(uneven.is_empty(), "{case}: {facts:?} does not go on over its seams: {uneven:?}");
        }
        assert_eq!(whole.facts.as_ref().unwrap().video_frames, pushed, "{case}");
        let left: Vec<_> = std::fs::read_dir(world.files.root().join("work")).unwrap().collect();
        world.stop.cancel();
        if let Some(following) = &world.following {
            following.ended().await;
        }
        assert!(left.is_empty() || follow, "{case}: {left:?}");
        assert_eq!(std::fs::read_dir(world.files.root().join("work")).unwrap().count(), 0, "{case}");
    }
}
