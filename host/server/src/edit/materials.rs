//! What a timeline's materials are, as the catalogue knows them.

use reprise_lifecycle::media::PartFacts;

use super::layout::{ImageMaterial, Materials, PictureFacts, VideoMaterial};
use super::timeline::Timeline;
use crate::store::images::ImageRow;
use crate::store::videos::VideoRow;
use crate::store::{self, Store};

/// A timeline's materials: what they are, and their rows.
#[derive(Debug, Default)]
pub struct Known {
    pub materials: Materials,
    pub videos: Vec<VideoRow>,
    pub images: Vec<ImageRow>,
}

impl Known {
    /// Looks up what `timeline` names among the tenant's own. What is not there, or holds nothing yet, is left out.
    ///
    /// # Errors
    /// When the catalogue cannot be read.
    pub async fn load(store: &Store, tenant: &str, timeline: &Timeline) -> store::Result<Self> {
        let mut known = Known::default();
        for id in timeline.videos() {
            let Some(row) = store.video(tenant, id).await? else { continue };
            if let Some(facts) = row.facts()? {
                known.materials.videos.insert(row.id.clone(), material(&facts));
            }
            known.videos.push(row);
        }
        for id in timeline.images() {
            let Some(row) = store.image(tenant, id).await? else { continue };
            known.add_image(row);
        }
        Ok(known)
    }

    pub(super) fn add_image(&mut self, row: ImageRow) {
        let side = |side: i64| u32::try_from(side).unwrap_or(0);
        let image = ImageMaterial { width: side(row.width), height: side(row.height) };
        self.materials.images.insert(row.id.clone(), image);
        self.images.push(row);
    }
}

pub(super) fn material(facts: &PartFacts) -> VideoMaterial {
    let picture = facts.video.as_ref().filter(|_| facts.video_frames > 0);
    VideoMaterial {
        duration_ms: facts.duration_ms,
        picture: picture.map(|video| PictureFacts { width: video.width, height: video.height, fps: video.fps }),
        has_sound: facts.audio.is_some() && facts.audio_frames > 0,
        bitrate_kbps: facts.bitrate_kbps(),
    }
}
