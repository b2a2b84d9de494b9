//! The shaper: deliveries whose stream has a callback policy wait for that policy's recorded decision before they
//! are due. Several are asked at once; each tenant's share is bounded by its evaluation slots.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reprise_lifecycle::question::{CallbackQuestion, StreamKey};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::policies::Policies;
use crate::store::deliveries::Unshaped;
use crate::store::{self, Store};

/// Deliveries read at once.
const PAGE: i64 = 64;

/// Questions at once.
const AT_ONCE: usize = 8;

/// A look without a wake-up, in case one was missed, and the pause after a failed one.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The shaper.
#[derive(Debug)]
pub struct Shaper {
    /// The catalogue.
    pub store: Store,
    /// Who is asked.
    pub policies: Arc<Policies>,
    /// Rung after commits that may have made something to shape.
    pub wake: Arc<Notify>,
    /// Rung when something became due.
    pub shaped: Arc<Notify>,
}

impl Shaper {
    /// Works until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // Registered before the look, so that a commit between the look and the wait is not missed.
            let woken = self.wake.notified();
            match self.look().await {
                Ok(0) => {}
                Ok(_) => {
                    self.shaped.notify_one();
                    continue;
                }
                Err(error) => tracing::error!(error = %error, "the outbox cannot be read; trying again"),
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn look(&self) -> store::Result<usize> {
        let waiting = self.store.unshaped(PAGE).await?;
        let shaped = futures_util::stream::iter(waiting)
            .map(|delivery| self.shape(delivery))
            .buffer_unordered(AT_ONCE)
            .fold(Ok(0), |count, done| async move { Ok(count? + usize::from(done?)) });
        shaped.await
    }

    async fn shape(&self, delivery: Unshaped) -> store::Result<bool> {
        let broadcast = self.store.broadcast(&delivery.tenant, &delivery.broadcast).await?;
        let stream = broadcast.as_ref().map(|broadcast| StreamKey {
            domain: broadcast.domain.clone(),
            app: broadcast.app.clone(),
            name: broadcast.stream.clone(),
        });
        let question = CallbackQuestion {
            tenant: delivery.tenant.clone(),
            stream: stream.clone(),
            play_domain: broadcast.map(|broadcast| broadcast.play_domain),
            event_id: delivery.event.clone(),
            event_type: delivery.kind.clone(),
            url: delivery.url.clone(),
            headers: vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())],
            body: delivery.body.clone(),
        };
        let decided = self.policies.callback(question, stream.as_ref()).await;
        let place = stream.as_ref().map_or(("", ""), |stream| (stream.app.as_str(), stream.name.as_str()));
        let at = clock::now().0;
        self.store.shape_delivery(&delivery, place, &decided.question, &decided.decision, &decided.outcome, at).await?;
        self.policies.to_follow().notify_one();
        Ok(true)
    }
}
