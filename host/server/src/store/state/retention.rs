//! How long states of the past are kept: for as long as a decision that saw one is, in whole eras; those of a plugin that
//! was deleted go at once.

use reprise_lifecycle::time::Timestamp;

use super::ERA;
use crate::store::{Result, Store};

/// Rows that go in one transaction: a few milliseconds of the one writer.
const BATCH: i64 = 200;

/// An era that ended less long ago stays: a decision that is being made now may have seen it, and is not in the log yet.
/// A call takes seconds at most.
const GRACE_MS: i64 = 3_600_000;

/// The oldest era of each plugin, if no kept decision saw it or what came before it; one without decisions needs its
/// newest state. Of a deleted one everything before the era in which a later one of its name begins. It takes a few looks into indices for each plugin, so that it costs the writer nothing where nothing is
/// to go.
const OLDEST: &str = "WITH oldest AS MATERIALIZED (SELECT p.name AS plugin, \
         ((SELECT min(h.revision) FROM plugin_state_history h WHERE h.tenant = ?1 AND h.plugin = p.name) / ?4 + 1) * ?4 \
         AS next, \
         coalesce((SELECT min(d.state_revision) FROM decisions d INDEXED BY decisions_by_state WHERE d.tenant = ?1 \
         AND d.plugin = p.name AND d.state_revision IS NOT NULL), p.state_revision) AS needed \
         FROM plugins p WHERE p.tenant = ?1 \
         UNION ALL SELECT d.name, d.state_revision, d.state_revision FROM deleted_plugins d WHERE d.tenant = ?1 \
         AND NOT EXISTS (SELECT 1 FROM plugins p WHERE p.tenant = ?1 AND p.name = d.name)), \
     past AS (SELECT plugin, next FROM oldest WHERE next <= needed AND NOT EXISTS ( \
         SELECT 1 FROM plugin_state_history h WHERE h.tenant = ?1 AND h.plugin = oldest.plugin \
         AND h.revision = oldest.next AND h.at >= ?2)) \
     DELETE FROM plugin_state_history WHERE (tenant, plugin, revision, key) IN ( \
         SELECT h.tenant, h.plugin, h.revision, h.key FROM past JOIN plugin_state_history h \
         ON h.tenant = ?1 AND h.plugin = past.plugin AND h.revision < past.next LIMIT ?3)";

impl Store {
    /// Removes one batch of a tenant's states that no kept decision saw. Says how many rows went; when none did, nothing is
    /// left to do for now.
    pub async fn clear_states(&self, tenant: &str, now: Timestamp) -> Result<u64> {
        let before = now.0.saturating_sub(GRACE_MS);
        let done = sqlx::query(OLDEST).bind(tenant).bind(before).bind(BATCH).bind(ERA).execute(&self.writer).await?;
        Ok(done.rows_affected())
    }
}
