//! What the AI actions share. This server looks at pictures and sound with fixed algorithms; it has no models that know
//! faces, speech or what is fit to be shown, and says so instead of pretending.

use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::store::videos::VideoRow;

/// The one type of job there is.
pub(crate) const FINGERPRINT: &str = "AIMediaDNA";

/// The refusal of what this server cannot do.
pub(crate) fn unavailable(what: &str) -> Error {
    let text = format!(
        "{what} is not available on this server: it has no models that recognise content. SubmitAIJob with the type \
         {FINGERPRINT} finds duplicates; silence, black, standing pictures and scenes are found for record configs \
         that ask for it, and are part of the compose question and of the native API."
    );
    Error::VendorText(&error::OPERATION_DENIED, text)
}

/// The tenant's video that `MediaId` names.
pub(crate) async fn media(call: &Call<'_>, params: &Params) -> Result<VideoRow, Error> {
    let video = call.store().video(call.tenant(), params.required("MediaId")?).await?;
    video.ok_or_else(|| (&error::VIDEO_NOT_FOUND).into())
}
