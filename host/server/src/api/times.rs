//! Times as the vendor writes them: UTC `yyyy-MM-ddTHH:mm:ssZ`, no fraction.

use reprise_lifecycle::time::Timestamp;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const FORM: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// `at` in the vendor's form, cut to the second.
pub fn format(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000))
        .ok()
        .and_then(|at| at.format(FORM).ok())
        // Outside the years 0 to 9999 there is no such form; nothing real is there.
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// The time that `text` says, if it has the vendor's form.
pub fn parse(text: &str) -> Option<Timestamp> {
    let at = PrimitiveDateTime::parse(text, FORM).ok()?.assume_utc();
    Some(Timestamp(at.unix_timestamp().checked_mul(1000)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_form() {
        let noon = Timestamp(1_798_761_600_000);
        assert_eq!(format(noon), "2027-01-01T00:00:00Z");
        assert_eq!(format(Timestamp(1_798_761_600_999)), "2027-01-01T00:00:00Z");
        assert_eq!(format(Timestamp(-1)), "1969-12-31T23:59:59Z");
        assert_eq!(format(Timestamp(i64::MAX)), "1970-01-01T00:00:00Z");
        assert_eq!(parse("2027-01-01T00:00:00Z"), Some(noon));
        for bad in [
            "",
            "2027-01-01 00:00:00",
            "2027-01-01T00:00Z",
            "2027-01-01T00:00:00.5Z",
            "2027-13-01T00:00:00Z",
            "2027-01-01T00:00:00+08:00",
            "2027-01-01T00:00:00Zx",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
