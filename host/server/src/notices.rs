//! Notices of the Live side on their way out: what is due is sent, tried a few times, and kept with how it went. The
//! store is the only truth; what is in flight lives in memory and is sent again after a crash.
//!
//! Notices about streams are worth little when they are late, so they are tried as the vendor does, a second apart,
//! and one stream's go out in their order. Notices about recordings are tried for an hour.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reprise_lifecycle::delivery::Outcome;
use reprise_lifecycle::time::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::delivery::client::Client;
use crate::delivery::notice::{Content, Name, Notice};
use crate::store::Store;
use crate::store::live_notices::{DueNotice, Side, Tried};

/// Requests in flight; each may hold a connection and a lookup for the client's time limit.
const AT_ONCE: usize = 32;

/// Of these for one tenant, so that its dead receiver does not hold them all.
const PER_TENANT: usize = 4;

/// Waits between tries of a notice about a stream: five more, a second apart, as the vendor.
const STREAM_WAITS_S: [i64; 5] = [1; 5];

/// Waits between tries of a notice about a recording.
const RECORD_WAITS_S: [i64; 8] = [1, 2, 5, 30, 120, 300, 900, 2400];

/// A look without a wake-up: news of streams comes without one, and the clock may be set.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often old notices and publishes are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// How much of an answer and of an error is kept.
const KEPT_BYTES: usize = 512;

/// Sends notices.
pub struct Sender {
    store: Store,
    client: Client,
    wake: Arc<Notify>,
    in_flight: BTreeSet<i64>,
    tenants: BTreeMap<String, usize>,
    sending: JoinSet<(i64, String)>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("in_flight", &self.in_flight.len()).finish_non_exhaustive()
    }
}

impl Sender {
    /// A sender that has not begun. `wake` is rung after commits that may have made a notice.
    pub fn new(store: Store, client: Client, wake: Arc<Notify>) -> Self {
        Self { store, client, wake, in_flight: BTreeSet::new(), tenants: BTreeMap::new(), sending: JoinSet::new() }
    }

    /// Sends until told to stop, then lets what is in flight end.
    pub async fn run(mut self, stop: CancellationToken) {
        let wake = Arc::clone(&self.wake);
        let mut swept: Option<tokio::time::Instant> = None;
        while !stop.is_cancelled() {
            let woken = wake.notified();
            if swept.is_none_or(|swept| swept.elapsed() >= SWEEP_EVERY) {
                self.sweep().await;
                swept = Some(tokio::time::Instant::now());
            }
            if let Err(error) = self.look().await {
                tracing::error!(error = %error, "the notices that are due cannot be read; trying again");
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = stop.cancelled() => {}
                Some(ended) = self.sending.join_next() => self.ended(ended),
            }
        }
        while let Some(ended) = self.sending.join_next().await {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<(i64, String), tokio::task::JoinError>) {
        match ended {
            Ok((id, tenant)) => {
                self.in_flight.remove(&id);
                if let Some(count) = self.tenants.get_mut(&tenant) {
                    *count -= 1;
                    if *count == 0 {
                        self.tenants.remove(&tenant);
                    }
                }
            }
            // It stays in flight in our books, so that a bug is not met in a tight loop.
            Err(error) => tracing::error!(error = %error, "a notice ended by a panic"),
        }
    }

    async fn look(&mut self) -> crate::store::Result<()> {
        if self.in_flight.len() >= AT_ONCE {
            return Ok(());
        }
        for due in self.store.due_notices(clock::now()).await? {
            let of_tenant = self.tenants.get(&due.tenant).copied().unwrap_or(0);
            if self.in_flight.len() >= AT_ONCE {
                break;
            }
            if of_tenant >= PER_TENANT || !self.in_flight.insert(due.id) {
                continue;
            }
            self.tenants.insert(due.tenant.clone(), of_tenant + 1);
            let (store, client) = (self.store.clone(), self.client.clone());
            self.sending.spawn(async move {
                let tried = send(&client, &due).await;
                if let Err(error) = store.notice_tried(due.id, &tried).await {
                    tracing::error!(error = %error, "how a notice went was not noted; it is sent again");
                }
                (due.id, due.tenant)
            });
        }
        Ok(())
    }

    async fn sweep(&self) {
        let now = clock::now();
        let swept = async {
            self.store.forget_notices(now).await?;
            self.store.forget_publishes(now).await
        };
        if let Err(error) = swept.await {
            tracing::error!(error = %error, "old notices were not forgotten");
        }
    }
}

async fn send(client: &Client, due: &DueNotice) -> Tried {
    let (content, name) = match due.side {
        Side::Stream => (Content::Query(due.content.clone()), Name::Given(&due.domain)),
        Side::Record => (Content::Body(due.content.clone()), Name::OfReceiver),
    };
    let notice = Notice { url: &due.url, content: &content, name, key: due.auth_key.as_ref() };
    let now = clock::now();
    let mut headers = String::new();
    let make = |target: &_| {
        let request = notice.request(target, now)?;
        headers = told(request.headers());
        Ok(request)
    };
    let exchange = client.send_made(&notice.full_url(), make, now, Arc::new(())).await;
    let delivered = matches!(exchange.outcome, Outcome::Status { code: 200, .. });
    let after = clock::now();
    let detail = match (&exchange.outcome, exchange.detail) {
        _ if delivered => String::new(),
        (Outcome::Status { code, .. }, _) => format!("the receiver answered {code}"),
        (outcome, Some(detail)) => format!("{}: {detail}", outcome.kind()),
        (outcome, None) => outcome.kind().to_owned(),
    };
    Tried {
        at: now,
        delivered,
        again_at: (!delivered).then(|| again_at(due.side, due.attempts, after)).flatten(),
        headers,
        response: kept(exchange.answer.map(|answer| answer.excerpt()).unwrap_or_default()),
        detail: kept(detail),
    }
}

/// The signature's headers as listings show them to the key's owner.
fn told(headers: &http::HeaderMap) -> String {
    let shown = headers.iter().filter(|(name, _)| name.as_str().starts_with("ali-live-"));
    let shown = shown.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default()));
    shown.collect::<Vec<_>>().join("; ")
}

/// When a notice is tried again that was tried `before` times and now once more.
fn again_at(side: Side, before: i64, now: Timestamp) -> Option<Timestamp> {
    let waits: &[i64] = match side {
        Side::Stream => &STREAM_WAITS_S,
        Side::Record => &RECORD_WAITS_S,
    };
    let wait = waits.get(usize::try_from(before).ok()?)?;
    Some(now.plus_ms(wait * 1000))
}

fn kept(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(KEPT_BYTES));
    text
}

#[cfg(test)]
mod tests;
