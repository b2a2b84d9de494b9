//! What cuts a run short. Whoever does says why; when the server ends, nobody does.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why a run ends before its set does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its tenant wants it to.
    Stopped,
    /// It cannot go on.
    Failed(String),
}

/// A run's way to be cut short.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    token: CancellationToken,
    why: Arc<OnceLock<Why>>,
}

impl Cut {
    /// Cut by `server` too, for no reason of the run's own.
    pub(super) fn new(server: &CancellationToken) -> Self {
        Self { token: server.child_token(), why: Arc::default() }
    }

    /// Cuts the run short. The first reason stands.
    pub(super) fn short(&self, why: Why) {
        self.why.get_or_init(|| why);
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

    /// Why, if it is not the server that ends.
    pub(super) fn why(&self) -> Option<&Why> {
        self.why.get()
    }
}
