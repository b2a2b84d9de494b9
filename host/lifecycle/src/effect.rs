//! Effects: what should be running now. An effect is derived from folded state, has an id that comes from
//! the record that called for it, and is always safe to do again.

use crate::id::{Epoch, JobId, PartIndex, TaskId, VideoId};
use crate::question::{ComposePlan, Hook};
use crate::record::Subject;
use crate::work::{AnalysisKind, PicturesPlan, Removal};

/// Work that should be running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send the publisher away: the broadcast is over.
    DropPublisher {
        /// Which one.
        epoch: Epoch,
    },
    /// Nobody writes this part any more: cut its file to what is whole, and report it closed.
    ClosePart {
        /// Which part.
        part: PartIndex,
    },
    /// Put a question to the policy bound at this hook, or to nobody.
    Ask {
        /// The hook.
        hook: Hook,
        /// About what.
        subject: Subject,
    },
    /// Make the renditions and covers of this task that have no result yet.
    Process {
        /// The video.
        video: VideoId,
        /// The task.
        task: TaskId,
    },
    /// Take the pictures that were asked for.
    Pictures {
        /// The video.
        video: VideoId,
        /// The job.
        job: JobId,
        /// Which.
        plan: PicturesPlan,
    },
    /// Look what is in this video.
    Analyse {
        /// The video.
        video: VideoId,
        /// The job.
        job: JobId,
        /// What is looked for.
        kind: AnalysisKind,
    },
    /// Join the parts: first as an index that plays, then as one file.
    Compose {
        /// The composed video.
        video: VideoId,
        /// What goes in.
        plan: ComposePlan,
    },
    /// Make the edited video that [`crate::broadcast::Broadcast::production`] describes.
    Produce {
        /// The video.
        video: VideoId,
    },
    /// Take the files of a removal away.
    Discard {
        /// The video.
        video: VideoId,
        /// What of it.
        what: Removal,
    },
}
