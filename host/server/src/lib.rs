//! The server: everything of Reprise that touches the world.

pub mod ffmpeg;
pub mod store;
pub mod delivery;
