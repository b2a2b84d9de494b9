//! Effects: what should be running now. An effect is derived from folded state, has an id that comes from
//! the record that called for it, and is always safe to do again.

use crate::id::{Epoch, PartIndex, VideoId};
use crate::question::{ComposePlan, Hook};
use crate::record::Subject;

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
    /// Make the renditions and covers of this video's task that have no result yet.
    Process {
        /// The video.
        video: VideoId,
    },
    /// Join the parts.
    Compose {
        /// The composed video.
        video: VideoId,
        /// What goes in.
        plan: ComposePlan,
    },
}
