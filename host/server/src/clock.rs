//! The only place that reads the time.

use std::time::{SystemTime, UNIX_EPOCH};

use reprise_lifecycle::time::Timestamp;

/// Now, in milliseconds since the epoch.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A time as the vendor's APIs and events write it: UTC, `yyyy-MM-ddTHH:mm:ssZ`, no fraction.
pub fn utc(at: Timestamp) -> String {
    use time::macros::format_description;
    let text = time::OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000))
        .ok()
        .and_then(|at| at.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z")).ok());
    text.unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// The time that such a text says.
pub fn parse_utc(text: &str) -> Option<Timestamp> {
    use time::macros::format_description;
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let at = time::PrimitiveDateTime::parse(text, format).ok()?.assume_utc();
    Some(Timestamp(at.unix_timestamp().checked_mul(1000)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_as_the_vendor_does() {
        assert_eq!(utc(Timestamp(1_798_761_600_999)), "2027-01-01T00:00:00Z");
        assert_eq!(parse_utc("2027-01-01T00:00:00Z"), Some(Timestamp(1_798_761_600_000)));
        assert_eq!(parse_utc("2027-01-01 00:00:00"), None);
    }
}
