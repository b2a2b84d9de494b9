//! The bodies beside the samples of the vendor's protocol, value by value.

use reprise_lifecycle::id::{EventId, TaskId, TemplateId};
use reprise_lifecycle::media::{AudioTrack, VideoTrack};
use reprise_lifecycle::record::{OutputFacts, Template};
use reprise_lifecycle::time::Timestamp;

use super::*;

const SEGMENT: &str = "9f3c1a7be0d24c5f8a6b1c9d0e4f5a6b";
const MIDNIGHT: i64 = 1_798_761_600_000;

/// Seconds after midnight of 1 January 2027.
fn at(seconds: i64) -> Timestamp {
    Timestamp(MIDNIGHT + seconds * 1000)
}

fn check(video: &str, when: Timestamp, told: Told, expected: Value) {
    let stream = StreamKey { domain: "push.example.org".into(), app: "studio".into(), name: "cam01".into() };
    let urls = MediaUrls::new("http://vod.example.org");
    let context = EventContext { stream: &stream, play_domain: "play.example.org", urls: &urls };
    let event = Event { id: EventId::new("evt_1"), video: VideoId::new(video), at: when, told };
    let (kind, body) = super::body(&event, context);
    assert_eq!(body, expected);
    assert_eq!(body["EventType"], kind);
}

#[test]
fn a_recorded_part() {
    check(
        SEGMENT,
        at(20 * 60 + 9),
        Told::PartRecorded { started_at: at(5), ended_at: at(20 * 60 + 5) },
        json!({
            "EventTime": "2027-01-01T00:20:09Z",
            "EventType": "AddLiveRecordVideoComplete",
            "VideoId": "9f3c1a7be0d24c5f8a6b1c9d0e4f5a6b",
            "Status": "success",
            "StreamName": "cam01",
            "DomainName": "play.example.org",
            "AppName": "studio",
            "RecordStartTime": "2027-01-01T00:00:05Z",
            "RecordEndTime": "2027-01-01T00:20:05Z"
        }),
    );
}

#[test]
fn a_compose_that_began_and_one_that_failed() {
    let composed = "b7e2d9c4518f4a0e9d3c6b5a49382716";
    check(
        composed,
        at(63 * 60 + 10),
        Told::ComposeStarted,
        json!({
            "EventTime": "2027-01-01T01:03:10Z",
            "EventType": "LiveRecordVideoComposeStart",
            "VideoId": "b7e2d9c4518f4a0e9d3c6b5a49382716",
            "Status": "success",
            "StreamName": "cam01",
            "DomainName": "play.example.org",
            "AppName": "studio"
        }),
    );
    let failure = WorkFailure { code: "ExceededMax".into(), message: "more than 40 parts".into() };
    check(
        composed,
        at(0),
        Told::ComposeFailed(failure),
        json!({
            "EventTime": "2027-01-01T00:00:00Z",
            "EventType": "ProduceMediaComplete",
            "Status": "fail",
            "MediaId": "b7e2d9c4518f4a0e9d3c6b5a49382716",
            "ProjectId": "",
            "ErrorCode": "ExceededMax",
            "ErrorMessage": "more than 40 parts"
        }),
    );
}

#[test]
fn a_complete_source() {
    check(
        SEGMENT,
        at(0),
        Told::SourceComplete { bytes: 1_125_150_000, extend: None },
        json!({
            "EventTime": "2027-01-01T00:00:00Z",
            "EventType": "FileUploadComplete",
            "VideoId": SEGMENT,
            "Status": "success",
            "Size": 1_125_150_000,
            "FileUrl": format!("http://vod.example.org/{SEGMENT}/source.mp4")
        }),
    );
}

fn facts() -> PartFacts {
    PartFacts {
        first_ms: 0,
        duration_ms: 1_200_160,
        bytes: 375_050_000,
        video_frames: 30_004,
        audio_frames: 51_000,
        video: Some(VideoTrack { codec: "H.264".into(), width: 1920, height: 1080, fps: 25.0, profile: "high".into() }),
        audio: Some(AudioTrack { codec: "AAC".into(), sample_rate: 48_000, channels: 2 }),
    }
}

#[test]
fn an_analysed_source_with_and_without_a_picture() {
    let common = json!({
        "EventTime": "2027-01-01T00:20:12Z",
        "EventType": "VideoAnalysisComplete",
        "VideoId": SEGMENT,
        "Status": "success",
        "Duration": 1200.16, "Bitrate": "2500", "Size": 375_050_000
    });
    let mut full = common.as_object().unwrap().clone();
    full.extend(json!({"Width": 1920, "Height": 1080, "Fps": "25"}).as_object().unwrap().clone());
    check(SEGMENT, at(20 * 60 + 12), Told::Analysed(facts()), Value::Object(full));
    let facts = PartFacts { video: None, ..facts() };
    check(SEGMENT, at(20 * 60 + 12), Told::Analysed(facts), common);
}

#[test]
fn cover_pictures() {
    let job = JobId::new("4f0c7a61d2b34e5f8091a2b3c4d5e6f7");
    let cover = CoverFacts { pattern: "covers/4f0c7a61-{SnapshotCount}.jpg".into(), count: 8, cover: 4 };
    check(
        SEGMENT,
        at(20 * 60 + 25),
        Told::CoverTaken { job: job.clone(), result: WorkResult::Done(cover), extend: None },
        json!({
            "EventTime": "2027-01-01T00:20:25Z",
            "EventType": "SnapshotComplete",
            "VideoId": "9f3c1a7be0d24c5f8a6b1c9d0e4f5a6b",
            "Status": "success",
            "CoverUrl": "http://vod.example.org/9f3c1a7be0d24c5f8a6b1c9d0e4f5a6b/covers/4f0c7a61-00004.jpg",
            "SnapshotInfos": [ {
                "Status": "success", "SnapshotType": "CoverSnapshot", "SnapshotCount": 8,
                "SnapshotFormat": "9f3c1a7be0d24c5f8a6b1c9d0e4f5a6b/covers/4f0c7a61-{SnapshotCount}.jpg",
                "SnapshotRegular": "http://vod.example.org/9f3c1a7be0d24c5f8a6b1c9d0e4f5a6b/covers/4f0c7a61-{SnapshotCount}.jpg",
                "JobId": "4f0c7a61d2b34e5f8091a2b3c4d5e6f7"
            } ]
        }),
    );
    check(
        SEGMENT,
        at(0),
        Told::CoverTaken { job, result: WorkResult::Failed(bad_content()), extend: None },
        json!({
            "EventTime": "2027-01-01T00:00:00Z", "EventType": "SnapshotComplete", "VideoId": SEGMENT, "Status": "fail",
            "ErrorCode": "InvalidParameter.ResourceContentBad",
            "ErrorMessage": "The resource operated InputFile is bad"
        }),
    );
}

fn bad_content() -> WorkFailure {
    WorkFailure {
        code: "InvalidParameter.ResourceContentBad".into(),
        message: "The resource operated InputFile is bad".into(),
    }
}

fn report(job: &str, definition: &str, result: WorkResult<OutputFacts>) -> StreamReport {
    StreamReport {
        job: JobId::new(job),
        template: Template {
            id: TemplateId::new("t"),
            name: "name".into(),
            definition: definition.into(),
            format: "m3u8".into(),
            settings: "{}".into(),
        },
        result,
        started_at: at(20 * 60 + 12),
        finished_at: at(21 * 60 + 39),
        extend: None,
    }
}

fn output() -> OutputFacts {
    OutputFacts {
        file: "1c9d0e4f5a6b7c8d-ld.m3u8".into(),
        width: 960,
        height: 540,
        fps: 25.0,
        duration_ms: 1_200_160,
        bitrate_kbps: 941,
        bytes: 141_230_000,
        codec: "H.264".into(),
        audio: None,
    }
}

const DONE_JOB: &str = "0f2f8c1ad3b44e5f60718293a4b5c6d7";
const FAILED_JOB: &str = "1a2b3c4d5e6f708192a3b4c5d6e7f809";

#[test]
fn one_stream() {
    check(
        SEGMENT,
        at(21 * 60 + 40),
        Told::StreamTranscoded(report(DONE_JOB, "SD", WorkResult::Done(output()))),
        json!({
            "EventTime": "2027-01-01T00:21:40Z",
            "EventType": "StreamTranscodeComplete",
            "VideoId": "9f3c1a7be0d24c5f8a6b1c9d0e4f5a6b",
            "Status": "success",
            "JobId": "0f2f8c1ad3b44e5f60718293a4b5c6d7",
            "Definition": "LD", "Format": "m3u8", "Codec": "H.264", "IsAudio": false,
            "Bitrate": "941", "Fps": "25", "Duration": 1200.16,
            "Width": 960, "Height": 540, "Size": 141_230_000,
            "Encrypt": false,
            "FileUrl": "http://vod.example.org/9f3c1a7be0d24c5f8a6b1c9d0e4f5a6b/1c9d0e4f5a6b7c8d-ld.m3u8",
            "StartTime": "2027-01-01T00:20:12Z", "FinishTime": "2027-01-01T00:21:39Z"
        }),
    );
}

#[test]
fn a_stream_of_sound_has_no_picture() {
    let sound = OutputFacts { width: 0, height: 0, fps: 0.0, codec: "AAC".into(), ..output() };
    check(
        SEGMENT,
        at(0),
        Told::StreamTranscoded(report(DONE_JOB, "HQ", WorkResult::Done(sound))),
        json!({
            "EventTime": "2027-01-01T00:00:00Z", "EventType": "StreamTranscodeComplete", "VideoId": SEGMENT,
            "Status": "success", "JobId": DONE_JOB, "Definition": "HQ", "Format": "m3u8", "Codec": "AAC",
            "IsAudio": true, "Bitrate": "941", "Duration": 1200.16, "Size": 141_230_000, "Encrypt": false,
            "FileUrl": format!("http://vod.example.org/{SEGMENT}/1c9d0e4f5a6b7c8d-ld.m3u8"),
            "StartTime": "2027-01-01T00:20:12Z", "FinishTime": "2027-01-01T00:21:39Z"
        }),
    );
}

#[test]
fn a_task_succeeds_if_any_stream_does() {
    let done = report(DONE_JOB, "SD", WorkResult::Done(output()));
    let bad = report(FAILED_JOB, "HD", WorkResult::Failed(bad_content()));
    let bad_info = json!({
        "Status": "fail", "JobId": FAILED_JOB, "Definition": "SD", "Format": "m3u8", "IsAudio": false,
        "StartTime": "2027-01-01T00:20:12Z", "FinishTime": "2027-01-01T00:21:39Z",
        "ErrorCode": "InvalidParameter.ResourceContentBad",
        "ErrorMessage": "The resource operated InputFile is bad"
    });
    let done_info = json!({
        "Status": "success", "JobId": DONE_JOB, "Definition": "LD", "Format": "m3u8", "Codec": "H.264",
        "IsAudio": false, "Bitrate": "941", "Fps": "25", "Duration": 1200.16,
        "Width": 960, "Height": 540, "Size": 141_230_000, "Encrypt": false,
        "StartTime": "2027-01-01T00:20:12Z", "FinishTime": "2027-01-01T00:21:39Z",
        "FileUrl": format!("http://vod.example.org/{SEGMENT}/1c9d0e4f5a6b7c8d-ld.m3u8")
    });
    let task = |streams| Told::TaskComplete { task: Some(TaskId::new("task")), streams, failure: None, extend: None };
    let expected = |status: &str, infos: Value| {
        json!({
            "EventTime": "2027-01-01T00:22:05Z", "EventType": "TranscodeComplete", "VideoId": SEGMENT,
            "Status": status, "StreamInfos": infos
        })
    };
    let when = at(22 * 60 + 5);
    check(SEGMENT, when, task(vec![done, bad.clone()]), expected("success", json!([done_info, bad_info.clone()])));
    check(SEGMENT, when, task(vec![bad]), expected("fail", json!([bad_info])));
}

#[test]
fn a_task_that_a_policys_failure_forbids() {
    let failure = WorkFailure { code: "PolicyRejected".into(), message: "the policy failed".into() };
    check(
        SEGMENT,
        at(0),
        Told::TaskComplete { task: None, streams: vec![], failure: Some(failure), extend: None },
        json!({
            "EventTime": "2027-01-01T00:00:00Z", "EventType": "TranscodeComplete", "VideoId": SEGMENT,
            "Status": "fail", "ErrorCode": "PolicyRejected", "ErrorMessage": "the policy failed", "StreamInfos": []
        }),
    );
}
