//! Policies against real components: compiled by the binary's own compile command, bound, swapped and limited as in a
//! running server.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot be prepared fails the test")]

mod candidates;
mod chain;
mod fair;
mod guests;
mod limits;
mod published;
mod rollouts;
mod room;
mod shaper;
mod signed;
mod stage;
mod state;
mod swap;
mod trial;
