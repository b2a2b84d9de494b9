//! Sample questions: complete and plausible, so that a case, a test or a measurement names only what it is about. They
//! are those of the SDK's `testing` module, word for word.

use reprise_lifecycle::id::{BroadcastId, VideoId};
use reprise_lifecycle::media::{AudioTrack, MediaFacts, VideoTrack};
use reprise_lifecycle::question::{
    CallbackQuestion, ComposeQuestion, GroupChoice, Hook, Origin, PartSummary, Question, StreamKey,
    TemplateGroupQuestion,
};
use reprise_lifecycle::time::Timestamp;

/// Length of a sample part.
const PART_MS: u32 = 300_000;

/// When the sample broadcast begins.
const BEGIN_MS: i64 = 1_780_000_000_000;

/// The sample question of a hook.
pub fn question(hook: Hook) -> Question {
    match hook {
        Hook::TemplateGroup => Question::TemplateGroup(template_group()),
        Hook::ComposeRules => Question::ComposeRules(compose_rules()),
        Hook::Callback => Question::Callback(callback()),
    }
}

/// About the first part; the record config names the group `SD`.
pub fn template_group() -> TemplateGroupQuestion {
    TemplateGroupQuestion { origin: origin(), part: part(0), default_group: "b2".repeat(16), groups: groups() }
}

/// About a broadcast of three parts that the record config composes.
pub fn compose_rules() -> ComposeQuestion {
    let parts: Vec<PartSummary> = (0..3).map(part).collect();
    ComposeQuestion {
        origin: origin(),
        ended_at: parts[2].ended_at,
        parts,
        default_compose: true,
        default_group: None,
        groups: groups(),
    }
}

/// About `AddLiveRecordVideoComplete` of the first part.
pub fn callback() -> CallbackQuestion {
    CallbackQuestion {
        tenant: "acme".to_owned(),
        stream: Some(origin().stream),
        play_domain: Some(origin().play_domain),
        event_id: "evt_00112233445566778899aabbccddeeff".to_owned(),
        event_type: "AddLiveRecordVideoComplete".to_owned(),
        url: "https://receiver.example.com/vod".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: format!(
            r#"{{"EventType":"AddLiveRecordVideoComplete","EventTime":"2026-05-28T20:26:40Z","Status":"success","VideoId":"{}","StreamName":"room-1","DomainName":"push.example.com","AppName":"live"}}"#,
            part(0).video_id
        ),
    }
}

/// The part `index` of five minutes, 1080p at 25 frames per second with stereo sound, without gaps and not analysed.
pub fn part(index: u32) -> PartSummary {
    let started_at = BEGIN_MS.saturating_add(i64::from(index) * i64::from(PART_MS));
    PartSummary {
        index,
        video_id: VideoId::new(format!("{index:032x}")),
        started_at: Timestamp(started_at),
        ended_at: Timestamp(started_at.saturating_add(i64::from(PART_MS))),
        first_ms: u64::from(index) * u64::from(PART_MS),
        duration_ms: u64::from(PART_MS),
        bytes: 150_000_000,
        bitrate_kbps: 4_000,
        gap_ms: 0,
        video: Some(VideoTrack {
            codec: "H.264".to_owned(),
            width: 1920,
            height: 1080,
            fps: 25.0,
            profile: "High".to_owned(),
        }),
        audio: Some(AudioTrack { codec: "AAC".to_owned(), sample_rate: 48_000, channels: 2 }),
        facts: None,
    }
}

/// Facts of a part in which nothing stands out: loud enough, in motion from end to end.
pub fn facts() -> MediaFacts {
    MediaFacts {
        silences: Vec::new(),
        blacks: Vec::new(),
        freezes: Vec::new(),
        scenes_ms: Vec::new(),
        loudness_lufs: Some(-23.0),
        true_peak_dbfs: Some(-3.0),
        loudness_range_lu: Some(7.0),
        cover_ms: Some(150_000),
    }
}

/// A stream of the tenant `acme`: `rtmp://push.example.com/live/room-1`.
pub fn origin() -> Origin {
    Origin {
        tenant: "acme".to_owned(),
        stream: StreamKey { domain: "push.example.com".to_owned(), app: "live".to_owned(), name: "room-1".to_owned() },
        play_domain: "play.example.com".to_owned(),
        push_args: vec![("quality".to_owned(), "high".to_owned())],
        broadcast: BroadcastId::new("5f0c9d1e2b3a47568899aabbccddeeff"),
        broadcast_started_at: Timestamp(BEGIN_MS),
        reconnects: 0,
    }
}

/// The groups `HD` and `SD`.
fn groups() -> Vec<GroupChoice> {
    [("a1", "HD"), ("b2", "SD")].map(|(id, name)| GroupChoice { id: id.repeat(16), name: name.to_owned() }).to_vec()
}

#[cfg(test)]
mod tests {
    use reprise_plugin::testing as sdk;
    use serde_json::{Value, json};

    use super::*;

    fn ours(hook: Hook) -> Value {
        serde_json::to_value(question(hook)).unwrap()[hook.name()].clone()
    }

    fn sdk_part(part: &reprise_plugin::Part) -> Value {
        let video = part.video.as_ref().map(|video| {
            json!({"codec": video.codec, "width": video.width, "height": video.height, "fps": video.fps,
                "profile": video.profile})
        });
        let audio = part
            .audio
            .as_ref()
            .map(|audio| json!({"codec": audio.codec, "sample_rate": audio.sample_rate, "channels": audio.channels}));
        assert!(part.facts.is_none());
        json!({"index": part.index, "video_id": part.video_id, "started_at": part.started_at_ms,
            "ended_at": part.ended_at_ms, "first_ms": part.first_ms, "duration_ms": part.duration_ms,
            "bytes": part.bytes, "bitrate_kbps": part.bitrate_kbps, "gap_ms": part.gap_ms, "video": video,
            "audio": audio})
    }

    fn sdk_stream(stream: &reprise_plugin::StreamKey) -> Value {
        json!({"domain": stream.domain, "app": stream.app, "name": stream.name})
    }

    fn sdk_origin(origin: &reprise_plugin::Origin) -> Value {
        json!({"tenant": origin.tenant, "stream": sdk_stream(&origin.stream), "play_domain": origin.play_domain,
            "push_args": origin.push_args, "broadcast": origin.broadcast,
            "broadcast_started_at": origin.broadcast_started_at_ms, "reconnects": origin.reconnects})
    }

    fn sdk_groups(groups: &[reprise_plugin::GroupChoice]) -> Value {
        groups.iter().map(|group| json!({"id": group.id, "name": group.name})).collect()
    }

    #[test]
    fn the_samples_are_those_of_the_sdk() {
        let template_group = sdk::template_group_question();
        assert_eq!(
            ours(Hook::TemplateGroup),
            json!({"origin": sdk_origin(&template_group.origin), "part": sdk_part(&template_group.part),
                "default_group": template_group.default_group, "groups": sdk_groups(&template_group.groups)})
        );
        let compose = sdk::compose_question();
        let parts: Vec<Value> = compose.parts.iter().map(sdk_part).collect();
        assert_eq!(
            ours(Hook::ComposeRules),
            json!({"origin": sdk_origin(&compose.origin), "ended_at": compose.ended_at_ms, "parts": parts,
                "default_compose": compose.default_compose, "default_group": compose.default_group,
                "groups": sdk_groups(&compose.groups)})
        );
        let callback = sdk::callback_question();
        assert_eq!(
            ours(Hook::Callback),
            json!({"tenant": callback.tenant, "stream": callback.stream.as_ref().map(sdk_stream),
                "play_domain": callback.play_domain, "event_id": callback.event_id,
                "event_type": callback.event_type, "url": callback.url, "headers": callback.headers,
                "body": callback.body})
        );
        let theirs = sdk::facts();
        assert_eq!(
            serde_json::to_value(facts()).unwrap(),
            json!({"silences": [], "blacks": [], "freezes": [], "scenes_ms": theirs.scenes_ms,
                "loudness_lufs": theirs.loudness_lufs, "true_peak_dbfs": theirs.true_peak_dbfs,
                "loudness_range_lu": theirs.loudness_range_lu, "cover_ms": theirs.cover_ms})
        );
    }
}
