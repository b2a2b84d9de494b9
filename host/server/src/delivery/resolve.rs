//! Names to addresses by the system's resolver. It judges nothing: every answer goes through the guard.

use std::any::Any;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

/// Kept alive as long as anything of an attempt is. The system's resolver cannot be interrupted: a lookup whose
/// attempt has timed out still holds a thread, so it holds the attempt's slot too, and names that never resolve
/// cannot pile up threads beyond the limits on what is in flight.
pub type Hold = Arc<dyn Any + Send + Sync>;

/// How names are resolved.
#[derive(Clone, Debug)]
pub enum Resolver {
    /// As every other program on this machine does it.
    System,
    /// From a table, so that tests can play a name server that lies.
    #[cfg(test)]
    Table(std::collections::BTreeMap<String, Vec<std::net::IpAddr>>),
}

impl Resolver {
    /// All addresses of a name.
    pub async fn resolve(&self, name: &str, port: u16, hold: Hold) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => {
                let name = name.to_owned();
                let lookup = move || {
                    let _held = hold;
                    (name.as_str(), port).to_socket_addrs().map(Vec::from_iter)
                };
                tokio::task::spawn_blocking(lookup).await.map_err(io::Error::other)?
            }
            #[cfg(test)]
            Self::Table(table) => {
                let addresses = table.get(name).ok_or(io::ErrorKind::NotFound)?;
                Ok(addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect())
            }
        }
    }
}
