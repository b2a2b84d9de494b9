//! What an operator can do to streams: send a publisher away, forbid a stream, and order its recording.

use std::sync::Arc;
use std::time::Duration;

use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::record::{EndCause, RecordRules};
use reprise_lifecycle::time::Timestamp;
use tokio::time::timeout;

use super::authorise::rules;
use super::publishers::{Kick, Order, OrderRefused, Publisher, Publishers};
use crate::driver::Handle;
use crate::store::tenants::Tenant;
use crate::store::{self, Store};

/// How long a connection may take to carry something out. It may be waiting for a slow disk or a slow peer.
const WITHIN: Duration = Duration::from_secs(15);

/// Controls streams.
#[derive(Clone, Debug)]
pub struct Control {
    publishers: Arc<Publishers>,
    driver: Handle,
    store: Store,
}

/// What is ordered, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Record now.
    Start,
    /// Record no more; the break window runs.
    Stop,
    /// End the wait for the break window.
    EndBreak,
    /// End the recording and begin a new one.
    Restart,
}

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The stream has no publisher.
    #[error("the stream is not online")]
    Offline,
    /// No rule covers the stream.
    #[error("no record config covers the stream")]
    NoRule,
    /// There are as many bans as there may be.
    #[error("the tenant has as many forbidden streams as it may have")]
    TooManyBans,
    /// The connection refuses.
    #[error(transparent)]
    Order(#[from] OrderRefused),
    /// The catalogue failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Control {
    /// Controls these.
    pub fn new(publishers: Arc<Publishers>, driver: Handle, store: Store) -> Self {
        Self { publishers, driver, store }
    }

    /// Who is publishing.
    pub fn publishers(&self) -> &Publishers {
        &self.publishers
    }

    /// Sends a stream's publisher away; the break window runs. Says whether there was one.
    pub async fn kick(&self, stream: &StreamKey) -> bool {
        let Some(publisher) = self.publishers.publisher(stream) else { return false };
        publisher.kick(Kick::Once);
        gone(&publisher).await;
        true
    }

    /// Sends a stream's publisher away, lets nobody push it until a time, and ends its broadcast at once. Says whether
    /// there was a publisher.
    ///
    /// # Errors
    /// When there are too many bans, or the catalogue fails.
    pub async fn forbid(
        &self,
        tenant: &str,
        stream: &StreamKey,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Refused> {
        // A publisher that enters from here on sees the ban; one that is in already is found below.
        if !self.store.ban_stream(tenant, stream, until, now).await? {
            return Err(Refused::TooManyBans);
        }
        let publisher = self.publishers.publisher(stream);
        if let Some(publisher) = &publisher {
            publisher.kick(Kick::Forbidden);
            gone(publisher).await;
        }
        // Also when nobody is connected: the break window of one that was would still run.
        if let Some(broadcast) = self.driver.current(stream).await {
            let ended = self.driver.end(&broadcast, EndCause::Forbidden).await;
            ended.map_err(|error| OrderRefused::Failed(error.to_string()))?;
        }
        Ok(publisher.is_some())
    }

    /// Orders a stream's recording.
    ///
    /// # Errors
    /// When it has no publisher or no rule, or when the order does not go with what is being recorded.
    pub async fn command(&self, tenant: &Tenant, stream: &StreamKey, command: Command) -> Result<(), Refused> {
        let publisher = self.publishers.publisher(stream).ok_or(Refused::Offline)?;
        let config = self.store.record_config_for(&tenant.name, &tenant.play_domain, &stream.app, &stream.name).await?;
        let config = config.ok_or(Refused::NoRule)?;
        let settings = self.store.record_settings(&tenant.name, &config).await?;
        let rules: RecordRules = rules(&config, settings);
        let order = match command {
            Command::Start => Order::Start(Box::new(rules)),
            Command::Stop => Order::Stop,
            Command::EndBreak => Order::EndBreak,
            Command::Restart => Order::Restart(Box::new(rules)),
        };
        match timeout(WITHIN, publisher.order(order)).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(OrderRefused::Failed("the connection did not carry it out in time".to_owned()).into()),
        }
    }
}

/// Waits until a publisher's leave is recorded. One that takes too long leaves all the same.
async fn gone(publisher: &Publisher) {
    if timeout(WITHIN, publisher.gone()).await.is_err() {
        tracing::warn!(stream.name = publisher.who.stream.name, "a publisher that was sent away takes long to leave");
    }
}
