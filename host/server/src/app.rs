//! The whole server: `App::load` builds every part in order, `App::run` drives them, and stops them in the order in
//! which nothing is lost.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::analysis::Analyses;
use crate::api::urls::MediaUrls;
use crate::compose::Composer;
use crate::composing::Composing;
use crate::config::Config;
use crate::delivery::address::Guard;
use crate::delivery::client::{Client, ClientConfig};
use crate::delivery::worker::{Worker, WorkerConfig};
use crate::disk::{Disk, FreeSpace};
use crate::driver::{self, Driver};
use crate::edit::produce::Producer;
use crate::files::Files;
use crate::http::{self, Health};
use crate::ingest::control::Control;
use crate::ingest::{self, Asker, Chronicler, Ingest, Publishers};
use crate::jobs::following::{Following, Guess};
use crate::jobs::progress::Progress;
use crate::jobs::{self, Jobs};
use crate::perform::Performer;
use crate::pictures::Pictures;
use crate::playback::{self, Playback};
use crate::policies::Policies;
use crate::policies::backtest::{self, Backtests};
use crate::policies::follower::Follower;
use crate::recorder::Recorders;
use crate::removal::Sweeper;
use crate::room::Room;
use crate::shaper::Shaper;
use crate::store::Store;
use crate::store::seal::Seal;
use crate::telemetry::Metrics;
use crate::watermark::Watermarks;
use crate::{api, clock, compose, listener, notices, rest};

/// Every part, built and bound, not yet running.
pub struct App {
    stop: CancellationToken,
    http: listener::Bound,
    rtmp: listener::Bound,
    router: axum::Router,
    ingest: Ingest,
    driver: Driver,
    following: Option<Following>,
    worker: Worker<Store>,
    shaper: Shaper,
    follower: Follower,
    backtests: Backtests,
    sweeper: Sweeper,
    notices: notices::Sender,
    chronicler: Chronicler,
    store: Store,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("http", &self.http).field("rtmp", &self.rtmp).finish_non_exhaustive()
    }
}

/// Keys of the data folder.
struct Keys {
    admin_token: SecretString,
    master: [u8; 32],
}

impl App {
    /// Checks the configuration, opens the data folder, binds both listeners and brings back what was running.
    ///
    /// # Errors
    /// Whatever keeps the server from starting, in words for the operator.
    pub async fn load(config: &Config, stop: CancellationToken) -> anyhow::Result<Self> {
        Self::load_on(config, stop, free_space).await
    }

    /// [`App::load`] on a disk of which `free` says how much is free.
    async fn load_on(
        config: &Config,
        stop: CancellationToken,
        free: impl FnOnce(&Arc<Files>) -> FreeSpace,
    ) -> anyhow::Result<Self> {
        config.check()?;
        let tools = jobs::tools(&config.jobs)?;
        let http =
            listener::bind(config.http).await.with_context(|| format!("cannot listen on http {}", config.http))?;
        let rtmp =
            listener::bind(config.rtmp).await.with_context(|| format!("cannot listen on rtmp {}", config.rtmp))?;
        let files = Files::open(&config.data)
            .with_context(|| format!("cannot use the data folder {}", config.data.display()))?;
        files.sweep_work().context("cannot sweep the folder of unfinished work")?;
        let files = Arc::new(files);
        let keys = keys(&files)?;
        let store = Store::open(&files.catalogue(), Seal::from_key(derive(&keys.master, "secrets at rest"))).await?;
        let policies = Policies::new(
            &config.policies,
            store.clone(),
            Arc::clone(&files),
            derive(&keys.master, "compiled plugins"),
        )?;
        policies.refresh().await?;
        policies.refresh_rollouts().await?;
        let policies = Arc::new(policies);
        let threads = backtest::threads(config.policies.backtest_threads);
        let backtests = Backtests::new(store.clone(), Arc::<Policies>::clone(&policies), threads, stop.clone());
        let follower = Follower::new(store.clone(), Arc::clone(&policies), Arc::<Policies>::clone(&policies));

        let public_url = public_url(config, http.address());
        let media_base = format!("{public_url}/media");
        let (publishers, watermarks) = (Arc::new(Publishers::default()), Arc::new(Watermarks::default()));
        let (to_shape, to_deliver) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let to_notify = Arc::new(Notify::new());
        let (handle, inbox) = driver::inbox();
        let disk = Arc::new(Disk::new(free(&files), &config.limits));
        let room = Arc::new(Room::new(Arc::clone(&disk)));
        let guess = Guess { store: store.clone(), policies: Arc::clone(&policies) };
        let slots = jobs::following_slots(&config.jobs);
        let following = (slots > 0)
            .then(|| Following::new(Arc::clone(&files), tools.clone(), guess, slots, Arc::clone(&disk), stop.clone()));
        let mut recorders =
            Recorders::new(handle.clone(), Arc::clone(&files), Arc::clone(&watermarks), Arc::clone(&disk));
        if let Some(following) = &following {
            recorders = recorders.watched(Arc::new(following.clone()));
        }
        let progress = Progress::default();
        let workers = config.jobs.workers;
        let jobs =
            Jobs::new(Arc::clone(&files), tools.clone(), store.clone(), workers, progress.clone(), following.clone());
        let jobs = Arc::new(jobs.within(Arc::clone(&room)));
        let queue = jobs.queue();
        let composer = Composer::new(Arc::clone(&files), tools.clone(), jobs::THREADS, queue.clone());
        let composer = Arc::new(composer.within(Arc::clone(&room)));
        let producer =
            Producer::new(store.clone(), Arc::clone(&files), tools.clone(), Arc::clone(&composer), queue.clone());
        let performer = Performer {
            driver: handle.clone(),
            publishers: Arc::clone(&publishers),
            recorders: recorders.clone(),
            policies: Arc::clone(&policies),
            producer: Arc::new(producer.within(room)),
            analyses: Arc::new(Analyses::new(Arc::clone(&files), store.clone(), tools.clone(), queue.clone())),
            composing: Composing::new(Arc::clone(&composer), handle.clone()),
            pictures: Arc::new(Pictures::new(Arc::clone(&files), tools.clone(), queue.clone())),
            files: Arc::clone(&files),
            jobs: Arc::clone(&jobs),
            disk: Arc::clone(&disk),
        };
        let sweeper = Sweeper {
            store: store.clone(),
            files: Arc::clone(&files),
            driver: handle.clone(),
            config: config.storage.clone(),
            decisions: config.policies.retention(),
            changes: config.policies.kept_changes(),
            drop_links: Some(compose::drop_links),
        };
        let context = driver::Context {
            store: store.clone(),
            files: Arc::clone(&files),
            urls: MediaUrls::new(&media_base),
            publishers_per_tenant: config.limits.publishers_per_tenant,
            shapes: Arc::<Policies>::clone(&policies),
            committed: vec![
                Arc::clone(&to_shape),
                Arc::clone(&to_deliver),
                Arc::clone(&to_notify),
                policies.to_follow(),
            ],
        };
        let driver = Driver::load(context, handle.clone(), inbox, Arc::new(performer)).await?;

        let guard = Guard::new(config.callbacks.allow_private.clone());
        let client = Client::new(ClientConfig {
            timeout: Duration::from_millis(config.callbacks.timeout_ms),
            ..ClientConfig::new(config.callbacks.allow_private.clone())
        })?;
        let asker = Asker::new(store.clone(), client.clone());
        let notices = notices::Sender::new(store.clone(), client.clone(), Arc::clone(&to_notify));
        let (chronicle, chronicler) = ingest::chronicle(store.clone(), rtmp.address().ip(), to_notify);
        let worker = Worker::new(
            Arc::new(store.clone()),
            client,
            WorkerConfig::default(),
            Arc::new(clock::now),
            Arc::clone(&to_deliver),
        );
        let health = Health {
            store: store.clone(),
            disk: Arc::clone(&disk),
            metrics: Metrics {
                store: store.clone(),
                disk: Arc::clone(&disk),
                publishers: Arc::clone(&publishers),
                deliveries: worker.counters(),
                jobs,
                policies: Arc::clone(&policies),
            },
            stopping: stop.clone(),
        };
        let settings = api::Settings {
            min_cycle_seconds: config.limits.min_cycle_seconds,
            min_break_seconds: config.limits.min_break_seconds,
            callback_guard: guard,
            progress: progress.clone(),
            ..api::Settings::new(&media_base)
        };
        let outbox = api::Outbox {
            shapes: Some(Arc::<Policies>::clone(&policies)),
            committed: vec![Arc::clone(&to_shape), Arc::clone(&to_deliver)],
        };
        let control = Control::new(Arc::clone(&publishers), handle.clone(), store.clone());
        let vendor = api::Context::new(store.clone(), handle.clone(), Arc::new(clock::now), settings, control.clone())
            .with_outbox(outbox)
            .with_files(Arc::clone(&files));
        let rest = rest::State {
            store: store.clone(),
            watermarks: Arc::clone(&watermarks),
            control,
            files: Arc::clone(&files),
            policies: Arc::clone(&policies),
            backtests: backtests.clone(),
            admin_token: keys.admin_token,
            public_url: public_url.clone(),
            due: Arc::clone(&to_deliver),
            driver: handle.clone(),
            progress,
            disk: Arc::clone(&disk),
            tails: rest::Tails::new(stop.clone()),
        };
        let playback = Playback::new(store.clone(), Arc::clone(&files), &public_url, clock::now);
        let router = http::health(Arc::new(health))
            .merge(api::router(Arc::new(vendor)))
            .merge(rest::router(rest))
            .merge(playback::router(Arc::new(playback)));
        let ingest = Ingest {
            store: store.clone(),
            driver: handle,
            disk,
            recorders,
            publishers,
            asker,
            chronicle,
            limits: config.limits.clone(),
        };
        let shaper = Shaper { store: store.clone(), policies, wake: to_shape, shaped: to_deliver };
        // Last, because each time counts: what keeps this server from starting must not use them up.
        backtests.recover().await?;
        Ok(Self {
            stop,
            http,
            rtmp,
            router,
            ingest,
            driver,
            following,
            worker,
            shaper,
            follower,
            backtests,
            sweeper,
            notices,
            chronicler,
            store,
        })
    }

    /// The HTTP address.
    pub fn http(&self) -> SocketAddr {
        self.http.address()
    }

    /// The RTMP address.
    pub fn rtmp(&self) -> SocketAddr {
        self.rtmp.address()
    }

    /// Serves until the stop token is set, then stops: publishers first, so that what they sent is recorded; then the
    /// driver, which takes the last inputs; then callbacks and requests; then the catalogue.
    pub async fn run(self) {
        let (left, drained, delivered) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let http = tokio::spawn(http::run(self.http, self.router, delivered.clone()));
        let chronicler = tokio::spawn(self.chronicler.run(left.clone()));
        let notices = tokio::spawn(self.notices.run(delivered.clone()));
        let (disk, publishers) = (Arc::clone(&self.ingest.disk), Arc::clone(&self.ingest.publishers));
        let stop = self.stop.clone();
        let disk = tokio::spawn(async move { disk.watch(&publishers, stop).await });
        let rtmp = tokio::spawn(ingest::run(self.rtmp, self.ingest, self.stop.clone()));
        let driver = tokio::spawn(self.driver.run(drained.clone()));
        let sweeper = tokio::spawn(self.sweeper.run(self.stop.clone()));
        let shaper = tokio::spawn(self.shaper.run(delivered.clone()));
        let follower = tokio::spawn(self.follower.run(delivered.clone()));
        let worker = tokio::spawn(self.worker.run(delivered.clone()));
        self.stop.cancelled().await;
        tracing::info!("stopping");
        wait("ingest", rtmp).await;
        left.cancel();
        wait("sweeper", sweeper).await;
        wait("disk", disk).await;
        wait("chronicle", chronicler).await;
        drained.cancel();
        wait("driver", driver).await;
        if let Some(following) = self.following {
            following.ended().await;
        }
        delivered.cancel();
        wait("shaper", shaper).await;
        wait("follower", follower).await;
        self.backtests.ended().await;
        wait("callbacks", worker).await;
        wait("notices", notices).await;
        wait("http", http).await;
        self.store.close().await;
    }
}

fn free_space(files: &Arc<Files>) -> FreeSpace {
    let files = Arc::clone(files);
    Arc::new(move || files.free_bytes())
}

async fn wait(part: &str, task: tokio::task::JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(part, error = %error, "a part of the server ended by a panic");
    }
}

fn keys(files: &Files) -> anyhow::Result<Keys> {
    let random = || {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(hex::encode(bytes))
    };
    let token = files.secret("admin-token", random).context("cannot read or make the admin token")?;
    let master = files.secret("master-key", random).context("cannot read or make the master key")?;
    let master = hex::decode(master).ok().and_then(|bytes| bytes.try_into().ok());
    let master = master.context("the data folder's `master-key` is not 64 hex characters; restore it from a backup")?;
    Ok(Keys { admin_token: SecretString::from(token), master })
}

/// A key for one purpose, so that no two uses share one.
fn derive(master: &[u8; 32], purpose: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(master);
    hash.update(purpose.as_bytes());
    hash.finalize().into()
}

fn public_url(config: &Config, http: SocketAddr) -> String {
    if config.public_url.is_empty() {
        format!("http://{http}")
    } else {
        config.public_url.trim_end_matches('/').to_owned()
    }
}

/// Writes the ready file, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write_ready_file(path: &Path, http: SocketAddr, rtmp: SocketAddr) -> anyhow::Result<()> {
    let text = serde_json::json!({
        "http": http.to_string(),
        "rtmp": rtmp.to_string(),
        "pid": std::process::id(),
    });
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text.to_string())
        .and_then(|()| std::fs::rename(&fresh, path))
        .with_context(|| format!("cannot write the ready file {}", path.display()))
}

#[cfg(test)]
mod tests;
