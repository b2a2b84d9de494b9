//! What is asked in the measurement: a decision over 20 rules, and an event of about a kilobyte.

use reprise_lifecycle::id::{BroadcastId, VideoId};
use reprise_lifecycle::media::{AudioTrack, VideoTrack};
use reprise_lifecycle::question::{
    CallbackQuestion, GroupChoice, Origin, PartSummary, Question, StreamKey, TemplateGroupQuestion,
};
use reprise_lifecycle::time::Timestamp;

/// 20 rules, of which the last but one fits.
pub(crate) const DECIDE_SETTINGS: &str = r#"{"rules":[
    {"stream":"lobby-*","group":"SD"},{"stream":"hall-*","group":"SD"},{"stream":"door-*","group":"SD"},
    {"stream":"roof-*","group":"SD"},{"stream":"yard-*","group":"SD"},{"stream":"lift-*","group":"SD"},
    {"stream":"desk-*","group":"SD"},{"stream":"dock-*","group":"SD"},{"stream":"shop-*","group":"SD"},
    {"stream":"cafe-*","group":"SD"},{"stream":"room-9*","group":"SD"},{"stream":"room-8*","group":"SD"},
    {"stream":"room-7*","group":"SD"},{"stream":"room-6*","group":"SD"},{"stream":"room-5*","group":"SD"},
    {"stream":"room-4*","group":"SD"},{"stream":"room-3*","group":"SD"},{"stream":"room-2*","group":"SD"},
    {"stream":"room-1*","min_height":720,"group":"HD"},{"group":"SD"}]}"#;

/// Three fields and a header.
pub(crate) const TRANSFORM_SETTINGS: &str = r#"{"drop":["SnapshotComplete"],
    "fields":{"Region":"eu-central","Billing":{"Plan":3,"Cost":"a-17"},"Tags":["live","vod"]},
    "headers":{"X-Team":"vod"}}"#;

pub(crate) fn decide() -> Question {
    Question::TemplateGroup(TemplateGroupQuestion {
        origin: Origin {
            tenant: "acme".into(),
            stream: stream(),
            play_domain: "play.example.com".into(),
            push_args: vec![("quality".into(), "high".into()), ("room".into(), "17".into())],
            broadcast: BroadcastId::new("5f0c9d1e2b3a47568899aabbccddeeff"),
            broadcast_started_at: Timestamp(1_780_000_000_000),
            reconnects: 0,
        },
        part: PartSummary {
            index: 2,
            video_id: VideoId::new("00112233445566778899aabbccddeeff"),
            started_at: Timestamp(1_780_000_600_000),
            ended_at: Timestamp(1_780_000_900_000),
            first_ms: 600_000,
            duration_ms: 300_000,
            bytes: 150_000_000,
            bitrate_kbps: 4_000,
            gap_ms: 0,
            video: Some(VideoTrack {
                codec: "H.264".into(),
                width: 1920,
                height: 1080,
                fps: 25.0,
                profile: "High".into(),
            }),
            audio: Some(AudioTrack { codec: "AAC".into(), sample_rate: 48_000, channels: 2 }),
            facts: None,
        },
        default_group: "b2".repeat(16),
        groups: [("a1", "HD"), ("b2", "SD"), ("c3", "Audio")]
            .map(|(id, name)| GroupChoice { id: id.repeat(16), name: name.into() })
            .to_vec(),
    })
}

pub(crate) fn transform() -> Question {
    let urls: String = (0..6)
        .map(|n| {
            format!(r#","Url{n}":"https://play.example.com/media/acme/00112233445566778899aabbccddeeff/{n}.m3u8""#)
        })
        .collect();
    let body = format!(
        r#"{{"EventType":"StreamTranscodeComplete","EventTime":"2026-05-28T20:26:40Z","Status":"success","VideoId":"00112233445566778899aabbccddeeff","StreamName":"room-17","DomainName":"push.example.com","AppName":"live","Definition":"HD","Duration":300.04,"Bitrate":"4000.1","Fps":"25","Height":1080,"Width":1920,"Size":150000000,"Extend":"{}"{urls}}}"#,
        "x".repeat(200)
    );
    Question::Callback(CallbackQuestion {
        tenant: "acme".into(),
        stream: Some(stream()),
        play_domain: Some("play.example.com".into()),
        event_id: "evt_00112233445566778899aabbccddeeff".into(),
        event_type: "StreamTranscodeComplete".into(),
        url: "https://receiver.example.com/vod/events".into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body,
    })
}

fn stream() -> StreamKey {
    StreamKey { domain: "push.example.com".into(), app: "live".into(), name: "room-17".into() }
}
