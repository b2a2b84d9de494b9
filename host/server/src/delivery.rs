//! Callbacks on their way out: what the outbox holds is sent to the tenants' receivers, at least once, with the
//! same id and the same bytes on every attempt.
//!
//! | Module | What it knows |
//! |---|---|
//! | `address` | which addresses may be called |
//! | `target` | which URLs may be called |
//! | `resolve` | names to addresses, and what holds a stuck lookup |
//! | `signature` | the vendor's and the Standard Webhooks signature |
//! | `request` | one attempt's request |
//! | `client` | one exchange, under one time limit, to a typed outcome |
//! | `answer` | what is kept of an answer |
//! | `notice` | the Live side's requests: stream and recording notices, the question whether to record |
//! | `queue` | what the worker needs from the store |
//! | `lane` | how much may be in flight, to whom |
//! | `worker` | the loop: look, send, record |
//!
//! When a delivery is tried again and when it is given up is decided by `reprise_lifecycle::delivery`, not here;
//! nothing here knows SQL, and nothing keeps a timer that the store could not give back after a crash.

pub mod address;
pub mod answer;
pub mod client;
pub mod lane;
pub mod notice;
pub mod queue;
pub mod request;
pub mod resolve;
pub mod signature;
pub mod target;
pub mod worker;

#[cfg(test)]
pub(crate) mod testkit;
