//! Logs and metrics. Logs go to standard error, one event a line, fields dotted by entity; keys, signatures and
//! tokens are never among them. Metric names are the README's.

use std::io::IsTerminal as _;
use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

use crate::clock;
use crate::config;
use crate::delivery::worker::Counters;
use crate::disk::Disk;
use crate::ingest::Publishers;
use crate::jobs::Jobs;
use crate::policies::Policies;
use crate::store::Store;

/// Starts logging.
///
/// # Errors
/// When the filter cannot be read, or logging was started already.
pub fn start(logs: &config::Logs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&logs.filter)?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for a terminal; there the environment may still switch them off.
    let subscriber = if std::io::stderr().is_terminal() { subscriber } else { subscriber.with_ansi(false) };
    let started = if logs.json { subscriber.json().try_init() } else { subscriber.try_init() };
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}

/// Where the metrics come from.
#[derive(Debug)]
pub struct Metrics {
    /// The catalogue.
    pub store: Store,
    /// The disk.
    pub disk: Arc<Disk>,
    /// The connected publishers.
    pub publishers: Arc<Publishers>,
    /// The delivery worker's counts.
    pub deliveries: Arc<Counters>,
    /// The jobs.
    pub jobs: Arc<Jobs>,
    /// The policies.
    pub policies: Arc<Policies>,
}

impl Metrics {
    /// All metrics as Prometheus reads them.
    ///
    /// # Errors
    /// When the text cannot be written.
    pub async fn text(&self) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix("reprise");
        let gauge = |value: i64| ConstGauge::new(value);
        let publishers = i64::try_from(self.publishers.count()).unwrap_or(i64::MAX);
        registry.register("publishers", "Connected publishers", gauge(publishers));
        let recorded = i64::try_from(self.publishers.recorded()).unwrap_or(i64::MAX);
        registry.register("publishers_recorded", "Connected publishers that are being recorded", gauge(recorded));
        registry.register(
            "recordings_ended_disk_full",
            "Recordings that were ended because the disk was full",
            ConstCounter::new(self.disk.stopped()),
        );
        if let Ok(free) = self.disk.free_bytes() {
            registry.register(
                "disk_free_bytes",
                "Free bytes on the data folder's disk",
                gauge(i64::try_from(free).unwrap_or(i64::MAX)),
            );
        }
        let (running, waiting) = self.jobs.queue().depth();
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        registry.register("jobs_running", "Slots of the job queue in use", gauge(count(running)));
        registry.register("jobs_waiting", "Work that waits for a slot of the job queue", gauge(count(waiting)));
        registry.register(
            "encoded_frames",
            "Pictures encoded for renditions",
            ConstCounter::new(self.jobs.encoded_frames()),
        );
        for (how, count) in self.jobs.reused() {
            let labelled = registry.sub_registry_with_labels([("how".into(), how.into())].into_iter());
            let help = "Renditions that were there already, by what made them";
            labelled.register("renditions_reused", help, ConstCounter::new(count));
        }
        let now = clock::now();
        if let Ok((due, oldest)) = self.store.outbox_depth(now).await {
            let age_ms = oldest.map_or(0, |oldest| now.0.saturating_sub(oldest).max(0));
            registry.register("callbacks_due", "Callbacks that are due and not delivered", gauge(due));
            registry.register(
                "callbacks_oldest_due_seconds",
                "How long the oldest due callback waits",
                ConstGauge::new(age_ms as f64 / 1000.0),
            );
        }
        if let Ok(running) = self.store.unsettled_broadcasts().await {
            let running = i64::try_from(running.len()).unwrap_or(i64::MAX);
            registry.register("broadcasts_unsettled", "Broadcasts in which something may still happen", gauge(running));
        }
        for (outcome, count) in self.deliveries.snapshot() {
            let labels = [("outcome".into(), outcome.into())];
            let labelled = registry.sub_registry_with_labels(labels.into_iter());
            labelled.register("callback_attempts", "Attempts of callbacks by outcome", ConstCounter::new(count));
        }
        self.policies.register(&mut registry);
        self.policies.register_again(&mut registry, now).await;
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}
