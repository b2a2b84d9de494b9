//! Taking things away, as three actions ask for it.

use reprise_lifecycle::id::{BroadcastId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::work::Removal;

use crate::api::Call;
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::driver::Refused;
use crate::store::videos::VideoRow;

/// The vendor's limit of videos in one request.
const MAX_IDS: usize = 20;

/// The videos that a request names.
pub(crate) fn ids(params: &Params) -> Result<Vec<&str>, Error> {
    params.required("VideoIds")?;
    let mut ids = params.commas("VideoIds");
    if ids.len() > MAX_IDS {
        return Err((&error::VIDEO_IDS_EXCEEDED).into());
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Takes something of a video away. It is gone when this returns; its files follow. `false`: the video's state forbids
/// it.
pub(crate) async fn remove(call: &Call<'_>, video: &VideoRow, what: Removal) -> Result<bool, Error> {
    let input = Input::Remove { video: VideoId::new(video.id.clone()), what };
    match call.driver().submit(&BroadcastId::new(video.broadcast.clone()), input).await {
        Ok(()) => Ok(true),
        Err(Refused::Unfit(_)) => Ok(false),
        Err(Refused::Impossible) => Err(Error::Internal(Box::new(Refused::Impossible))),
        Err(Refused::Unavailable) => Err(Error::Busy),
    }
}
