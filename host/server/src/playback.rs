//! Playback under `/media/`: sources, renditions and pictures, over HTTP.
//!
//! | Path | What |
//! |---|---|
//! | `{video}/source.mp4` | the recording, with times from zero |
//! | `{video}/source.m3u8` | the recording as HLS: byte ranges of `source.mp4`, or of the parts of a fresh compose |
//! | `{video}/parts/{file}` | a part that a composed video is linked to |
//! | `{video}/index.m3u8` | a master playlist over the HLS renditions; the source's playlist while there are none |
//! | `{video}/player.html` | a plain page that plays the best of these |
//! | `{video}/{job}/{file}` | files of a rendition or of a series of pictures |
//!
//! The catalogue says what exists; a file without a committed record is not served, and what is served under a name
//! never changes. Whether a viewer may look is the tenant's switch: with URL authentication on, every request carries
//! a signature over its own path, and playlists hand the same life on to what they name.
//!
//! It knows neither how media came to be nor policies. Whoever serves it must merge it at the root (signatures are
//! over the whole path) and bounds connections and idle time.

mod auth;
mod cache;
mod captions;
mod error;
mod file;
mod linked;
mod master;
mod names;
mod page;
mod playlist;
mod range;
mod router;
mod source;
mod zero_based;

use std::sync::Arc;

use reprise_lifecycle::time::Timestamp;
use reprise_media::fmp4::ZeroBased;
use tokio::sync::Semaphore;

use self::cache::Cache;
use self::master::Rendition;
pub use self::router::router;
use crate::files::Files;
use crate::store::Store;

/// Files open for viewers at once. The usual limit of descriptors is 1024, and recorders, the catalogue and encoders
/// come first: a viewer is told to come back.
const MAX_OPEN_FILES: usize = 512;

/// Recordings read at once to describe them. Each reads an index, or walks all fragments of a file that lost its one.
const MAX_BUILDING: usize = 4;

/// Descriptions kept; one is some kilobytes for a part of minutes.
const CACHED: usize = 256;

/// What playback works with.
pub struct Playback {
    store: Store,
    files: Arc<Files>,
    /// The path of the public URL, for servers behind a proxy that takes a prefix away. Empty at the root.
    public_path: String,
    now: fn() -> Timestamp,
    open_files: Arc<Semaphore>,
    building: Semaphore,
    /// Source playlists, unsigned, by video.
    sources: Cache<Arc<str>>,
    /// How sources are moved to begin at zero, by video and size; nothing for those that do.
    zero_based: Cache<Option<Arc<ZeroBased>>>,
    /// What a master playlist says of a rendition, by job.
    renditions: Cache<Arc<Rendition>>,
}

impl Playback {
    /// Playback of this catalogue's videos. `public_url` is what viewers' URLs begin with, before `/media`.
    pub fn new(store: Store, files: Arc<Files>, public_url: &str, now: fn() -> Timestamp) -> Self {
        Self {
            store,
            files,
            public_path: path_of(public_url).to_owned(),
            now,
            open_files: Arc::new(Semaphore::new(MAX_OPEN_FILES)),
            building: Semaphore::new(MAX_BUILDING),
            sources: Cache::new(CACHED),
            zero_based: Cache::new(CACHED),
            renditions: Cache::new(CACHED),
        }
    }
}

impl std::fmt::Debug for Playback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playback").finish_non_exhaustive()
    }
}

/// The path of a URL, without a slash at its end.
fn path_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find('/').map_or("", |at| &url[host + at..]);
    path.trim_end_matches('/')
}

#[cfg(test)]
mod tests;
