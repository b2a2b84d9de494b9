//! Ingest: the RTMP listener, one pump for each connection, and the question whether a publisher may record. It
//! moves bytes between sockets, the pure session and the recorder; it decides nothing about media and writes no
//! file.

mod authorise;
mod connection;
mod listener;
mod publishers;

use std::sync::Arc;

pub use self::listener::{Bound, bind};
pub use self::publishers::Publishers;
use crate::config;
use crate::driver;
use crate::files::Files;
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
    pub files: Arc<Files>,
    /// Writes what publishers send.
    pub recorders: Recorders,
    /// The connected publishers, so that one can be sent away.
    pub publishers: Arc<Publishers>,
    /// Limits on strangers.
    pub limits: config::Limits,
}
