//! Composing with real media: parts cut by the recorder's own cutter out of what ffmpeg encoded, put together by the
//! composer and its boxed encoders, and looked at by ffprobe.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot be prepared fails the test")]

mod breaks;
mod cuts;
mod gaps;
mod mixed;
mod stage;
mod whole;
