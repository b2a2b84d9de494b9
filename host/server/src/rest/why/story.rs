//! All that is known of one video, as it is told from.

use std::collections::BTreeMap;

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::decision::Decision;
use reprise_lifecycle::question::Question;
use reprise_lifecycle::video::Video;

/// A video's story, before anybody tells it.
#[derive(Debug)]
pub(super) struct Story<'a> {
    /// The broadcast that it comes from, or the production that made it.
    pub(super) broadcast: &'a Broadcast,
    /// It.
    pub(super) video: &'a Video,
    /// Its title.
    pub(super) title: &'a str,
    /// Names of the tenant's template groups.
    pub(super) groups: BTreeMap<String, String>,
    /// What was asked about its template group, and about composing the broadcast's parts, oldest first.
    pub(super) asked: Vec<Asked>,
    /// What was asked about the events that the tenant is told of it, oldest first.
    pub(super) shaped: Vec<Asked>,
    /// Whether there is more of these than is told.
    pub(super) is_cut: bool,
    /// What the tenant is told of it, oldest first.
    pub(super) told: Vec<Told>,
}

/// A question and what was decided.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Its number in the decision log; absent once it is not kept there any more.
    pub(super) id: Option<i64>,
    /// What was asked; absent where nobody was, and once it is not kept any more.
    pub(super) question: Option<Question>,
    /// What was said and done.
    pub(super) decision: Decision,
}

/// One event for one receiver.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The vendor's event type.
    pub(super) kind: String,
    /// The receiver, without its query, which may hold a secret; absent if nobody wanted to hear of it.
    pub(super) receiver: Option<String>,
    /// How far it is.
    pub(super) phase: String,
}
