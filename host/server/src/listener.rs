//! A listening socket, bound before anything is served: what is taken already is found at the start. What is spoken on
//! its connections is not known here.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// How long a failed accept (usually: too many open files) waits, so that it does not spin.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// A bound listener that does not accept yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Binds the listener.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn bind(address: SocketAddr) -> io::Result<Bound> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

impl Bound {
    /// The address, with the port that was found for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection and who opened it; none after `stop`.
    pub(crate) async fn accept(&self, stop: &CancellationToken) -> Option<(TcpStream, SocketAddr)> {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => return None,
            };
            match accepted {
                Ok(accepted) => return Some(accepted),
                Err(error) => {
                    tracing::warn!(error = %error, "a connection could not be accepted");
                    tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
                }
            }
        }
    }
}
