//! Candidates beside the active version. A *shadow* is asked every recorded question again and its answers are only
//! compared; a *canary* is asked in place of the active version for a share of the streams, and ends itself when it
//! breaks a rule. Both follow the decision log (see `follower`), off the path of calls.

pub mod again;
mod asking;
pub mod report;
pub mod rules;
pub mod share;
pub mod spread;
mod start;

pub(super) use self::start::Canaries;
pub use self::start::{NewRollout, RolloutError, Which};
