//! The three questions a policy is asked and the shapes of its answers. A question holds everything the
//! guest may know; it sees no clock, no chance, no file and no network beside it.

use serde::{Deserialize, Serialize};

use crate::id::{BroadcastId, PartIndex, VideoId};
use crate::media::{AudioTrack, MediaFacts, VideoTrack};
use crate::time::Timestamp;

/// A named point at which a policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Which template group a new video is processed with.
    TemplateGroup,
    /// Whether and how a broadcast's parts become one video.
    ComposeRules,
    /// What an event looks like when it reaches the tenant's receiver, or that it is not sent.
    Callback,
}

impl Hook {
    /// All hooks, in the order of a broadcast's life.
    pub const ALL: [Self; 3] = [Self::TemplateGroup, Self::ComposeRules, Self::Callback];

    /// The name used in WIT, in the API and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::TemplateGroup => "template-group",
            Self::ComposeRules => "compose-rules",
            Self::Callback => "callback",
        }
    }
}

/// A stream: the ingest domain, the application and the stream name of the push URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamKey {
    /// Ingest (push) domain.
    pub domain: String,
    /// Application: the first path segment of the push URL.
    pub app: String,
    /// Stream name, without the query.
    pub name: String,
}

/// What every question says about where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The tenant's name.
    pub tenant: String,
    /// The stream.
    pub stream: StreamKey,
    /// The play domain bound to the stream's ingest domain.
    pub play_domain: String,
    /// Arguments of the push URL's query in their order, without authentication keys.
    pub push_args: Vec<(String, String)>,
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// When the broadcast began.
    pub broadcast_started_at: Timestamp,
    /// How often the publisher came back within the break window so far.
    pub reconnects: u32,
}

/// One closed part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartSummary {
    /// Position in the broadcast, from 0.
    pub index: PartIndex,
    /// The video it became.
    pub video_id: VideoId,
    /// Wall clock of its first picture or sound.
    pub started_at: Timestamp,
    /// Wall clock of its end.
    pub ended_at: Timestamp,
    /// First media time on the broadcast's timeline, in milliseconds.
    pub first_ms: u64,
    /// Media length in milliseconds.
    pub duration_ms: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Mean bitrate in kbit/s.
    pub bitrate_kbps: u64,
    /// Wall-clock milliseconds missing between the part before (or the start) and this one, and inside it.
    pub gap_ms: u64,
    /// The picture, if there is one.
    pub video: Option<VideoTrack>,
    /// The sound, if there is any.
    pub audio: Option<AudioTrack>,
    /// What an analysis found in it, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<MediaFacts>,
}

/// A template group the tenant owns, offered for choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChoice {
    /// Its id.
    pub id: String,
    /// Its name, as the tenant gave it.
    pub name: String,
}

/// Which template group is this part's video processed with?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateGroupQuestion {
    /// Where it comes from.
    pub origin: Origin,
    /// The part that became the video.
    pub part: PartSummary,
    /// The group the record config names; what happens without a policy.
    pub default_group: String,
    /// The tenant's groups.
    pub groups: Vec<GroupChoice>,
}

/// The answer to [`TemplateGroupQuestion`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateGroupAnswer {
    /// What the record config says.
    UseDefault,
    /// One of the tenant's groups, by id or by name, or `VOD_NO_TRANSCODE`.
    Group(String),
}

/// How are this broadcast's parts composed?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComposeQuestion {
    /// Where it comes from.
    pub origin: Origin,
    /// When the broadcast ended.
    pub ended_at: Timestamp,
    /// All parts in order.
    pub parts: Vec<PartSummary>,
    /// Whether the record config asks for a compose.
    pub default_compose: bool,
    /// The compose group the record config names, if any.
    pub default_group: Option<String>,
    /// The tenant's groups.
    pub groups: Vec<GroupChoice>,
}

/// A stretch of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRange {
    /// The part.
    pub index: PartIndex,
    /// Milliseconds into the part; 0 is its beginning.
    pub from_ms: u64,
    /// Milliseconds into the part; absent is its end.
    pub to_ms: Option<u64>,
}

/// What viewers see where the publisher was gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapRule {
    /// The gap is cut out.
    #[default]
    Cut,
    /// The last picture stands for as long as the gap was.
    Hold,
    /// A slate stands for as long as the gap was.
    Slate,
}

/// A compose made to the policy's wishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposePlan {
    /// The stretches, in the order they play.
    pub ranges: Vec<PartRange>,
    /// What stands in for gaps.
    pub gaps: GapRule,
    /// Below this length nothing is composed.
    pub min_duration_ms: u64,
    /// The video's title; absent is the stream name.
    pub title: Option<String>,
    /// The group of the composed video, by id or name; absent is the record config's.
    pub group: Option<String>,
}

/// The answer to [`ComposeQuestion`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComposeAnswer {
    /// What the record config says.
    UseDefault,
    /// Nothing is composed.
    Skip,
    /// Composed as planned.
    Compose(ComposePlan),
}

/// What does this event look like when it is sent?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackQuestion {
    /// The tenant's name.
    pub tenant: String,
    /// The stream the event is about, when there is one.
    pub stream: Option<StreamKey>,
    /// The play domain of that stream, when there is one.
    pub play_domain: Option<String>,
    /// The event's stable id.
    pub event_id: String,
    /// The event's type, as the vendor names it.
    pub event_type: String,
    /// The receiver's URL.
    pub url: String,
    /// Header names and values the request will carry, without signatures.
    pub headers: Vec<(String, String)>,
    /// The event: one JSON object.
    pub body: String,
}

/// The answer to [`CallbackQuestion`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackAnswer {
    /// Sent as it is.
    Unchanged,
    /// Not sent.
    Drop,
    /// Sent in another shape.
    Replace {
        /// The new body: one JSON object.
        body: String,
        /// Headers to add; names the server sets itself are refused.
        headers: Vec<(String, String)>,
    },
}

/// A question at any hook.
#[expect(clippy::large_enum_variant, reason = "one question at a time is held, and never in a collection")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// At [`Hook::TemplateGroup`].
    TemplateGroup(TemplateGroupQuestion),
    /// At [`Hook::ComposeRules`].
    ComposeRules(ComposeQuestion),
    /// At [`Hook::Callback`].
    Callback(CallbackQuestion),
}

impl Question {
    /// The hook this question belongs to.
    pub fn hook(&self) -> Hook {
        match self {
            Self::TemplateGroup(_) => Hook::TemplateGroup,
            Self::ComposeRules(_) => Hook::ComposeRules,
            Self::Callback(_) => Hook::Callback,
        }
    }
}

/// An answer at any hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// At [`Hook::TemplateGroup`].
    TemplateGroup(TemplateGroupAnswer),
    /// At [`Hook::ComposeRules`].
    ComposeRules(ComposeAnswer),
    /// At [`Hook::Callback`].
    Callback(CallbackAnswer),
}
