//! The question whether a stream is recorded, put to whoever the tenant named. Losing a show is worse than recording
//! one too many: whatever is not a clear no means yes.

use std::sync::Arc;

use reprise_lifecycle::delivery::Outcome;
use reprise_lifecycle::question::StreamKey;
use tokio::sync::Semaphore;

use crate::api::notices::{record_answer, record_question};
use crate::clock;
use crate::delivery::client::Client;
use crate::delivery::notice::{Content, Name, Notice};
use crate::store::Store;

/// Questions at once. Each may hold a thread for its lookup; one that finds no room is answered by the default.
const AT_ONCE: usize = 64;

/// Asks.
#[derive(Clone)]
pub struct Asker {
    store: Store,
    client: Client,
    slots: Arc<Semaphore>,
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asker")
    }
}

/// What is asked about.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) tenant: String,
    pub(super) play_domain: String,
    pub(super) stream: StreamKey,
    /// `h264` or `h265`, if there is a picture.
    pub(super) codec: Option<&'static str>,
    pub(super) video_kbps: u64,
}

impl Asker {
    /// Asks through this client, which bounds time and addresses.
    pub fn new(store: Store, client: Client) -> Self {
        Self { store, client, slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Whether to record.
    pub(super) async fn ask(self, question: Question) -> bool {
        let stream = &question.stream;
        let config = match self.store.record_notify(&question.tenant, &question.play_domain).await {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(error = %error, "who decides about a recording cannot be read; it is recorded");
                return true;
            }
        };
        let Some(config) = config.filter(|config| !config.on_demand_url.is_empty()) else {
            tracing::warn!(
                tenant.id = question.tenant,
                stream.app = stream.app,
                stream.name = stream.name,
                "nobody is named who decides whether to record: nothing is recorded"
            );
            return false;
        };
        let query =
            record_question(&question.play_domain, &stream.app, &stream.name, question.codec, question.video_kbps);
        let content = Content::Query(query);
        let key = config.auth_key.as_ref().filter(|_| config.auth);
        let notice = Notice { url: &config.on_demand_url, content: &content, name: Name::OfReceiver, key };
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            tracing::warn!(tenant.id = question.tenant, "too many questions whether to record; it is recorded");
            return true;
        };
        let now = clock::now();
        let make = |target: &_| notice.request(target, now);
        let exchange = self.client.send_made(&notice.full_url(), make, now, Arc::new(slot)).await;
        let answer = match (&exchange.outcome, &exchange.answer) {
            (Outcome::Status { code: 200, .. }, Some(answer)) => record_answer(&answer.excerpt()),
            _ => None,
        };
        tracing::info!(
            tenant.id = question.tenant,
            stream.app = stream.app,
            stream.name = stream.name,
            outcome = exchange.outcome.kind(),
            ?answer,
            "asked whether to record"
        );
        answer.unwrap_or(true)
    }
}
