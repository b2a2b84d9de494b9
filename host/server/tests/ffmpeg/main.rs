//! The ffmpeg module against the installed ffmpeg, through the binary's own sandbox.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot be prepared fails the test")]

mod analyse;
mod broadcast;
mod clip;
mod edit;
mod join;
mod pictures;
mod piped;
mod sandbox;
mod transcode;
