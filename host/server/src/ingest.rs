//! Ingest: the RTMP listener, one pump for each connection, and the question whether a publisher may publish and is
//! recorded. It moves bytes between sockets, the pure session and the recorder; it decides nothing about media and
//! writes no file.
//!
//! | Module | What it knows |
//! |---|---|
//! | `listener`, `connection` | sockets, deadlines, one pump for each connection |
//! | `authorise` | whether a publisher is accepted, and how its recording begins |
//! | `publishers` | everybody who is accepted, by stream; how a word reaches a connection |
//! | `gate`, `ask` | whether a connection's media goes to a recorder now |
//! | `meter` | codecs and rates of passing media; headers for a recording that begins later |
//! | `control` | what an operator can do to streams |
//! | `chronicle` | who published when, and who is told |

mod ask;
mod authorise;
mod chronicle;
mod connection;
pub mod control;
mod gate;
mod listener;
pub mod meter;
pub mod publishers;

use std::sync::Arc;

pub use self::ask::Asker;
pub use self::chronicle::{Chronicle, Chronicler, chronicle};
pub use self::listener::run;
pub use self::publishers::{Kick, Publishers};
use crate::config;
use crate::disk::Disk;
use crate::driver;
use crate::recorder::Recorders;
use crate::store::Store;

/// What every connection needs.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// The catalogue: tenants, domains, record configs.
    pub store: Store,
    /// Gives a publisher its place in a broadcast.
    pub driver: driver::Handle,
    /// The disk, for its reserve.
    pub disk: Arc<Disk>,
    /// Writes what publishers send.
    pub recorders: Recorders,
    /// The connected publishers, so that one can be sent away.
    pub publishers: Arc<Publishers>,
    /// Asks whether a stream is recorded, where the rule says so.
    pub asker: Asker,
    /// Hears who publishes.
    pub chronicle: Chronicle,
    /// Limits on strangers.
    pub limits: config::Limits,
}
