//! The server: everything of Reprise that touches the world.

pub mod clock;
pub mod config;
pub mod ffmpeg;
pub mod files;
pub mod store;
pub mod delivery;
