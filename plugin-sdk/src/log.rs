//! Lines that are kept with the decision, for whoever asks later why it came out as it did. The host keeps at
//! most 64 lines and 4 KiB of them for each call. In native tests they are printed.

#[cfg(target_arch = "wasm32")]
use crate::bindings::host_log::{Level, log};

/// For the policy's author only.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Explains the decision.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Something the tenant should look at.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

#[cfg(target_arch = "wasm32")]
fn write(level: Level, message: &str) {
    log(level, message);
}

/// Stands in for the imported type where there is no import.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
enum Level {
    Debug,
    Info,
    Warn,
}

#[cfg(not(target_arch = "wasm32"))]
fn write(level: Level, message: &str) {
    eprintln!("policy {level:?}: {message}");
}
