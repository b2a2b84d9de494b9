//! The log of changes, as long as it may be.

use super::sweep::{SweepError, Sweeper};

/// Batches of one tenant in one sweep. What is over is next: the other things that are swept wait for this.
const BATCHES: usize = 200;

impl Sweeper {
    /// Removes the oldest changes of tenants that have too many, and then of all if they are too many together. Says how
    /// many went.
    pub(super) async fn clear_changes(&self) -> Result<i64, SweepError> {
        let (mut gone, mut all) = (0, 0);
        for (tenant, count) in self.store.count_changes().await? {
            all += count;
            gone += self.clear_oldest(Some(&tenant), over(self.changes.per_tenant, count)).await?;
        }
        gone += self.clear_oldest(None, over(self.changes.in_all, all - gone)).await?;
        Ok(gone)
    }

    async fn clear_oldest(&self, tenant: Option<&str>, over: i64) -> Result<i64, SweepError> {
        let mut gone = 0;
        for _ in 0..BATCHES {
            if gone >= over {
                break;
            }
            gone += i64::try_from(self.store.clear_changes(tenant, over - gone).await?).unwrap_or(i64::MAX);
        }
        Ok(gone)
    }
}

/// How many are beyond a bound.
fn over(bound: u32, count: i64) -> i64 {
    if bound == 0 { 0 } else { count - i64::from(bound) }
}
