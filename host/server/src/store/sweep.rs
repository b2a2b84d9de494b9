//! What the sweeper asks: which videos are to go, and which ids are spoken for. It asks for all tenants at once.

use reprise_lifecycle::time::Timestamp;

use super::{Result, Store};

impl Store {
    /// Videos that their record config keeps no longer, with their broadcasts, longest expired first.
    pub async fn expired_videos(&self, now: Timestamp, limit: i64) -> Result<Vec<(String, String)>> {
        let expired = "SELECT broadcast, id FROM videos WHERE retain_until IS NOT NULL AND retain_until <= ? \
                       ORDER BY retain_until LIMIT ?";
        Ok(sqlx::query_as(expired).bind(now.0).bind(limit).fetch_all(&self.reader).await?)
    }

    /// Whether there is a video of this id, whoever owns it.
    pub async fn is_video(&self, id: &str) -> Result<bool> {
        let one = "SELECT EXISTS (SELECT 1 FROM videos WHERE id = ?)";
        Ok(sqlx::query_scalar(one).bind(id).fetch_one(&self.reader).await?)
    }

    /// The broadcasts in which something may still happen, with the number of their parts.
    pub async fn unsettled_parts(&self) -> Result<Vec<(String, i64)>> {
        let all = "SELECT id, parts FROM broadcasts WHERE settled = 0";
        Ok(sqlx::query_as(all).fetch_all(&self.reader).await?)
    }

    /// Videos made of parts of others, composed or edited, with a file of their own that did not change since `before`, in the order of their ids.
    pub async fn composed_videos(&self, before: Timestamp, after: &str, limit: i64) -> Result<Vec<String>> {
        let page = "SELECT id FROM videos WHERE source IN ('compose', 'edit') AND status NOT IN ('uploading', 'produce_failed') \
                    AND modified_at <= ? AND id > ? ORDER BY id LIMIT ?";
        Ok(sqlx::query_scalar(page).bind(before.0).bind(after).bind(limit).fetch_all(&self.reader).await?)
    }
}
