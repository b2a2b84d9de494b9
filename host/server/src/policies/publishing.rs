//! What was committed is published, whatever becomes of the one who asked for it: a client that hangs up, or a catalogue
//! that cannot be read for a moment, must not leave memory with what was decided before.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Policies;
use crate::store;

/// Between two looks at a catalogue that cannot be read.
const AGAIN: Duration = Duration::from_secs(1);

/// Held from before a commit until it was published; dropped in between, the catalogue is read and published by a task.
#[derive(Debug)]
pub(super) struct Publishing {
    open: Option<(Arc<Policies>, Vec<String>)>,
}

/// The tenants that a task publishes, one task for each, and whether it has to look once more.
#[derive(Debug, Default)]
pub(super) struct Unpublished {
    by_tenant: Mutex<BTreeMap<String, bool>>,
}

impl Publishing {
    pub(super) fn new(policies: &Arc<Policies>, tenant: &str) -> Self {
        Self::of(policies, vec![tenant.to_owned()])
    }

    pub(super) fn of(policies: &Arc<Policies>, tenants: Vec<String>) -> Self {
        Self { open: Some((Arc::clone(policies), tenants)) }
    }

    /// What came of the commit. A refusal wrote nothing, so there is nothing to publish; any other error may hide a commit.
    pub(super) fn committed<T>(self, outcome: store::Result<T>) -> store::Result<(T, Self)> {
        match outcome {
            Ok(value) => Ok((value, self)),
            Err(refusal @ (store::Error::Conflict(_) | store::Error::Quota(_))) => {
                self.done();
                Err(refusal)
            }
            Err(error) => Err(error),
        }
    }

    /// It was published, or there is nothing to publish.
    pub(super) fn done(mut self) {
        self.open = None;
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        let (Some((policies, tenants)), Ok(runtime)) = (self.open.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        for tenant in tenants {
            if policies.unpublished.begins(&tenant) {
                runtime.spawn(Arc::clone(&policies).publish_all(tenant));
            }
        }
    }
}

impl Unpublished {
    /// Whether the tenant needs a task; the one that it has looks once more.
    fn begins(&self, tenant: &str) -> bool {
        let mut all = self.lock();
        let has_one = all.contains_key(tenant);
        all.insert(tenant.to_owned(), true);
        !has_one
    }

    /// Whether there is something that the tenant's task has not looked at since it asked last; if not, it is over.
    fn goes_on(&self, tenant: &str) -> bool {
        let mut all = self.lock();
        let more = all.get_mut(tenant).is_some_and(std::mem::take);
        if !more {
            all.remove(tenant);
        }
        more
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        // Each change is one entry, so a panic elsewhere does not spoil it.
        self.by_tenant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Policies {
    /// Publishes until nothing is open. A look that fails is followed by another, or by the process's next start, which
    /// reads everything.
    async fn publish_all(self: Arc<Self>, tenant: String) {
        while self.unpublished.goes_on(&tenant) {
            while let Err(error) = self.publish(&tenant).await {
                tracing::error!(tenant.id = tenant, error = %error, "a change could not be published; trying again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Reads and publishes all that decides for a tenant.
    async fn publish(&self, tenant: &str) -> store::Result<()> {
        let turn = self.changing(tenant).await;
        // What was dropped within its commit may still be being written: that has come to its end when the one writer is
        // free.
        self.store.check_writable().await?;
        self.refresh_tenant(tenant).await?;
        drop(turn);
        self.refresh_rollouts_of(&[tenant.to_owned()]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_one_task_which_looks_once_more_for_all_that_came_meanwhile() {
        let unpublished = Unpublished::default();
        assert!(unpublished.begins("acme"));
        assert!(unpublished.goes_on("acme"), "its first look");
        assert!(!unpublished.begins("acme") && !unpublished.begins("acme"));
        assert!(unpublished.begins("other"));
        assert!(unpublished.goes_on("acme"), "one look for both");
        assert!(!unpublished.goes_on("acme"));
        assert!(unpublished.begins("acme"), "the next one needs a task again");
    }
}
