//! Media bytes in, values out. No clock, no sockets, no files.

pub mod rtmp;
