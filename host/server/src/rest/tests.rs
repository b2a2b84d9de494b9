//! The API as clients see it, over a real catalogue.

mod access;
mod catalogue;
mod changes;
mod contract;
mod decisions;
mod images;
mod policies;
mod record_configs;
mod resources;
mod tails;
mod tasks;
mod uploads;
mod why;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::Method;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{State, Tails, router};
use crate::config::Config;
use crate::disk::Disk;
use crate::ingest::Publishers;
use crate::ingest::control::Control;
use crate::jobs::progress::Progress;
use crate::policies::Policies;
use crate::policies::backtest::Backtests;
use crate::testkit::{Answered, World, ask};
use crate::watermark::Watermarks;

const ADMIN: &str = "admin-token";

/// A server's API with nothing else around it.
struct Desk {
    world: World,
    publishers: Arc<Publishers>,
    router: Router,
    watermarks: Arc<Watermarks>,
    due: Arc<Notify>,
    progress: Progress,
    stop: CancellationToken,
    tails: Tails,
    /// Bytes that are free on the disk.
    free: Arc<AtomicU64>,
}

impl Desk {
    async fn new() -> Self {
        Self::with("").await
    }

    /// With this laid over the default configuration.
    async fn with(config: &str) -> Self {
        let world = World::new().await;
        let config = Config::parse(config).unwrap();
        let policies = Policies::new(&config.policies, world.store.clone(), Arc::clone(&world.files), [9; 32]).unwrap();
        let policies = Arc::new(policies);
        let backtests =
            Backtests::new(world.store.clone(), Arc::<Policies>::clone(&policies), 1, CancellationToken::new());
        let progress = Progress::default();
        let (watermarks, due) = (Arc::new(Watermarks::default()), Arc::new(Notify::new()));
        let publishers = Arc::default();
        let stop = CancellationToken::new();
        let tails = Tails::new(stop.clone()).stalled_after(Duration::from_millis(300));
        let tails = tails.asked_again_after(Duration::from_millis(20));
        let free = Arc::new(AtomicU64::new(u64::MAX));
        let disk = Arc::clone(&free);
        let router = router(State {
            store: world.store.clone(),
            watermarks: Arc::clone(&watermarks),
            control: Control::new(Arc::clone(&publishers), world.driver().await, world.store.clone()),
            files: Arc::clone(&world.files),
            policies,
            backtests,
            admin_token: SecretString::from(ADMIN),
            public_url: "http://vod.example".to_owned(),
            due: Arc::clone(&due),
            driver: world.driver().await,
            progress: progress.clone(),
            disk: Arc::new(Disk::new(Arc::new(move || Ok(disk.load(Ordering::Relaxed))), &config.limits)),
            tails: tails.clone(),
        });
        Self { world, publishers, router, watermarks, due, progress, stop, tails, free }
    }

    async fn as_token(&self, token: &str, method: Method, path: &str, body: &str) -> Answered {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        ask(&self.router, method, path, &headers, body.to_owned()).await
    }

    async fn get(&self, path: &str) -> Value {
        let answered = self.as_token(ADMIN, Method::GET, path, "").await;
        assert_eq!(answered.status.as_u16(), 200, "{path}: {answered:?}");
        answered.json()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answered = self.as_token(ADMIN, Method::POST, path, &body.to_string()).await;
        (answered.status.as_u16(), answered.json())
    }
}

/// The bearer token of a tenant made by [`World::tenant`].
fn token_of(tenant: &str) -> String {
    format!("AK{tenant}.{tenant}-secret")
}

fn code(answered: &Answered) -> String {
    answered.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}
