//! The plugin's own small memory: texts by key, the same for all streams of the tenant, apart from every other plugin's.
//!
//! A call sees what was there before it, and its own writes. They count when the decision they came with is recorded,
//! together with it or not at all; a failed call writes nothing, and neither does a trial (shadow, backtest, test).
//! Keys have 1 to 128 bytes, values at most 4 KiB; a plugin has at most 256 keys and 64 KiB. A call writes at most 32
//! times, and 16 KiB of keys and values with all its writes counted.
//!
//! ```
//! # use reprise_plugin::{Error, reason, state};
//! # fn first_of_the_day(day: &str) -> Result<bool, Error> {
//! let key = format!("seen/{day}");
//! let seen: u32 = state::get(&key).and_then(|count| count.parse().ok()).unwrap_or(0);
//! state::set(&key, &(seen + 1).to_string())?;
//! reason(format!("broadcast {} of {day}", seen + 1));
//! # Ok(seen == 0)
//! # }
//! # assert!(first_of_the_day("2026-05-28").unwrap());
//! # assert!(!first_of_the_day("2026-05-28").unwrap());
//! ```
//!
//! In native tests it is what [`Table::with_state`](crate::testing::Table::with_state) gives, with the same bounds.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod host;

use crate::Error;
#[cfg(target_arch = "wasm32")]
use crate::bindings::host_state as host;

/// The value of a key, if it has one.
pub fn get(key: &str) -> Option<String> {
    host::get(key)
}

/// The keys that begin with `prefix`, in order of their bytes.
pub fn keys(prefix: &str) -> Vec<String> {
    host::keys(prefix)
}

/// Gives a key a value.
///
/// # Errors
///
/// When a bound is met, which the error names; nothing is written then.
pub fn set(key: &str, value: &str) -> Result<(), Error> {
    host::set(key, value).map_err(Error::new)
}

/// Takes a key away; one that is not there is fine.
///
/// # Errors
///
/// When a bound is met, which the error names.
pub fn delete(key: &str) -> Result<(), Error> {
    host::delete(key).map_err(Error::new)
}
