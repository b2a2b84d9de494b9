//! Lines that are kept with the decision, for whoever asks later why it came out as it did. The host keeps at
//! most 64 lines and 4 KiB of them for each call. In native tests they wait for
//! [`testing::take_log`](crate::testing::take_log).

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
enum Level {
    Debug,
    Info,
    Warn,
}

#[cfg(not(target_arch = "wasm32"))]
fn write(level: Level, message: &str) {
    let level = match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
    };
    kept::push(format!("{level}: {message}"));
}

/// What native calls on this thread have logged.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod kept {
    use std::cell::RefCell;

    /// As many as the host keeps of one call.
    const MAX_LINES: usize = 64;

    thread_local! {
        static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn push(line: String) {
        LINES.with_borrow_mut(|lines| {
            if lines.len() < MAX_LINES {
                lines.push(line);
            }
        });
    }

    pub(crate) fn take() -> Vec<String> {
        LINES.take()
    }
}
