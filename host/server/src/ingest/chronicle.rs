//! The chronicle of publishes: who published when, and the word to the tenant's receiver that a stream is on or off.
//! Connections drop their news here and go on; one task writes them down in order.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reprise_lifecycle::time::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::api::notices;
use crate::clock;
use crate::store::live_publishes::Publish;
use crate::store::{self, Store};

/// News that waits. A catalogue that does not keep up makes publishers wait at their begin and end, never between.
const NEWS: usize = 1024;

/// After the catalogue failed.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// One piece of news.
#[derive(Clone, Debug)]
enum News {
    Began(Publish),
    /// It is still there, and this is its picture.
    Lives(Publish, Option<(u16, u16)>),
    Ended(Publish, Timestamp),
}

/// Takes news.
#[derive(Clone, Debug)]
pub struct Chronicle(mpsc::Sender<News>);

/// Writes them down.
#[derive(Debug)]
pub struct Chronicler {
    store: Store,
    /// Our address, as receivers are told.
    node: String,
    news: mpsc::Receiver<News>,
    /// Rung when there may be a notice to send.
    wake: Arc<Notify>,
}

/// A chronicle and who writes it. `node` is the address that encoders push to.
pub fn chronicle(store: Store, node: IpAddr, wake: Arc<Notify>) -> (Chronicle, Chronicler) {
    let (sender, news) = mpsc::channel(NEWS);
    (Chronicle(sender), Chronicler { store, node: node.to_string(), news, wake })
}

impl Chronicle {
    pub(super) async fn began(&self, publish: &Publish) {
        let _ = self.0.send(News::Began(publish.clone())).await;
    }

    /// Says whether the news was taken; a publisher that is being recorded does not wait.
    pub(super) fn lives(&self, publish: &Publish, picture: Option<(u16, u16)>) -> bool {
        self.0.try_send(News::Lives(publish.clone(), picture)).is_ok()
    }

    pub(super) async fn ended(&self, publish: &Publish) {
        let _ = self.0.send(News::Ended(publish.clone(), clock::now())).await;
    }
}

impl Chronicler {
    /// Writes until `stop`, then what is here already, with one try for each piece of news. Publishes that are not
    /// written down as ended by then are so at the next start: it closes those of an earlier run first.
    pub async fn run(mut self, stop: CancellationToken) {
        if let Err(error) = self.close_old().await {
            tracing::error!(error = %error, "the publishes of the last run were not closed");
        }
        loop {
            let news = tokio::select! {
                biased;
                news = self.news.recv() => news,
                // A connection that does not end must not keep the server from stopping.
                () = stop.cancelled(), if !self.news.is_closed() => {
                    self.news.close();
                    continue;
                }
            };
            let Some(news) = news else { return };
            while let Err(error) = self.write(&news).await {
                tracing::error!(error = %error, "a publish was not written down");
                tokio::select! {
                    () = tokio::time::sleep(TRY_AGAIN) => {}
                    () = stop.cancelled() => break,
                }
            }
            self.wake.notify_one();
        }
    }

    async fn close_old(&self) -> store::Result<()> {
        for publish in self.store.open_publishes().await? {
            let now = clock::now();
            self.store.publish_ended(&publish.id, &notices::unpublished(&publish, &self.node, now.0)).await?;
        }
        Ok(())
    }

    async fn write(&self, news: &News) -> store::Result<()> {
        match news {
            News::Began(publish) => self.store.publish_began(publish).await,
            News::Lives(publish, picture) => {
                let notice = notices::published(publish, *picture, &self.node, clock::now().0);
                self.store.publish_announced(&publish.id, &notice).await
            }
            News::Ended(publish, at) => {
                self.store.publish_ended(&publish.id, &notices::unpublished(publish, &self.node, at.0)).await
            }
        }
    }
}
