//! What one piece of work needs to see of its broadcast. Work waits, sometimes for hours and by the thousand; each piece
//! holding the whole broadcast would cost memory that grows with the square of its parts.

use std::collections::BTreeMap;

use super::{Broadcast, Compose};
use crate::effect::Effect;
use crate::id::{JobId, TaskId, VideoId};
use crate::record::Subject;

impl Broadcast {
    /// The broadcast as far as `effect` concerns it. Work on one video sees that video and, if it only reads the video's
    /// files, neither parts nor breaks nor the plan of the compose; work on one request sees that request alone of the
    /// video's. Everything else is as it is.
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
            Effect::Process { video, task } => self.with_request(video, Some(task), None),
            Effect::Pictures { video, job, .. } | Effect::Analyse { video, job, .. } => {
                self.with_request(video, None, Some(job))
            }
            Effect::Produce { video } | Effect::Discard { video, .. } => self.with_video(Some(video)),
        }
    }

    /// A video may have hundreds of requests: the work of each must not hold all the others.
    fn with_request(&self, video: &VideoId, task: Option<&TaskId>, job: Option<&JobId>) -> Self {
        let narrowed = self.videos.get(video).map(|known| (video.clone(), known.narrowed(task, job)));
        Self { videos: narrowed.into_iter().collect(), ..self.with_video(None) }
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
