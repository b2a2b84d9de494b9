//! Where a publisher stood that was connected when the server stopped: nobody told, but its open part's file says.

use std::io;

use reprise_lifecycle::broadcast::{Broadcast, PartState};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::time::Timestamp;
use reprise_media::fmp4::{FragmentEntry, scan};

use crate::files::{Files, SOURCE};

/// What the journal says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// The part that was being written.
    open: Option<VideoId>,
    /// Where the media before that part ends, on the broadcast's timeline.
    before_ms: Option<u64>,
}

impl Left {
    pub(super) fn of(broadcast: &Broadcast) -> Self {
        let ends = |state: &PartState| match state {
            PartState::Closed { facts, .. } => Some(facts.first_ms.saturating_add(facts.duration_ms)),
            PartState::Open | PartState::Dropped => None,
        };
        Self {
            open: broadcast.open_part().map(|part| VideoId::of_part(&broadcast.id, part)),
            before_ms: broadcast.parts.iter().rev().find_map(|part| ends(&part.state)),
        }
    }

    /// Where the media ends, and when the last of it was written. Blocks. The file is read by its headers only: all
    /// publishers wait for this at the start, and who goes on writing checks every byte in any case.
    pub(super) fn look(&self, files: &Files) -> (Option<u64>, Option<Timestamp>) {
        let Some(video) = &self.open else { return (self.before_ms, None) };
        let end_ms = match end_of(files, video) {
            Ok(end_ms) => end_ms.or(self.before_ms),
            // The first fragment was never written, or not even the file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.before_ms,
            Err(error) => {
                tracing::warn!(video.id = %video, error = %error, "an open part cannot be read; its break lies by the clock");
                None
            }
        };
        (end_ms, files.written_at(video))
    }
}

/// The end of the last whole fragment.
fn end_of(files: &Files, video: &VideoId) -> io::Result<Option<u64>> {
    let mut file = files.video(video)?.open(SOURCE)?.into_std();
    Ok(scan(&mut file, false)?.fragments.iter().map(FragmentEntry::end_ms).max())
}
