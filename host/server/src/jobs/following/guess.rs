//! Which template group a part will be processed with, as far as that can be told while it is recorded: the record
//! config's where no policy is asked, else the one that was decided for the part before it in the same broadcast.

use std::sync::Arc;

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::id::{BroadcastId, GroupId, VideoId};
use reprise_lifecycle::question::Hook;

use crate::api::template::rendition;
use crate::ffmpeg::template::Rendition;
use crate::policies::Policies;
use crate::store::Store;

/// Guesses groups.
#[derive(Clone, Debug)]
pub struct Guess {
    /// Journals and template groups.
    pub store: Store,
    /// Which streams have a policy.
    pub policies: Arc<Policies>,
}

impl Guess {
    /// The renditions that the part now recorded of this broadcast will be asked for; `None` when nothing tells.
    ///
    /// # Errors
    /// When the catalogue cannot be read.
    pub(super) async fn renditions(&self, broadcast: &BroadcastId) -> anyhow::Result<Option<Vec<Rendition>>> {
        let journal = self.store.journal(broadcast).await?;
        let Some(broadcast) = Broadcast::fold(broadcast.clone(), &journal)? else { return Ok(None) };
        let tenant = broadcast.tenant.as_str();
        let asked = self.policies.bound(tenant, Hook::TemplateGroup, Some(&broadcast.stream)).is_some();
        let group = if asked { decided_before(&broadcast) } else { Some(broadcast.rules.group.clone()) };
        let Some(group) = group.filter(|group| !group.is_no_transcode()) else { return Ok(None) };
        let templates = self.store.templates(tenant, &group).await?;
        Ok(Some(templates.iter().filter_map(|template| rendition::of(template).ok()).collect()))
    }
}

/// The group of the newest part that has one.
fn decided_before(broadcast: &Broadcast) -> Option<GroupId> {
    let parts = (0..u32::try_from(broadcast.parts.len()).unwrap_or(u32::MAX)).rev();
    parts
        .filter_map(|part| broadcast.videos.get(&VideoId::of_part(&broadcast.id, part)))
        .find_map(|video| video.task().map(|task| task.group.clone()))
}
