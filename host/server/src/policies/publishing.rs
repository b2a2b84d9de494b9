//! What was committed is published, whatever becomes of the one who asked for it: a client that hangs up, or a catalogue
//! that cannot be read for a moment, must not leave memory with what was decided before.

use std::sync::Arc;
use std::time::Duration;

use super::Policies;
use crate::store;

/// Between two looks at a catalogue that cannot be read.
const AGAIN: Duration = Duration::from_secs(1);

/// Held from before a commit until it was published; dropped in between, the catalogue is read and published by a task.
#[derive(Debug)]
pub(super) struct Publishing {
    open: Option<(Arc<Policies>, String)>,
}

impl Publishing {
    pub(super) fn new(policies: &Arc<Policies>, tenant: &str) -> Self {
        Self { open: Some((Arc::clone(policies), tenant.to_owned())) }
    }

    /// It was published.
    pub(super) fn done(mut self) {
        self.open = None;
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        let (Some((policies, tenant)), Ok(runtime)) = (self.open.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        // It ends with the first look that succeeds, or with the process, whose next start reads everything.
        runtime.spawn(async move {
            while let Err(error) = policies.publish(&tenant).await {
                tracing::error!(tenant.id = tenant, error = %error, "a change could not be published; trying again");
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}

impl Policies {
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
