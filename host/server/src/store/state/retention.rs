//! How long states of the past are kept: for as long as a decision that saw one is, in whole eras; those of a plugin that
//! was deleted, or of a removed tenant, go at once.

use reprise_lifecycle::time::Timestamp;

use super::ERA;
use crate::store::{Result, Store};

/// Rows that go in one transaction: a few milliseconds of the one writer.
pub(super) const BATCH: i64 = 200;

/// An era that ended less long ago stays: a decision that is being made now may have seen it, and is not in the log yet.
/// A call takes seconds at most.
const GRACE_MS: i64 = 3_600_000;

/// What came before the era in which the oldest state is that a kept decision of a plugin saw; one without decisions needs
/// its newest state. Where that era began within the grace, the oldest one alone is looked at. Of a deleted one everything
/// goes before the era in which a later one of its name begins, whatever its decisions saw: nobody is asked for them again.
/// It takes a few looks into indices for each plugin, so that it costs the writer nothing where nothing is to go.
const OLDEST: &str = "WITH oldest AS MATERIALIZED (SELECT p.name AS plugin, \
         ((SELECT min(h.revision) FROM plugin_state_history h WHERE h.tenant = ?1 AND h.plugin = p.name) / ?4 + 1) * ?4 \
         AS next, \
         coalesce((SELECT min(d.state_revision) FROM decisions d INDEXED BY decisions_by_state WHERE d.tenant = ?1 \
         AND d.plugin = p.name AND d.state_revision >= coalesce((SELECT gone.state_revision FROM deleted_plugins gone \
         WHERE gone.tenant = ?1 AND gone.name = p.name), 0)), p.state_revision) AS needed \
         FROM plugins p WHERE p.tenant = ?1), \
     ends AS (SELECT plugin, next FROM oldest WHERE next <= needed \
         UNION ALL SELECT plugin, needed / ?4 * ?4 FROM oldest \
         UNION ALL SELECT name, state_revision FROM deleted_plugins WHERE tenant = ?1), \
     past AS (SELECT plugin, max(next) AS next FROM ends WHERE NOT EXISTS ( \
         SELECT 1 FROM plugin_state_history h WHERE h.tenant = ?1 AND h.plugin = ends.plugin \
         AND h.revision = ends.next AND h.at >= ?2) GROUP BY plugin) \
     DELETE FROM plugin_state_history WHERE (tenant, plugin, revision, key) IN ( \
         SELECT h.tenant, h.plugin, h.revision, h.key FROM past JOIN plugin_state_history h \
         ON h.tenant = ?1 AND h.plugin = past.plugin AND h.revision < past.next LIMIT ?3)";

/// What a removed tenant left. Its name is given to no other before that is gone.
const LEFT: &str = "DELETE FROM plugin_state_history WHERE (tenant, plugin, revision, key) IN ( \
     SELECT tenant, plugin, revision, key FROM plugin_state_history WHERE tenant = ?1 \
     AND NOT EXISTS (SELECT 1 FROM tenants WHERE name = ?1) LIMIT ?2)";

impl Store {
    /// The tenants of whose states a past is kept, removed ones too. It takes one look into an index for each.
    pub async fn tenants_with_states(&self) -> Result<Vec<String>> {
        let each = "WITH RECURSIVE each (tenant) AS (SELECT min(tenant) FROM plugin_state_history UNION ALL \
                    SELECT (SELECT min(tenant) FROM plugin_state_history WHERE tenant > each.tenant) FROM each \
                    WHERE each.tenant IS NOT NULL) SELECT tenant FROM each WHERE tenant IS NOT NULL";
        Ok(sqlx::query_scalar(each).fetch_all(&self.searcher).await?)
    }

    /// Removes one batch of a tenant's states that no kept decision saw, or of all states of a removed tenant. Says how
    /// many rows went; when none did, nothing is left to do for now.
    pub async fn clear_states(&self, tenant: &str, now: Timestamp) -> Result<u64> {
        let left = sqlx::query(LEFT).bind(tenant).bind(BATCH).execute(&self.writer).await?.rows_affected();
        if left > 0 {
            return Ok(left);
        }
        let before = now.0.saturating_sub(GRACE_MS);
        let done = sqlx::query(OLDEST).bind(tenant).bind(before).bind(BATCH).bind(ERA).execute(&self.writer).await?;
        Ok(done.rows_affected())
    }
}
