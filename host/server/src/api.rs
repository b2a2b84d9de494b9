//! The vendor-compatible RPC API at `/`: Live 2016-11-01 and VOD 2017-03-21, told apart by version, signed with V1
//! or V3.
//!
//! | Module | What it knows |
//! |---|---|
//! | `envelope`, `signature`, `replay` | what a request carries around its parameters, and whether to believe it |
//! | `dispatch` | one request from socket to answer; the order of the checks |
//! | `params`, `reply`, `error`, `times` | the vendor's forms of parameters, answers, errors and times |
//! | `actions` | the table of actions; one small file each |
//! | `template`, `names`, `events`, `urls` | the vendor's words for our things |
//!
//! Vendor names end here: below this module everything is called as in the lifecycle core. It knows nothing of
//! sockets and configuration files; whoever serves it must leave request lines of 64 KiB alone (hyper's default
//! buffer does) and bounds connections and idle time.

mod actions;
mod dispatch;
mod envelope;
pub mod error;
pub mod events;
pub mod names;
pub mod notices;
mod outbox;
mod params;
mod pictures;
mod replay;
mod reply;
mod search;
mod signature;
pub mod template;
pub mod timeline;
pub mod times;
pub mod urls;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use reprise_lifecycle::time::Timestamp;
use tokio::sync::{Mutex, Semaphore};

pub use self::actions::claimed;
pub(crate) use self::actions::version_of;
pub use self::outbox::Outbox;
pub use self::replay::Rate;
use self::urls::MediaUrls;
use crate::delivery::address::Guard;
use crate::driver;
use crate::files::Files;
use crate::ingest::control::Control;
use crate::jobs::progress::Progress;
use crate::store::Store;
use crate::store::tenants::Tenant;

/// Requests in work at once, over all keys; each may hold a mebibyte of body. Beyond it clients are told to come
/// back rather than kept waiting.
const MAX_IN_FLIGHT: usize = 64;

/// Searches at once that run or wait to. They are slow where a library is large, and must leave room for others' requests.
const MAX_SEARCHES: usize = 16;

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the operator decides about this API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The shortest recording cycle a rule may ask for, in seconds; the vendor's floor is 300.
    pub min_cycle_seconds: u32,
    /// The shortest break window, in seconds; the vendor's floor is 15.
    pub min_break_seconds: u32,
    /// Where videos play from, for example `http://vod.example.org/media`.
    pub media_base_url: String,
    /// How often one access key may call.
    pub rate: Rate,
    /// Which addresses callbacks may go to.
    pub callback_guard: Guard,
    /// How far running jobs are.
    pub progress: Progress,
}

impl Settings {
    /// The vendor's floors, with playback under `media_base_url`.
    pub fn new(media_base_url: impl Into<String>) -> Self {
        Self {
            min_cycle_seconds: 300,
            min_break_seconds: 15,
            media_base_url: media_base_url.into(),
            rate: Rate::default(),
            callback_guard: Guard::default(),
            progress: Progress::default(),
        }
    }
}

/// Everything the API works with.
pub struct Context {
    store: Store,
    driver: driver::Handle,
    clock: Clock,
    settings: Settings,
    urls: MediaUrls,
    outbox: Outbox,
    guard: replay::Guard,
    slots: Semaphore,
    searches: Semaphore,
    /// Template groups are read, changed and written whole; two changes at once would lose one.
    groups: Mutex<()>,
    /// Streams and who publishes them.
    control: Control,
    /// Where materials are pinned for productions.
    files: Option<Arc<Files>>,
}

impl Context {
    /// The API over this catalogue; what changes a video goes to the driver.
    pub fn new(store: Store, driver: driver::Handle, clock: Clock, settings: Settings, control: Control) -> Self {
        let urls = MediaUrls::new(&settings.media_base_url);
        let guard = replay::Guard::new(settings.rate);
        Self {
            store,
            driver,
            clock,
            settings,
            urls,
            outbox: Outbox::default(),
            guard,
            slots: Semaphore::new(MAX_IN_FLIGHT),
            searches: Semaphore::new(MAX_SEARCHES),
            groups: Mutex::new(()),
            control,
            files: None,
        }
    }

    /// The same API, which pins what productions need in this data folder.
    #[must_use]
    pub fn with_files(self, files: Arc<Files>) -> Self {
        Self { files: Some(files), ..self }
    }

    /// The same API with receivers that hear of events at once.
    #[must_use]
    pub fn with_outbox(self, outbox: Outbox) -> Self {
        Self { outbox, ..self }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// One request whose signature fits, on behalf of a tenant.
pub struct Call<'a> {
    context: &'a Context,
    tenant: &'a Tenant,
    now: Timestamp,
}

impl Call<'_> {
    fn store(&self) -> &Store {
        &self.context.store
    }

    fn control(&self) -> &Control {
        &self.context.control
    }

    fn files(&self) -> Option<&Arc<Files>> {
        self.context.files.as_ref()
    }

    /// Who writes journals.
    fn driver(&self) -> &driver::Handle {
        &self.context.driver
    }

    fn tenant(&self) -> &str {
        &self.tenant.name
    }
}

/// The API's one path.
pub fn router(context: Arc<Context>) -> Router {
    Router::new().route("/", any(dispatch::handle)).with_state(context)
}

#[cfg(test)]
mod tests;
