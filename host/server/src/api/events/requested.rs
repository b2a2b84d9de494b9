//! Events of what tenants ask for: pictures, analyses, edited videos, removals.

use reprise_lifecycle::id::JobId;
use reprise_lifecycle::record::{WorkFailure, WorkResult};
use reprise_lifecycle::work::{AnalysisResult, Duplicate, PictureFacts, PictureKind, Removal, Request};
use serde_json::{Value, json};

use super::{Teller, failed};
use crate::api::reply::{Answer, fields};

/// The vendor's word for a kind of pictures.
pub(crate) fn snapshot_type(kind: PictureKind) -> &'static str {
    match kind {
        PictureKind::Cover => "CoverSnapshot",
        PictureKind::Normal => "NormalSnapshot",
        PictureKind::Sprite => "SpriteSnapshot",
        PictureKind::SpriteOrigin => "SpriteOriginSnapshot",
        PictureKind::WebVtt => "WebVttSnapshot",
    }
}

/// What a fingerprint found, as the vendor's JSON text has it: seconds as strings.
pub(crate) fn dna(duplicates: &[Duplicate]) -> Value {
    let seconds = |ms: u64| format!("{}.{:03}", ms / 1000, ms % 1000);
    let found: Vec<Value> = duplicates
        .iter()
        .map(|other| {
            let detail: Vec<Value> = other
                .stretches
                .iter()
                .map(|it| {
                    let duration = seconds(it.duration_ms);
                    json!({
                        "Input": {"Start": seconds(it.from_ms), "Duration": duration},
                        "Duplication": {"Start": seconds(it.other_from_ms), "Duration": duration},
                    })
                })
                .collect();
            let similarity = format!("{}.{:03}", other.similarity_permille / 1000, other.similarity_permille % 1000);
            json!({"PrimaryKey": other.video.as_str(), "Similarity": similarity, "Detail": detail})
        })
        .collect();
    json!({ "VideoDNA": found })
}

impl Teller<'_> {
    pub(super) fn pictures(self, job: &JobId, result: &WorkResult<Vec<PictureFacts>>, request: &Request) -> Answer {
        let mut told = fields(json!({"SubType": "SpecifiedTime"}));
        match result {
            WorkResult::Failed(failure) => told.extend(failed(failure)),
            WorkResult::Done(series) => {
                let infos: Vec<Value> = series
                    .iter()
                    .map(|facts| {
                        json!({
                            "Status": "success",
                            "SnapshotType": snapshot_type(facts.kind),
                            "SnapshotCount": facts.count,
                            "SnapshotFormat": format!("{}/{}", self.video, facts.pattern),
                            "SnapshotRegular": self.url(&facts.pattern),
                            "JobId": job.as_str(),
                        })
                    })
                    .collect();
                told.insert("SnapshotInfos".to_owned(), infos.into());
            }
        }
        extended(told, request.extend.as_deref())
    }

    /// Of analyses, the vendor speaks of media.
    pub(super) fn analysis(self, job: &JobId, result: &WorkResult<AnalysisResult>, request: &Request) -> Answer {
        let (status, code, message, data) = match result {
            WorkResult::Failed(failure) => ("fail", failure.code.as_str(), failure.message.as_str(), json!({})),
            WorkResult::Done(AnalysisResult::Facts(facts)) => ("success", "0", "OK", json!(facts)),
            WorkResult::Done(AnalysisResult::Fingerprint { duplicates, .. }) => ("success", "0", "OK", dna(duplicates)),
        };
        let told = fields(json!({
            "Status": status,
            "JobId": job.as_str(),
            "MediaId": self.video.as_str(),
            "Code": code,
            "Message": message,
            "Data": data.to_string(),
        }));
        extended(told, request.extend.as_deref())
    }

    pub(super) fn produced(self, project: &str, failure: Option<&WorkFailure>, extend: Option<&str>) -> Answer {
        let mut told = failure.map_or_else(Answer::new, failed);
        told.insert("MediaId".to_owned(), self.video.as_str().into());
        told.insert("ProjectId".to_owned(), project.into());
        extended(told, extend)
    }

    pub(super) fn removed(self, what: &Removal) -> Answer {
        let mut told = fields(json!({"MediaType": "video", "MediaId": self.video.as_str()}));
        let kind = match what {
            Removal::Video => "all",
            Removal::Source => "mezzanine",
            Removal::Streams(jobs) => {
                let jobs: Vec<&str> = jobs.iter().map(JobId::as_str).collect();
                told.insert("JobIds".to_owned(), jobs.join(",").into());
                "stream"
            }
        };
        told.insert("DeleteType".to_owned(), kind.into());
        told
    }
}

/// With the text that came with the request, if there was one.
pub(super) fn extended(mut told: Answer, extend: Option<&str>) -> Answer {
    if let Some(extend) = extend {
        told.insert("Extend".to_owned(), extend.into());
    }
    told
}
