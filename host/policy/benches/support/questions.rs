//! What is asked in the measurement: a decision over 20 rules, and an event of about a kilobyte.

use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::question::{
    CallbackQuestion, GroupChoice, Origin, PartSummary, Question, StreamKey, TemplateGroupQuestion,
};
use reprise_policy::sample;

const VIDEO: &str = "00112233445566778899aabbccddeeff";

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
    let sample = sample::template_group();
    Question::TemplateGroup(TemplateGroupQuestion {
        origin: Origin {
            stream: stream(),
            push_args: vec![("quality".into(), "high".into()), ("room".into(), "17".into())],
            ..sample.origin
        },
        part: PartSummary { video_id: VideoId::new(VIDEO), ..sample::part(2) },
        groups: [("a1", "HD"), ("b2", "SD"), ("c3", "Audio")]
            .map(|(id, name)| GroupChoice { id: id.repeat(16), name: name.into() })
            .to_vec(),
        ..sample
    })
}

pub(crate) fn transform() -> Question {
    let urls: String =
        (0..6).map(|n| format!(r#","Url{n}":"https://play.example.com/media/acme/{VIDEO}/{n}.m3u8""#)).collect();
    let body = format!(
        r#"{{"EventType":"StreamTranscodeComplete","EventTime":"2026-05-28T20:26:40Z","Status":"success","VideoId":"{VIDEO}","StreamName":"room-17","DomainName":"push.example.com","AppName":"live","Definition":"HD","Duration":300.04,"Bitrate":"4000.1","Fps":"25","Height":1080,"Width":1920,"Size":150000000,"Extend":"{}"{urls}}}"#,
        "x".repeat(200)
    );
    Question::Callback(CallbackQuestion {
        stream: Some(stream()),
        event_type: "StreamTranscodeComplete".into(),
        url: "https://receiver.example.com/vod/events".into(),
        body,
        ..sample::callback()
    })
}

fn stream() -> StreamKey {
    StreamKey { name: "room-17".into(), ..sample::origin().stream }
}
