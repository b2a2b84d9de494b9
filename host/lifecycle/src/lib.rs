//! The lifecycle core.

pub mod decision;
pub mod id;
pub mod media;
pub mod question;
pub mod time;
