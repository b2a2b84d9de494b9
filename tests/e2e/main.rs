//! End-to-end tests: the built server with real encoders, real policies, real receivers. They show that the wires are
//! connected; each behaviour has its own tests at the lowest boundary that shows it.

mod analysis;
mod breaks;
mod callbacks;
mod catalogue;
mod decisions;
mod demo;
mod editing;
mod flows;
mod hostile;
mod managing;
mod newcomer;
mod recording;
mod recovery;
mod recovery_compose;
mod rollouts;
mod sdk;
mod sports;
mod swap;
mod transcoding;
mod zoo;

/// A runtime for one test.
fn run(test: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(test)
}
