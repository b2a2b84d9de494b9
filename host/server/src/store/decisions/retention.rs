//! How long decisions are kept. They go in small batches, each a transaction of its own, so that whoever commits waits
//! for one batch at most; and never while a rollout still has to read them.

use reprise_lifecycle::time::Timestamp;
use sqlx::{Sqlite, Transaction};

use crate::store::{Result, Store};

/// Decisions that go in one transaction: a few milliseconds of the one writer.
const BATCH: i64 = 200;

const DAY_MS: i64 = 86_400_000;

/// How long decisions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Days; 0 is for ever.
    pub days: u32,
    /// The most of one tenant; beyond them the oldest go. 0 is no bound.
    pub per_tenant: u32,
}

impl Store {
    /// The tenants that have decisions. It takes one look into an index for each.
    pub async fn tenants_with_decisions(&self) -> Result<Vec<String>> {
        let each = "WITH RECURSIVE each (tenant) AS (SELECT min(tenant) FROM decisions UNION ALL \
                    SELECT (SELECT min(tenant) FROM decisions WHERE tenant > each.tenant) FROM each \
                    WHERE each.tenant IS NOT NULL) SELECT tenant FROM each WHERE tenant IS NOT NULL";
        Ok(sqlx::query_scalar(each).fetch_all(&self.searcher).await?)
    }

    /// The number below which a tenant has more decisions than are kept, if it has.
    pub async fn decisions_to_keep(&self, tenant: &str, keep: Retention) -> Result<Option<i64>> {
        if keep.per_tenant == 0 {
            return Ok(None);
        }
        // Numbers are counted over all tenants, so few numbers are few decisions; only else is it worth counting.
        let ends = "SELECT (SELECT max(id) FROM decisions WHERE tenant = ?1) - (SELECT min(id) FROM decisions WHERE tenant = ?1)";
        let range: Option<i64> = sqlx::query_scalar(ends).bind(tenant).fetch_one(&self.searcher).await?;
        if range.is_none_or(|range| range < i64::from(keep.per_tenant)) {
            return Ok(None);
        }
        let oldest_kept = "SELECT id FROM decisions INDEXED BY decisions_by_tenant WHERE tenant = ? \
                           ORDER BY id DESC LIMIT 1 OFFSET ?";
        let offset = i64::from(keep.per_tenant) - 1;
        Ok(sqlx::query_scalar(oldest_kept).bind(tenant).bind(offset).fetch_optional(&self.searcher).await?)
    }

    /// Removes one batch of a tenant's decisions: those that are too old, and those below `oldest_kept`. Says how many
    /// went; when none did, nothing is left to do for now.
    pub async fn clear_decisions(
        &self,
        tenant: &str,
        keep: Retention,
        oldest_kept: Option<i64>,
        now: Timestamp,
    ) -> Result<u64> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let read = read_by_all(&mut transaction, tenant).await?;
        let mut gone = 0;
        if keep.days > 0 {
            let before = now.0.saturating_sub(i64::from(keep.days).saturating_mul(DAY_MS));
            let old = "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions INDEXED BY decisions_by_time \
                       WHERE tenant = ? AND at < ? AND id <= ? ORDER BY at LIMIT ?)";
            let done =
                sqlx::query(old).bind(tenant).bind(before).bind(read).bind(BATCH).execute(&mut *transaction).await?;
            gone += done.rows_affected();
        }
        if let Some(oldest) = oldest_kept
            && gone == 0
        {
            let many = "DELETE FROM decisions WHERE id IN (SELECT id FROM decisions INDEXED BY decisions_by_tenant \
                        WHERE tenant = ? AND id < ? AND id <= ? ORDER BY id LIMIT ?)";
            let done =
                sqlx::query(many).bind(tenant).bind(oldest).bind(read).bind(BATCH).execute(&mut *transaction).await?;
            gone += done.rows_affected();
        }
        transaction.commit().await?;
        Ok(gone)
    }
}

/// Up to where everything that follows the log has read it. Backtests do not count: what goes before they read it is not
/// in their set any more, and whoever begins one after the other would keep everything for ever.
async fn read_by_all(transaction: &mut Transaction<'_, Sqlite>, tenant: &str) -> Result<i64> {
    // What a follower has not read begins with the next decision of its own plugin.
    let followers = "SELECT min((SELECT min(d.id) - 1 FROM decisions d INDEXED BY decisions_by_plugin \
                     WHERE d.tenant = r.tenant AND d.plugin = r.plugin AND d.id > r.cursor)) \
                     FROM rollouts r WHERE r.tenant = ? AND r.state = 'running'";
    let least: Option<i64> = sqlx::query_scalar(followers).bind(tenant).fetch_one(&mut **transaction).await?;
    Ok(least.unwrap_or(i64::MAX))
}
