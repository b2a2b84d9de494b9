//! The server: everything of Reprise that touches the world.

pub mod ffmpeg;
