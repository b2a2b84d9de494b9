//! What end-to-end tests are made of: the built server as a process of its own, a real encoder, a receiver that
//! answers by script, and built policies. Each test owns its folder and its ports.

pub mod encoder;
pub mod events;
pub mod guests;
pub mod http;
pub mod media;
pub mod moment;
pub mod receiver;
pub mod server;
pub mod stage;
pub mod swapping;

use std::time::{Duration, Instant};

/// How long anything may take on a slow, busy machine. Tests wait for conditions and fail at this limit.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// How often a condition that cannot be subscribed to is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Waits until `condition` gives something.
///
/// # Errors
/// When it does not within [`PATIENCE`]; `what` says what was waited for.
pub async fn eventually<T>(
    what: &str,
    mut condition: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await? {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < until, "waited in vain for {what}");
        tokio::time::sleep(LOOK).await;
    }
}
