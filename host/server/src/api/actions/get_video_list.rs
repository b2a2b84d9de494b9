//! Lists videos by status and time of making.

use serde_json::json;

use super::shared::links::{Links, Wishes};
use super::shared::paging::Page;
use super::shared::videos::{self, Pictures};
use crate::api::error::Error;
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::{Call, names};
use crate::store::videos::VideoFilter;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let page = Page::of_media(params)?;
    let filter = VideoFilter {
        statuses: statuses(params)?,
        from: params.time("StartTime")?.map(|at| at.0),
        to: videos::end_ms(params)?,
        ..VideoFilter::default()
    };
    let filter = videos::sorted(params, filter)?;
    let (total, rows) = call.store().videos(call.tenant(), &filter, page.offset(), page.size).await?;
    let links = Links::new(call, Wishes::default()).await?;
    let mut shown = Vec::new();
    for row in &rows {
        shown.push(videos::full(call, row, &links, Pictures::Wrapped).await?);
    }
    // The vendor documents an error for an empty list; an empty list is what clients can work with.
    Ok(fields(json!({ "Total": total, "VideoList": { "Video": shown } })))
}

/// The wanted statuses in our words. A status that no video ever has matches nothing, and is no error.
fn statuses(params: &Params) -> Result<Option<String>, Error> {
    let wanted = params.commas("Status");
    if wanted.is_empty() {
        return Ok(None);
    }
    let words = wanted.into_iter().map(|status| match names::status_word(status) {
        Some(word) => Ok(word),
        None if names::is_foreign_status(status) => Ok("none"),
        None => Err(Error::invalid("Status", format!("{status:?} is no status of a video"))),
    });
    Ok(Some(words.collect::<Result<Vec<_>, _>>()?.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::Product;
    use crate::api::params::of;

    #[test]
    fn statuses_become_our_words() {
        let read = |text| statuses(&of(Product::Vod, &[("Status", text)]));
        assert_eq!(read("").unwrap(), None);
        assert_eq!(read("Normal,UploadSucc").unwrap().as_deref(), Some("ready,stored"));
        assert_eq!(read("Checking").unwrap().as_deref(), Some("none"));
        assert_eq!(read("normal").unwrap_err().code(), "InvalidParameter");
    }
}
