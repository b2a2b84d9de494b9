//! Fingerprints and what they find; the refusal of what needs models.

use reprise_lifecycle::id::{JobId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::{WorkFailure, WorkResult};
use reprise_lifecycle::work::{AnalysisKind, AnalysisResult, Duplicate, DuplicateStretch, Request};
use serde_json::{Value, json};

use super::Api;
use super::client::{Ask, VOD, refusal};
use crate::testkit::Life;

const NOON: &str = "2027-01-01T00:00:00Z";

/// Records that a fingerprint was asked for, and what became of it.
async fn fingerprinted(life: &mut Life<'_>, video: &VideoId, job: &str, result: WorkResult<AnalysisResult>) {
    let job = JobId::new(job);
    let request = Request::default();
    let kind = AnalysisKind::Fingerprint;
    life.put(Input::AnalysisAsked { video: video.clone(), job: job.clone(), kind, request }).await;
    life.put(Input::AnalysisFinished { video: video.clone(), job, result }).await;
}

fn found(job: &str, other: &VideoId) -> WorkResult<AnalysisResult> {
    let stretches = vec![DuplicateStretch { from_ms: 0, other_from_ms: 500, duration_ms: 14_200 }];
    let duplicates = vec![Duplicate { video: other.clone(), similarity_permille: 987, stretches }];
    WorkResult::Done(AnalysisResult::Fingerprint { file: format!("{job}/signature.bin"), duplicates })
}

/// As the vendor nests it: everything in it is a string.
fn dna(other: &VideoId) -> Value {
    json!({"VideoDNA": [{"PrimaryKey": other.as_str(), "Similarity": "0.987", "Detail": [{
        "Input": {"Start": "0.000", "Duration": "14.200"}, "Duplication": {"Start": "0.500", "Duration": "14.200"}
    }]}]})
}

#[tokio::test]
async fn jobs_and_results_are_shown() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let (video, other) = (life.part(0).await, life.part(10_000).await);
    let id = [("MediaId", video.as_str())];
    assert_eq!(api.good(VOD, "GetMediaDNAResult", &id).await, json!({"DNAResult": {"VideoDNA": []}}));
    fingerprinted(&mut life, &video, "j1", found("j1", &other)).await;
    let failure = WorkFailure { code: "InvalidParameter.ResourceContentBad".into(), message: "no picture".into() };
    fingerprinted(&mut life, &other, "j2", WorkResult::Failed(failure)).await;

    let listed = api.good(VOD, "ListAIJob", &[("JobIds", "j1,j2,gone")]).await;
    let shown = |job: &str, video: &VideoId, status: &str, code: &str, message: &str, data: &str| {
        json!({
            "JobId": job, "MediaId": video.as_str(), "Type": "AIMediaDNA", "Status": status, "Code": code,
            "Message": message, "Data": data, "CreationTime": NOON, "CompleteTime": NOON
        })
    };
    let bad = "InvalidParameter.ResourceContentBad";
    let jobs = [
        shown("j1", &video, "success", "0", "OK", &dna(&other).to_string()),
        shown("j2", &other, "fail", bad, "no picture", "{}"),
    ];
    assert_eq!(listed, json!({"AIJobList": {"AIJob": jobs}, "NonExistAIJobIds": {"String": ["gone"]}}));
    assert_eq!(api.good(VOD, "GetMediaDNAResult", &id).await, json!({"DNAResult": dna(&other)}));

    let foreign = Ask { tenant: "umbrella", ..api.ask(VOD, "ListAIJob", &[("JobIds", "j1")]) };
    let answered = api.v3(&foreign).await.json();
    assert_eq!(answered["NonExistAIJobIds"], json!({"String": ["j1"]}));
    for (action, name) in
        [("GetMediaDNAResult", "MediaId"), ("SubmitMediaDNADeleteJob", "MediaId"), ("SubmitAIJob", "MediaId")]
    {
        let foreign = Ask { tenant: "umbrella", ..api.ask(VOD, action, &[(name, video.as_str())]) };
        assert_eq!(refusal(&api.v3(&foreign).await), (404, "InvalidVideo.NotFound".to_owned()), "{action}");
        assert_eq!(api.bad(VOD, action, &[]).await, (400, "MissingParameter".to_owned()), "{action}");
    }
    let many = ["j1"; 11].join(",");
    assert_eq!(api.bad(VOD, "ListAIJob", &[("JobIds", &many)]).await.1, "InvalidParameter");
    assert_eq!(api.bad(VOD, "ListAIJob", &[]).await.1, "MissingParameter");
}

#[tokio::test]
async fn a_library_has_the_newest_fingerprint_of_each_video_until_it_is_taken_out() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let (video, other) = (life.part(0).await, life.part(10_000).await);
    fingerprinted(&mut life, &video, "j1", found("j1", &other)).await;
    fingerprinted(&mut life, &video, "j2", found("j2", &other)).await;
    let store = &api.world.store;
    let library = async |tenant: &str| {
        let rows = store.other_fingerprints(tenant, other.as_str(), 10).await.unwrap();
        rows.into_iter().map(|row| (row.job, row.file)).collect::<Vec<_>>()
    };
    let second = ("j2".to_owned(), "j2/signature.bin".to_owned());
    assert_eq!(library("acme").await, [second]);
    assert!(library("umbrella").await.is_empty(), "every tenant has a library of its own");
    assert!(store.other_fingerprints("acme", video.as_str(), 10).await.unwrap().is_empty(), "a video is not its own");

    let id = [("MediaId", video.as_str())];
    let answer = api.good(VOD, "SubmitMediaDNADeleteJob", &id).await;
    assert_eq!(answer["JobId"].as_str().unwrap().len(), 32);
    assert!(library("acme").await.is_empty());
    assert_eq!(api.good(VOD, "GetMediaDNAResult", &id).await, json!({"DNAResult": {"VideoDNA": []}}));
    // A later record of the same video does not put it back.
    life.decide(&video, &["mp4"]).await;
    assert!(library("acme").await.is_empty());
    let forgotten = store.forgotten_fingerprints(10).await.unwrap();
    assert_eq!(forgotten.len(), 2, "{forgotten:?}");
    for row in forgotten {
        store.fingerprint_removed(&row.job).await.unwrap();
    }
    assert!(store.forgotten_fingerprints(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_fingerprint_is_asked_for_and_what_needs_models_is_refused() {
    let mut api = Api::new().await;
    let video = {
        let mut life = api.world.broadcast("acme", "one").await;
        life.part(0).await
    };
    api.restart().await;
    let id = ("MediaId", video.as_str());
    for params in [
        vec![id, ("Types", "AIMediaDNA"), ("Config", r#"{"DNADBId":"x"}"#), ("UserData", r#"{"Extend":"e"}"#)],
        vec![id],
    ] {
        let answer = api.good(VOD, "SubmitAIJob", &params).await;
        let job = answer["AIJobList"]["AIJob"][0]["JobId"].as_str().unwrap();
        let shown = json!({"JobId": job, "MediaId": video.as_str(), "Type": "AIMediaDNA"});
        assert_eq!(answer, json!({"AIJobList": {"AIJob": [shown]}}));
        let listed = api.good(VOD, "ListAIJob", &[("JobIds", job)]).await;
        assert_eq!(listed["AIJobList"]["AIJob"][0]["Status"], "processing");
        assert_eq!(listed["AIJobList"]["AIJob"][0].get("CompleteTime"), None);
    }
    for (params, code) in [
        (vec![id, ("Config", "{")], "InvalidParameter"),
        (vec![id, ("UserData", "x")], "InvalidParameter"),
        (vec![id, ("Types", "AIMediaDNA,AIVideoTag")], "OperationDenied"),
    ] {
        assert_eq!(api.bad(VOD, "SubmitAIJob", &params).await.1, code, "{params:?}");
    }
    for action in ["GetAIVideoTagResult", "SubmitAIMediaAuditJob"] {
        let refused = api.v1(&api.ask(VOD, action, &[id])).await;
        assert_eq!(refusal(&refused), (403, "OperationDenied".to_owned()), "{action}");
        assert!(refused.json()["Message"].as_str().unwrap().contains("AIMediaDNA"), "it says what there is");
    }
}
