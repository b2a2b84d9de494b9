//! Components that nobody uses: uploads that were never pushed, and files whose last version was deleted.

use reprise_lifecycle::time::Timestamp;

use super::{SweepError, Sweeper};

/// How long an upload stays without a version: time to push it, and to come back to it tomorrow.
const UNUSED_MS: i64 = 24 * 3_600_000;

/// How long a file stays that no row names, counted from when it was last written: a push keeps its component's file before
/// it has a version, and is done within a minute of that. Until it goes, no quota counts it.
const UNKNOWN_MS: i64 = 15 * 60_000;

impl Sweeper {
    /// Forgets old uploads that no version uses, then removes the files that nobody knows any more.
    pub(super) async fn components(&self, now: Timestamp) -> Result<usize, SweepError> {
        self.store.forget_components(Timestamp(now.0.saturating_sub(UNUSED_MS))).await?;
        let before = Timestamp(now.0.saturating_sub(UNKNOWN_MS));
        let mut removed = 0;
        for digest in self.blocking(move |files| files.components_before(before)).await? {
            if !self.store.is_component_known(&digest).await? {
                let went = self.blocking(move |files| files.remove_component(&digest, before)).await?;
                removed += usize::from(went);
            }
        }
        Ok(removed)
    }
}
