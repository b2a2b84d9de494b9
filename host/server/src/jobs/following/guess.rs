//! Which template group a part will be processed with, as far as that can be told while it is recorded: where a policy
//! is asked, the one that was decided for the part before it in the same broadcast; else the record config's. A wrong
//! guess costs an encode of the part, and nothing of it is used.

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
        let group = group(&broadcast, asked);
        if group.is_no_transcode() {
            return Ok(None);
        }
        let templates = self.store.templates(tenant, &group).await?;
        Ok(Some(templates.iter().filter_map(|template| rendition::of(template).ok()).collect()))
    }
}

/// The likely group of the newest part. A policy decides alike for parts of one broadcast; before it did for the first
/// time, the default is likelier than any other: that is what policies change where there is a reason.
fn group(broadcast: &Broadcast, asked: bool) -> GroupId {
    let decided = if asked { decided_before(broadcast) } else { None };
    decided.unwrap_or_else(|| broadcast.rules.group.clone())
}

/// The group of the newest part that has one.
fn decided_before(broadcast: &Broadcast) -> Option<GroupId> {
    let parts = (0..u32::try_from(broadcast.parts.len()).unwrap_or(u32::MAX)).rev();
    parts
        .filter_map(|part| broadcast.videos.get(&VideoId::of_part(&broadcast.id, part)))
        .find_map(|video| video.task().map(|task| task.group.clone()))
}

#[cfg(test)]
mod tests {
    use reprise_lifecycle::record::RecordRules;

    use super::*;
    use crate::testkit::World;

    #[tokio::test]
    async fn a_first_part_is_guessed_by_its_rules_and_a_later_one_by_what_was_decided() {
        let world = World::new().await;
        world.tenant("acme").await;
        let rules = RecordRules { group: GroupId::new("of-rules"), ..RecordRules::default() };
        let mut life = world.broadcast_by("acme", "b1", rules).await;
        let guessed = |broadcast: &Broadcast| [true, false].map(|asked| group(broadcast, asked).to_string());
        assert_eq!(guessed(&life.state), ["of-rules", "of-rules"]);
        let video = life.part(0).await;
        assert_eq!(guessed(&life.state), ["of-rules", "of-rules"], "nothing is decided yet");
        // For the group g1.
        life.decide(&video, &["m3u8"]).await;
        assert_eq!(guessed(&life.state), ["g1", "of-rules"]);
        life.part(10_000).await;
        assert_eq!(guessed(&life.state), ["g1", "of-rules"], "the newest has none yet");
    }
}
