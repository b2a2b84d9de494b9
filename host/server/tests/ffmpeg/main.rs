//! The ffmpeg module against the installed ffmpeg, through the binary's own sandbox.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot be prepared fails the test")]

mod analyse;
mod clip;
mod edit;
mod pictures;
mod sandbox;
mod transcode;
