//! The decision log, as long as it is kept: batch by batch, so that nobody who records waits for more than one.

use reprise_lifecycle::time::Timestamp;

use super::sweep::{SweepError, Sweeper};

/// Batches of one tenant in one sweep. What is over is next: the other things that are swept wait for this.
const BATCHES: usize = 500;

impl Sweeper {
    /// Removes decisions that are kept no longer and states that none of the others saw. Says how many decisions went.
    pub(super) async fn clear_log(&self, now: Timestamp) -> Result<u64, SweepError> {
        let mut gone = 0;
        for tenant in self.store.tenants_with_decisions().await? {
            let oldest_kept = self.store.decisions_to_keep(&tenant, self.decisions).await?;
            for _ in 0..BATCHES {
                let batch = self.store.clear_decisions(&tenant, self.decisions, oldest_kept, now).await?;
                gone += batch;
                if batch == 0 {
                    break;
                }
            }
            for _ in 0..BATCHES {
                if self.store.clear_states(&tenant, now).await? == 0 {
                    break;
                }
            }
        }
        Ok(gone)
    }
}
