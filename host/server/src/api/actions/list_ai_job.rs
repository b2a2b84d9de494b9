//! Shows AI jobs by their ids.

use reprise_lifecycle::record::WorkResult;
use reprise_lifecycle::work::{AnalysisKind, AnalysisResult};
use serde_json::{Value, json};

use super::shared::ai::FINGERPRINT;
use super::shared::videos::time;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, events};
use crate::store::analyses::AnalysisRow;

/// The vendor's limit of jobs in one request.
const MAX_JOBS: usize = 10;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    params.required("JobIds")?;
    let ids = params.commas("JobIds");
    if ids.len() > MAX_JOBS {
        return Err(Error::invalid("JobIds", format!("it must name at most {MAX_JOBS} jobs")));
    }
    let (mut shown, mut missing) = (Vec::new(), Vec::new());
    for id in ids {
        match call.store().analysis(call.tenant(), AnalysisKind::Fingerprint, id).await? {
            Some(job) => shown.push(show(&job)?),
            None => missing.push(id),
        }
    }
    Ok(fields(json!({ "AIJobList": { "AIJob": shown }, "NonExistAIJobIds": { "String": missing } })))
}

fn show(job: &AnalysisRow) -> Result<Value, Error> {
    let mut shown = fields(json!({
        "JobId": job.job,
        "MediaId": job.video,
        "Type": FINGERPRINT,
        "CreationTime": time(job.created_at),
    }));
    if let Some(at) = job.completed_at {
        shown.insert("CompleteTime".to_owned(), time(at).into());
    }
    shown.extend(fields(match job.result()? {
        None => json!({ "Status": "processing" }),
        Some(WorkResult::Failed(failure)) => {
            json!({ "Status": "fail", "Code": failure.code, "Message": failure.message, "Data": "{}" })
        }
        Some(WorkResult::Done(result)) => {
            let duplicates = match &result {
                AnalysisResult::Fingerprint { duplicates, .. } => duplicates.as_slice(),
                AnalysisResult::Facts(_) => &[],
            };
            json!({ "Status": "success", "Code": "0", "Message": "OK", "Data": events::dna(duplicates).to_string() })
        }
    }));
    Ok(Value::Object(shown))
}
