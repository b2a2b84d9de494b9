//! What one piece of work needs to see of its broadcast. Work waits, sometimes for hours and by the thousand; each piece
//! holding the whole broadcast would cost memory that grows with the square of its parts.

use std::collections::BTreeMap;

use super::{Broadcast, Compose};
use crate::effect::Effect;
use crate::id::VideoId;
use crate::record::Subject;

impl Broadcast {
    /// The broadcast as far as `effect` concerns it. Work on one video sees that video and, if it only reads the video's
    /// files, neither parts nor breaks nor the plan of the compose; everything else is as it is.
    pub fn excerpt(&self, effect: &Effect) -> Self {
        match effect {
            Effect::Ask { subject: Subject::Compose, .. } => self.clone(),
            Effect::Ask { subject: Subject::Video(video), .. } => Self {
                parts: self.parts.clone(),
                breaks: self.breaks.clone(),
                compose: self.compose.clone(),
                ..self.with_video(Some(video))
            },
            Effect::Compose { video, .. } => {
                Self { parts: self.parts.clone(), breaks: self.breaks.clone(), ..self.with_video(Some(video)) }
            }
            Effect::ClosePart { .. } => Self { parts: self.parts.clone(), ..self.with_video(None) },
            Effect::DropPublisher { .. } => self.with_video(None),
            Effect::Process { video, .. }
            | Effect::Pictures { video, .. }
            | Effect::Analyse { video, .. }
            | Effect::Produce { video }
            | Effect::Discard { video, .. } => self.with_video(Some(video)),
        }
    }

    fn with_video(&self, video: Option<&VideoId>) -> Self {
        let video = video.and_then(|id| self.videos.get(id));
        Self {
            id: self.id.clone(),
            tenant: self.tenant.clone(),
            stream: self.stream.clone(),
            play_domain: self.play_domain.clone(),
            push_args: self.push_args.clone(),
            rules: self.rules.clone(),
            started_at: self.started_at,
            next_seq: self.next_seq,
            publishing: self.publishing,
            epoch: self.epoch,
            publisher: self.publisher.clone(),
            breaks: Vec::new(),
            parts: Vec::new(),
            videos: video.map(|video| (video.id.clone(), video.clone())).into_iter().collect::<BTreeMap<_, _>>(),
            compose: Compose::NotYet,
            production: self.production.clone(),
        }
    }
}
