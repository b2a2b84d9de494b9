//! The whole server in one process, pushed to over real sockets.

mod disk;
mod notices;
mod orders;
mod stage;
mod stops;
mod streams;
