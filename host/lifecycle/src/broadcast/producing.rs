//! Edited videos: a production has no publisher and no part, but one source to make; what follows is what follows
//! for every video.

use std::collections::BTreeMap;

use super::{Broadcast, Compose, Publishing};
use crate::effect::Effect;
use crate::id::{BroadcastId, EffectId, VideoId};
use crate::question::StreamKey;
use crate::record::{EndCause, Opening, RecordRules};
use crate::time::Timestamp;
use crate::video::{Source, Stage, Video};
use crate::work::ProduceOpening;

/// The record that opens a production is the one that calls for its work.
const MAKE: EffectId = EffectId { record: 0, ordinal: 0 };

/// A production is born over: nobody publishes to it, and nothing is composed at its end.
pub(super) fn born(id: BroadcastId, opening: &ProduceOpening, at: Timestamp) -> Broadcast {
    let video = VideoId::of_edit(&id);
    let nowhere = Opening {
        tenant: opening.tenant.clone(),
        stream: StreamKey { domain: String::new(), app: String::new(), name: String::new() },
        play_domain: String::new(),
        push_args: Vec::new(),
        rules: RecordRules { group: opening.group.clone(), ..RecordRules::default() },
    };
    let mut broadcast = Broadcast::born(id, &nowhere, at);
    broadcast.publishing = Publishing::Over { cause: EndCause::Produced, at, record: MAKE.record, lingering: None };
    broadcast.compose = Compose::Skipped;
    broadcast.production = Some(opening.clone());
    broadcast.videos.insert(video.clone(), Video::composing(video, Source::Edit, at));
    broadcast
}

/// The video that is being made, and the work that makes it.
pub(super) fn running(broadcast: &Broadcast) -> Option<(VideoId, EffectId)> {
    broadcast.production.as_ref()?;
    let video = broadcast.videos.get(&VideoId::of_edit(&broadcast.id))?;
    (video.stage == Stage::Composing && !video.removed).then(|| (video.id.clone(), MAKE))
}

pub(super) fn outstanding(broadcast: &Broadcast, effects: &mut BTreeMap<EffectId, Effect>) {
    if let Some((video, effect)) = running(broadcast) {
        effects.insert(effect, Effect::Produce { video });
    }
}
