//! What cuts a run short: the end of the server, whoever stopped it in the catalogue, or something that keeps it from going
//! on, which alone is left to be written down.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// A run's way to be cut short.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    token: CancellationToken,
    failure: Arc<OnceLock<String>>,
    server: CancellationToken,
}

impl Cut {
    /// Cut by `server` too.
    pub(super) fn new(server: &CancellationToken) -> Self {
        Self { token: server.child_token(), failure: Arc::default(), server: server.clone() }
    }

    /// Cuts the run short.
    pub(super) fn short(&self) {
        self.token.cancel();
    }

    /// Cuts the run short because it cannot go on. The first reason stands.
    pub(super) fn failed(&self, why: String) {
        self.failure.get_or_init(|| why);
        self.token.cancel();
    }

    /// Whether it was.
    pub(super) fn is_short(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it is.
    pub(super) async fn cut(&self) {
        self.token.cancelled().await;
    }

    /// Why it cannot go on.
    pub(super) fn failure(&self) -> Option<&String> {
        self.failure.get()
    }

    /// Waits until the server ends.
    pub(super) async fn server_ended(&self) {
        self.server.cancelled().await;
    }
}
