//! What playback asks beside [`Store::video_for_playback`]: a viewer's URL names no tenant, so the video says whose
//! it is.

use super::videos::VideoRow;
use super::{Result, Store};

impl Store {
    /// Whether a job's files belong to a video and their record is committed: a rendition that is done, or a series
    /// of pictures that was taken. Files of any other job may be there and may still be replaced.
    pub async fn is_published(&self, video: &VideoRow, job: &str) -> Result<bool> {
        let published = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND tenant = ?2 AND video = ?3 AND output IS NOT NULL) \
             OR EXISTS (SELECT 1 FROM snapshots WHERE job = ?1 AND tenant = ?2 AND video = ?3)",
        )
        .bind(job)
        .bind(&video.tenant)
        .bind(&video.id)
        .fetch_one(&self.reader)
        .await?;
        Ok(published)
    }
}
