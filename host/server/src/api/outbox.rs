//! How events that come from a request go on to their receivers: through the callback policy if one is bound, and
//! without waiting for the next look at the catalogue.

use std::sync::Arc;

use reprise_lifecycle::question::StreamKey;
use tokio::sync::Notify;

use crate::driver::Shapes;
use crate::store::videos::VideoRow;

/// Who is to know of a new event.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// Says whether a callback policy is bound; without it none is.
    pub shapes: Option<Arc<dyn Shapes>>,
    /// Rung after each event.
    pub committed: Vec<Arc<Notify>>,
}

impl Outbox {
    /// Whether a callback policy is asked before an event about this video is sent.
    pub(super) fn shapes(&self, tenant: &str, video: &VideoRow) -> bool {
        let (domain, app, name) = (video.domain.clone(), video.app.clone(), video.stream.clone());
        let stream = StreamKey { domain, app, name };
        self.shapes.as_ref().is_some_and(|shapes| shapes.shapes(tenant, &stream))
    }

    pub(super) fn ring(&self) {
        for listener in &self.committed {
            listener.notify_one();
        }
    }
}
