//! Events as the vendor's receivers parse them: flat JSON objects with exactly its field names and types. One
//! function from our event to the body; no store, no clock, no delivery.
//!
//! URLs never carry an `auth_key`: receivers sign them when URL authentication is on.

mod media;
mod requested;

use reprise_lifecycle::event::{Event, StreamReport, Told};
use reprise_lifecycle::id::{JobId, VideoId};
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::record::{CoverFacts, WorkFailure, WorkResult};
use serde_json::{Value, json};

pub(crate) use self::media::{MEDIA_BASE_CHANGED, media_base_changed, media_base_removed};
use self::requested::extended;
pub(crate) use self::requested::{dna, snapshot_type};
use super::names;
use super::reply::{Answer, fields};
use super::times::format as time;
use super::urls::{MediaUrls, SNAPSHOT_INDEX, SOURCE_MP4, snapshot_file};

/// What an event's body says beside the event: where its video comes from and where it plays.
#[derive(Clone, Copy, Debug)]
pub struct EventContext<'a> {
    /// The stream that was recorded.
    pub stream: &'a StreamKey,
    /// The play domain bound to its ingest domain: the vendor's `DomainName`.
    pub play_domain: &'a str,
    /// Where videos play from.
    pub urls: &'a MediaUrls,
}

/// The event's type and its body.
pub fn body(event: &Event, context: EventContext<'_>) -> (&'static str, Value) {
    let kind = names::event_type(&event.told);
    let mut body = fields(json!({
        "EventTime": time(event.at),
        "EventType": kind,
        "VideoId": event.video.as_str(),
        "Status": "success",
    }));
    let told = Teller { video: &event.video, context };
    body.extend(told.tell(&event.told));
    let is_media = matches!(
        event.told,
        Told::ComposeFailed(_) | Told::ProduceFinished { .. } | Told::AnalysisDone { .. } | Told::Removed { .. }
    );
    if is_media {
        // Of production, analysis and removal, the vendor speaks of media.
        body.remove("VideoId");
    }
    (kind, Value::Object(body))
}

#[derive(Clone, Copy)]
struct Teller<'a> {
    video: &'a VideoId,
    context: EventContext<'a>,
}

impl Teller<'_> {
    fn tell(self, told: &Told) -> Answer {
        match told {
            Told::PartRecorded { started_at, ended_at } => {
                let mut told = self.stream();
                told.insert("RecordStartTime".to_owned(), time(*started_at).into());
                told.insert("RecordEndTime".to_owned(), time(*ended_at).into());
                told
            }
            Told::ComposeStarted => self.stream(),
            Told::ComposeRefused(failure) => {
                let mut told = self.stream();
                told.extend(failed(failure));
                told
            }
            Told::SourceComplete { bytes, extend } => extended(
                fields(json!({
                    "Size": bytes,
                    "FileUrl": self.url(SOURCE_MP4),
                })),
                extend.as_deref(),
            ),
            Told::Analysed(facts) => analysed(facts),
            Told::CoverTaken { job, result, extend } => extended(self.cover(job, result), extend.as_deref()),
            Told::StreamTranscoded(report) => extended(self.report(report), report.extend.as_deref()),
            Told::TaskComplete { streams, failure, extend, .. } => {
                extended(self.task(streams, failure.as_ref()), extend.as_deref())
            }
            Told::PicturesTaken { job, result, request, .. } => self.pictures(job, result, request),
            Told::AnalysisDone { job, result, request, .. } => self.analysis(job, result, request),
            Told::ProduceFinished { project, failure, extend } => {
                self.produced(project, failure.as_ref(), extend.as_deref())
            }
            Told::Removed { what } => self.removed(what),
            Told::RecordingStopped => {
                let mut told = self.stream();
                let why = "the server ran out of disk space; what was recorded is kept";
                told.extend(fields(json!({"Status": "fail", "ErrorCode": "StorageFull", "ErrorMessage": why})));
                told
            }
            Told::ComposeFailed(failure) => {
                let mut told = failed(failure);
                told.insert("MediaId".to_owned(), self.video.as_str().into());
                // The vendor requires the field; a live compose belongs to no editing project.
                told.insert("ProjectId".to_owned(), "".into());
                told
            }
        }
    }

    fn stream(self) -> Answer {
        fields(json!({
            "StreamName": self.context.stream.name,
            "DomainName": self.context.play_domain,
            "AppName": self.context.stream.app,
        }))
    }

    fn url(self, file: &str) -> String {
        self.context.urls.file(self.video.as_str(), file)
    }

    fn cover(self, job: &JobId, result: &WorkResult<CoverFacts>) -> Answer {
        let facts = match result {
            WorkResult::Failed(failure) => return failed(failure),
            WorkResult::Done(facts) => facts,
        };
        debug_assert!(facts.pattern.contains(SNAPSHOT_INDEX), "a series of pictures has an index");
        fields(json!({
            "CoverUrl": self.url(&snapshot_file(&facts.pattern, facts.cover)),
            "SnapshotInfos": [{
                "Status": "success",
                "SnapshotType": "CoverSnapshot",
                "SnapshotCount": facts.count,
                "SnapshotFormat": format!("{}/{}", self.video, facts.pattern),
                "SnapshotRegular": self.url(&facts.pattern),
                "JobId": job.as_str(),
            }],
        }))
    }

    fn task(self, streams: &[StreamReport], failure: Option<&WorkFailure>) -> Answer {
        let infos: Vec<Value> = streams.iter().map(|report| Value::Object(self.report(report))).collect();
        let any_done = streams.iter().any(|report| report.result.done().is_some());
        let mut told = match failure {
            Some(failure) => failed(failure),
            None => fields(json!({"Status": if any_done { "success" } else { "fail" }})),
        };
        told.insert("StreamInfos".to_owned(), infos.into());
        told
    }

    fn report(self, report: &StreamReport) -> Answer {
        let template = &report.template;
        let mut told = fields(json!({
            "Status": "success",
            "JobId": report.job.as_str(),
            "Definition": names::play_definition(&template.definition),
            "Format": template.format,
            "IsAudio": false,
            "StartTime": time(report.started_at),
            "FinishTime": time(report.finished_at),
        }));
        told.extend(match &report.result {
            WorkResult::Failed(failure) => failed(failure),
            WorkResult::Done(facts) => {
                let is_audio = facts.width == 0;
                let mut done = fields(json!({
                    "Codec": facts.codec,
                    "IsAudio": is_audio,
                    "Bitrate": facts.bitrate_kbps.to_string(),
                    "Duration": seconds(facts.duration_ms),
                    "Size": facts.bytes,
                    "Encrypt": false,
                    "FileUrl": self.url(&facts.file),
                }));
                if !is_audio {
                    done.extend(fields(json!({
                        "Fps": names::rate(facts.fps),
                        "Width": facts.width,
                        "Height": facts.height,
                    })));
                }
                done
            }
        });
        told
    }
}

fn analysed(facts: &PartFacts) -> Answer {
    let mut told = fields(json!({
        "Duration": seconds(facts.duration_ms),
        "Bitrate": facts.bitrate_kbps().to_string(),
        "Size": facts.bytes,
    }));
    if let Some(video) = &facts.video {
        told.extend(fields(json!({
            "Width": video.width,
            "Height": video.height,
            "Fps": names::rate(video.fps),
        })));
    }
    told
}

fn failed(failure: &WorkFailure) -> Answer {
    fields(json!({
        "Status": "fail",
        "ErrorCode": failure.code,
        "ErrorMessage": failure.message,
    }))
}

/// Milliseconds as the vendor's seconds: a number with a fraction.
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests;
