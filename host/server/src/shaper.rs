//! The shaper: deliveries whose stream has callback policies wait for those policies' recorded decisions before they are
//! due. Each tenant's are worked off by themselves, a page at a time, so that one with very many, or with a slow policy,
//! keeps no other waiting.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reprise_lifecycle::question::{CallbackQuestion, StreamKey};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::policies::Policies;
use crate::store::deliveries::Unshaped;
use crate::store::{self, Store};

/// Deliveries of one tenant read at once: the smaller, the sooner it makes room for the next tenant.
const PAGE: i64 = 16;

/// Questions of one tenant at once. The tenant's evaluation slots bound how many of them run.
const AT_ONCE: usize = 4;

/// Tenants at once. Each holds a page of bodies of up to 64 KiB.
const TENANTS: usize = 64;

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
        let (mut busy, mut work) = (BTreeSet::new(), FuturesUnordered::new());
        while !stop.is_cancelled() {
            // Registered before the look, so that a commit between the look and the wait is not missed.
            let woken = self.wake.notified();
            let room = TENANTS - busy.len();
            match self.store.unshaped_tenants().await {
                Ok(waiting) => {
                    for tenant in
                        waiting.into_iter().filter(|tenant| !busy.contains(tenant)).take(room).collect::<Vec<_>>()
                    {
                        busy.insert(tenant.clone());
                        work.push(self.page(tenant));
                    }
                }
                Err(error) => tracing::error!(error = %error, "the outbox cannot be read; trying again"),
            }
            tokio::select! {
                Some(tenant) = work.next(), if !work.is_empty() => {
                    busy.remove(&tenant);
                    self.shaped.notify_one();
                }
                () = woken => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Shapes a page of a tenant's deliveries, and gives the tenant back. What could not be shaped stays as it is, and the
    /// tenant is busy for a while longer, so that it is not looked at again and again.
    async fn page(&self, tenant: String) -> String {
        let shaped = async {
            let waiting = self.store.unshaped(&tenant, PAGE).await?;
            let mut work =
                futures_util::stream::iter(waiting).map(|delivery| self.shape(delivery)).buffer_unordered(AT_ONCE);
            while let Some(done) = work.next().await {
                done?;
                self.shaped.notify_one();
            }
            store::Result::Ok(())
        };
        if let Err(error) = shaped.await {
            tracing::error!(tenant.id = tenant, error = %error, "callbacks cannot be shaped; trying again");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        tenant
    }

    async fn shape(&self, delivery: Unshaped) -> store::Result<()> {
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
        let chained = self.policies.callback(question, stream.as_ref()).await;
        let place = stream.as_ref().map_or(("", ""), |stream| (stream.app.as_str(), stream.name.as_str()));
        let at = clock::now().0;
        let shaped = self.store.shape_delivery(&delivery, place, &chained.steps, &chained.outcome, at).await?;
        self.policies.to_follow().notify_one();
        Ok(shaped)
    }
}
