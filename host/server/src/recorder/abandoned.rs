//! Parts that nobody writes any more: their broadcast ended during a break, or the server died while they were
//! open. The file is cut to what is whole and measured; what it holds is told to the driver.

use std::sync::Arc;

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::id::{PartIndex, VideoId};
use reprise_lifecycle::media as facts;
use reprise_lifecycle::record::CloseCause;
use reprise_media::part::PartFacts;

use super::file::PartFile;
use super::{Recorders, facts_of};

impl Recorders {
    /// Closes a part that was left open. An error is logged and tried again by whoever drives.
    pub async fn close_abandoned(&self, broadcast: &Broadcast, part: PartIndex) {
        let video = VideoId::of_part(&broadcast.id, part);
        let files = Arc::clone(&self.files);
        let measured = tokio::task::spawn_blocking({
            let video = video.clone();
            move || measure(&files, &video)
        })
        .await;
        let facts = match measured {
            Ok(Ok(facts)) => facts,
            Ok(Err(error)) => {
                tracing::error!(video.id = %video, error = %error, "a part could not be closed; it is tried again");
                return;
            }
            Err(_) => return,
        };
        let facts = facts.unwrap_or_else(|| nothing(broadcast, part));
        self.watermarks.remove(&broadcast.id);
        if let Err(error) = self.driver.close_part(&broadcast.id, part, facts, CloseCause::Ended).await {
            tracing::error!(video.id = %video, error = %error, "a closed part was not recorded; it is tried again");
        }
    }
}

fn measure(files: &crate::files::Files, video: &VideoId) -> std::io::Result<Option<facts::PartFacts>> {
    let Some((file, scan)) = PartFile::reopen(files, video)? else { return Ok(None) };
    let facts = PartFacts::from_scan(&scan);
    file.seal()?;
    Ok(facts.as_ref().map(facts_of))
}

/// A part of which nothing whole was ever written.
fn nothing(broadcast: &Broadcast, part: PartIndex) -> facts::PartFacts {
    let first_ms = broadcast.parts.get(part as usize).map_or(0, |part| part.first_ms);
    facts::PartFacts { first_ms, duration_ms: 0, bytes: 0, video_frames: 0, audio_frames: 0, video: None, audio: None }
}
