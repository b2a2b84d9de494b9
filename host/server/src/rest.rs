//! The native REST API under `/v1`: what the vendor's API has no words for. Tenants, broadcasts as they are recorded,
//! videos, decisions and why they came out so, events and their deliveries, plugins.
//!
//! | Module | What it knows |
//! |---|---|
//! | `auth` | whose token a request carries, and which tenant it may touch; every path is refused until shown allowed |
//! | `error` | the one form of errors and their status codes |
//! | `extract`, `form` | requests in and values out: paths, queries, bodies, times, limits |
//! | one file per resource | its routes, its shapes and what they come from |
//! | `document` | the OpenAPI document, generated from the handlers; the checked-in `openapi.json` is its review |
//!
//! Handlers get their tenant from `auth` and never from the path, so that none can touch another's things. It knows
//! no SQL, no media and nothing of the vendor's names.

mod auth;
mod backtests;
mod bindings;
mod broadcasts;
mod changes;
mod components;
mod decisions;
mod deliveries;
mod differences;
mod document;
mod error;
mod events;
mod extract;
mod form;
mod gaps;
mod images;
mod limits;
mod names;
mod plugins;
mod quotas;
mod record_configs;
mod rollouts;
mod settings;
mod signing;
mod state;
mod streams;
mod tasks;
mod tenants;
mod trials;
mod versions;
mod videos;
mod why;

use std::sync::Arc;
use std::time::Duration;

use axum::{Router, middleware};
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::error::Error;
use crate::api::urls::MediaUrls;
use crate::disk::Disk;
use crate::driver;
use crate::files::Files;
use crate::ingest::control::Control;
use crate::jobs::progress::Progress;
use crate::policies::Policies;
use crate::policies::backtest::Backtests;
use crate::policies::fair::{Fair, Size, Turn};
use crate::store::Store;
use crate::watermark::Watermarks;

/// Bodies of all requests but uploads: the largest is a few short fields.
const BODY_BYTES: usize = 64 * 1024;

/// Images that are taken at once; each is held whole, 16 MiB at most. Here as below, who waits holds a connection.
const IMAGES: Size = Size { turns: 8, each: 2, waiting: 8 };

/// Components that are written to the disk as they come, and pushes with small bodies; each holds some hundred kilobytes.
const COMPONENTS: Size = Size { turns: 64, each: 4, waiting: 8 };

/// Pushes with large bodies, 4 MiB at most, which are held until what came in them was compiled: the queue for that is
/// bounded for each tenant, but not for all.
const PUSHES: Size = Size { turns: 32, each: 2, waiting: 8 };

/// How long an upload may wait for its place, before anything of its body is read.
const PLACE_WITHIN: Duration = Duration::from_secs(10);

/// What the API works with.
pub struct State {
    /// The catalogue.
    pub store: Store,
    /// How far each running broadcast is durable.
    pub watermarks: Arc<Watermarks>,
    /// Streams and who publishes them.
    pub control: Control,
    /// Keeps images.
    pub files: Arc<Files>,
    /// Accepts and binds plugins.
    pub policies: Arc<Policies>,
    /// Puts recorded questions again.
    pub backtests: Backtests,
    /// The token that may do everything.
    pub admin_token: SecretString,
    /// What URLs begin with, before `/media`.
    pub public_url: String,
    /// Rung when deliveries were made due again.
    pub due: Arc<Notify>,
    /// Takes what tenants ask for.
    pub driver: driver::Handle,
    /// How far running jobs are.
    pub progress: Progress,
    /// Says whether there is room for what is uploaded.
    pub disk: Arc<Disk>,
    /// Who listens to decisions.
    pub tails: Tails,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

/// [`State`] as handlers use it.
struct Shared {
    store: Store,
    watermarks: Arc<Watermarks>,
    control: Control,
    files: Arc<Files>,
    policies: Arc<Policies>,
    backtests: Backtests,
    admin_token: SecretString,
    urls: MediaUrls,
    due: Arc<Notify>,
    driver: driver::Handle,
    progress: Progress,
    disk: Arc<Disk>,
    tails: Tails,
    images: Fair,
    components: Fair,
    pushes: Fair,
}

impl Shared {
    /// Whether there is room on the disk for uploads.
    fn check_disk(&self) -> Result<(), Error> {
        let full = "the server's disk is nearly full; try again when its operator has made room";
        self.disk.check().map_err(|_| Error::Busy(full.to_owned()))
    }
}

/// A tenant's place among these for an upload, in its turn.
async fn upload_place(places: &Fair, tenant: &str) -> Result<Turn, Error> {
    let place = places.acquire(tenant, Instant::now() + PLACE_WITHIN).await;
    place.map_err(|why| Error::no_turn(why, &format_args!("the upload cannot be taken now: {why}")))
}

/// All routes under `/v1`, to be merged at the root.
pub fn router(state: State) -> Router {
    let shared = Arc::new(Shared {
        urls: MediaUrls::new(&format!("{}/media", state.public_url.trim_end_matches('/'))),
        store: state.store,
        watermarks: state.watermarks,
        control: state.control,
        files: state.files,
        policies: state.policies,
        backtests: state.backtests,
        admin_token: state.admin_token,
        due: state.due,
        driver: state.driver,
        progress: state.progress,
        disk: state.disk,
        tails: state.tails,
        images: Fair::new(IMAGES),
        components: Fair::new(COMPONENTS),
        pushes: Fair::new(PUSHES),
    });
    let (routes, _) = document::routes().split_for_parts();
    routes
        .route("/v1/{*anything}", axum::routing::any(async || Error::NotFound("path")))
        .method_not_allowed_fallback(async || Error::Method)
        .layer(extract::body_limit(BODY_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), auth::guard))
        .with_state(shared)
}

pub use self::decisions::tail::Tails;
pub use self::document::document;

#[cfg(test)]
mod tests;
