//! Shows what else of the tenant's shows the same as a video, as of its newest fingerprint.

use reprise_lifecycle::record::WorkResult;
use reprise_lifecycle::work::AnalysisResult;
use serde_json::json;

use super::shared::ai::media;
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, events};

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let video = media(call, params).await?;
    let result = match call.store().fingerprint(call.tenant(), &video.id).await? {
        Some(newest) => newest.result()?,
        None => None,
    };
    let duplicates = match result {
        Some(WorkResult::Done(AnalysisResult::Fingerprint { duplicates, .. })) => duplicates,
        _ => Vec::new(),
    };
    Ok(fields(json!({ "DNAResult": events::dna(&duplicates) })))
}
