//! The decision log and the states that its calls saw, as long as they are kept: batch by batch, so that nobody who records
//! waits for more than one.

use reprise_lifecycle::time::Timestamp;

use super::sweep::{SweepError, Sweeper};

/// Batches of one tenant in one sweep, of each of the two: the other things that are swept wait for this. When there is
/// more, the next sweep follows at once, so that what is written faster than that does not pile up.
pub(super) const BATCHES: usize = 500;

/// What went of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleared {
    pub(super) decisions: u64,
    /// Rows of states.
    pub(super) states: u64,
    /// The batches were used up.
    pub(super) more: bool,
}

impl Sweeper {
    /// Removes decisions that are kept no longer, and then states that none of the others saw, at most so many batches of
    /// each tenant.
    pub(super) async fn clear_log(&self, now: Timestamp, batches: usize) -> Result<Cleared, SweepError> {
        let mut cleared = Cleared::default();
        for tenant in self.store.tenants_with_decisions().await? {
            let oldest_kept = self.store.decisions_to_keep(&tenant, self.decisions).await?;
            let mut left = batches;
            while left > 0 {
                let gone = self.store.clear_decisions(&tenant, self.decisions, oldest_kept, now).await?;
                if gone == 0 {
                    break;
                }
                cleared.decisions += gone;
                left -= 1;
            }
            cleared.more |= left == 0;
        }
        for tenant in self.store.tenants_with_states().await? {
            let mut left = batches;
            while left > 0 {
                let gone = self.store.clear_states(&tenant, now).await?;
                if gone == 0 {
                    break;
                }
                cleared.states += gone;
                left -= 1;
            }
            cleared.more |= left == 0;
        }
        Ok(cleared)
    }
}
