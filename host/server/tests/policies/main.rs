//! Policies against real components: compiled by the binary's own compile command, bound, swapped and limited as in a
//! running server.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot be prepared fails the test")]

mod chain;
mod fair;
mod guests;
mod limits;
mod rollouts;
mod room;
mod shaper;
mod stage;
mod state;
mod swap;
mod trial;
