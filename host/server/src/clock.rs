//! The only place that reads the time.

use std::time::{SystemTime, UNIX_EPOCH};

use reprise_lifecycle::time::Timestamp;

/// Now, in milliseconds since the epoch.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
