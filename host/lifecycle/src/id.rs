//! Names of things. Ids that the outside sees are 32 lower-case hex characters, and every id below a
//! broadcast is *derived* from the broadcast and the record that called for it, never drawn: doing a step
//! twice names the same thing twice, so a repeat cannot make a second video.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps text that is already known to be a valid id (from the store, or drawn by the server).
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id! {
    /// The owner of everything: domains, keys, plugins, template groups, videos.
    TenantId
}
text_id! {
    /// One broadcast. Drawn at random by the server when a publisher opens it; the root of derived ids.
    BroadcastId
}
text_id! {
    /// A VOD asset. Derived from the broadcast and what it was made from.
    VideoId
}
text_id! {
    /// A template group: 32 hex characters, or the built-in [`NO_TRANSCODE`].
    GroupId
}
text_id! {
    /// One encoding setting of a group.
    TemplateId
}
text_id! {
    /// One unit of work that a tenant can name: a rendition's encode, a snapshot series.
    JobId
}
text_id! {
    /// All jobs that one template group asked for on one video.
    TaskId
}
text_id! {
    /// What the tenant is told; the same on every attempt and after every crash.
    EventId
}

/// The built-in group whose only stream is the source itself: store only, compose only.
pub const NO_TRANSCODE: &str = "VOD_NO_TRANSCODE";

impl GroupId {
    /// The built-in group that encodes nothing.
    pub fn no_transcode() -> Self {
        Self::new(NO_TRANSCODE)
    }

    /// Whether this group encodes nothing.
    pub fn is_no_transcode(&self) -> bool {
        self.as_str() == NO_TRANSCODE
    }
}

/// The position of a record in its broadcast's journal, from 0.
pub type RecordSeq = u64;

/// The position of a part in its broadcast, from 0.
pub type PartIndex = u32;

/// Counts the publishers of one broadcast, from 1: a reconnect is a new epoch, and what an older
/// epoch still says is stale.
pub type Epoch = u32;

/// Work that should be running: the record that called for it, and which of that record's effects it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId {
    /// The record that called for the effect.
    pub record: RecordSeq,
    /// Which of that record's effects.
    pub ordinal: u32,
}

fn derive(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(&hash.finalize()[..16])
}

impl VideoId {
    /// The video that a part becomes.
    pub fn of_part(broadcast: &BroadcastId, part: PartIndex) -> Self {
        Self(derive(&["video of part", broadcast.as_str(), &part.to_string()]))
    }

    /// The video that a broadcast's parts are composed into.
    pub fn of_compose(broadcast: &BroadcastId) -> Self {
        Self(derive(&["video of compose", broadcast.as_str()]))
    }

    /// The video that a production makes.
    pub fn of_edit(production: &BroadcastId) -> Self {
        Self(derive(&["video of edit", production.as_str()]))
    }
}

impl TaskId {
    /// The task that the record `seq` opened on `video`.
    pub fn derived(video: &VideoId, seq: RecordSeq) -> Self {
        Self(derive(&["task", video.as_str(), &seq.to_string()]))
    }
}

impl JobId {
    /// Job number `ordinal` of a task.
    pub fn derived(task: &TaskId, ordinal: u32) -> Self {
        Self(derive(&["job", task.as_str(), &ordinal.to_string()]))
    }

    /// The analysis that a part calls for by itself.
    pub fn of_analysis(video: &VideoId) -> Self {
        Self(derive(&["analysis", video.as_str()]))
    }

    /// The stream that is the source itself has an id too, so that it can be named like any other.
    pub fn of_source(video: &VideoId) -> Self {
        Self(derive(&["source", video.as_str()]))
    }
}

impl EventId {
    /// Event number `ordinal` of the record `seq`.
    pub fn derived(broadcast: &BroadcastId, seq: RecordSeq, name: &str, ordinal: usize) -> Self {
        let digest = derive(&["event", broadcast.as_str(), &seq.to_string(), name, &ordinal.to_string()]);
        Self(format!("evt_{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_stable_and_distinct() {
        let broadcast = BroadcastId::new("b0");
        let first = VideoId::of_part(&broadcast, 0);
        assert_eq!(first, VideoId::of_part(&broadcast, 0));
        assert_ne!(first, VideoId::of_part(&broadcast, 1));
        assert_ne!(first, VideoId::of_compose(&broadcast));
        assert_eq!(first.as_str().len(), 32);
    }

    #[test]
    fn parts_of_a_derivation_cannot_run_together() {
        assert_ne!(derive(&["ab", "c"]), derive(&["a", "bc"]));
    }
}
