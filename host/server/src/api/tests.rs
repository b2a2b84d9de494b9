//! Signed requests through the router, over a real catalogue.

mod ai;
mod client;
mod editing;
mod gateway;
mod live;
mod manage;
mod media;
mod pictures;
mod removing;
mod settings;
mod streams;
mod transcoding;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use reprise_lifecycle::time::Timestamp;

use super::{Context, Settings, router};
use crate::delivery::address::Guard;
use crate::driver;
use crate::ingest::Publishers;
use crate::ingest::control::Control;
use crate::testkit::{World, noon};

/// The API over a catalogue of its own, with the tenants `acme` and `umbrella` and a clock that tests move.
struct Api {
    world: World,
    publishers: Arc<Publishers>,
    router: Router,
    driver: driver::Handle,
    clock: Arc<AtomicI64>,
}

impl Api {
    async fn new() -> Self {
        let world = World::new().await;
        for tenant in ["acme", "umbrella"] {
            world.tenant(tenant).await;
        }
        let clock = Arc::new(AtomicI64::new(noon().0));
        let driver = world.driver().await;
        let publishers = Arc::default();
        let router = serve(&world, &driver, &clock, &publishers);
        Self { world, publishers, router, driver, clock }
    }

    /// The same catalogue after a restart: whatever was only in memory is gone.
    async fn restart(&mut self) {
        self.driver = self.world.driver().await;
        self.publishers = Arc::default();
        self.router = serve(&self.world, &self.driver, &self.clock, &self.publishers);
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::Relaxed))
    }
}

fn serve(world: &World, driver: &driver::Handle, clock: &Arc<AtomicI64>, publishers: &Arc<Publishers>) -> Router {
    let settings = Settings {
        callback_guard: Guard::new(vec!["127.0.0.0/8".parse().unwrap()]),
        ..Settings::new("http://vod.example.org/media")
    };
    let clock = Arc::clone(clock);
    let clock = Arc::new(move || Timestamp(clock.load(Ordering::Relaxed)));
    let control = Control::new(Arc::clone(publishers), driver.clone(), world.store.clone());
    let context = Context::new(world.store.clone(), driver.clone(), clock, settings, control);
    router(Arc::new(context.with_files(Arc::clone(&world.files))))
}
