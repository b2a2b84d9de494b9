//! The server: everything of Reprise that touches the world. The pure crates decide and parse; the modules here
//! read sockets, write files, run processes, and tell the driver what happened.

pub mod analysis;
pub mod api;
pub mod app;
pub mod cli;
pub mod client;
pub mod clock;
pub mod compose;
pub mod composing;
pub mod config;
pub mod delivery;
pub mod disk;
pub mod driver;
pub mod edit;
pub mod ffmpeg;
pub mod files;
pub mod http;
pub mod ingest;
pub mod jobs;
pub mod lab;
pub mod listener;
pub mod notices;
pub mod perform;
pub mod pictures;
pub mod playback;
pub mod policies;
pub mod recorder;
pub mod removal;
pub mod rest;
pub mod room;
pub mod shaper;
pub mod store;
pub mod telemetry;
#[cfg(test)]
pub(crate) mod testkit;
pub mod url_auth;
pub mod watermark;
