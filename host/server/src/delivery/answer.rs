//! What is kept of a receiver's answer: the status decides, `Retry-After` may stretch the next delay, and the
//! first bytes of the body are shown to whoever asks why a callback failed.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use reprise_lifecycle::time::Timestamp;
use time::PrimitiveDateTime;
use time::macros::format_description;

/// Of an answer's body no more is read than this: a receiver must not choose how long it holds a slot.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Of what is read this much is kept with the attempt.
pub const EXCERPT_BYTES: usize = 1_024;

/// How an answer's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// It was read whole.
    Complete,
    /// It is longer than [`MAX_BODY_BYTES`]; the rest was not read.
    Cut,
    /// The connection ended inside it.
    Broken,
    /// It was still coming when the time was up.
    Late,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After` in milliseconds from the answer.
    pub retry_after_ms: Option<u64>,
    /// How much of the body was read.
    pub body_bytes: usize,
    /// How it ended.
    pub body_end: BodyEnd,
    excerpt: Vec<u8>,
}

impl Answer {
    /// An answer of which the head has come. Until the body has ended, it is late.
    pub fn begin(status: u16, headers: &HeaderMap, now: Timestamp) -> Self {
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Self {
            status,
            retry_after_ms: retry_after.and_then(|text| retry_after_ms(text, now)),
            body_bytes: 0,
            body_end: BodyEnd::Late,
            excerpt: Vec::new(),
        }
    }

    /// Takes the next piece of the body; says whether more is wanted.
    pub fn take(&mut self, piece: &[u8]) -> bool {
        let room = EXCERPT_BYTES - self.excerpt.len();
        self.excerpt.extend_from_slice(&piece[..piece.len().min(room)]);
        self.body_bytes = self.body_bytes.saturating_add(piece.len());
        self.body_bytes <= MAX_BODY_BYTES
    }

    /// The first of the body as text, for people; at most [`EXCERPT_BYTES`] long.
    pub fn excerpt(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.excerpt).into_owned();
        text.truncate(text.floor_char_boundary(EXCERPT_BYTES));
        text
    }
}

/// Seconds, or a date in the one form that senders may produce. Anything else is as if it were not there.
fn retry_after_ms(text: &str, now: Timestamp) -> Option<u64> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(seconds.saturating_mul(1_000));
    }
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let at = PrimitiveDateTime::parse(text.trim(), format).ok()?.assume_utc();
    let wait = Duration::from_secs(u64::try_from(at.unix_timestamp()).ok()?)
        .saturating_sub(Duration::from_millis(u64::try_from(now.0).ok()?));
    u64::try_from(wait.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = Timestamp(784_111_777_500);
        let table = [
            ("0", Some(0)),
            ("120", Some(120_000)),
            (" 5 ", Some(5_000)),
            ("18446744073709551615", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:38 GMT", Some(500)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 07:00:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 99 Nov 1994 08:49:37 GMT", None),
            ("", None),
        ];
        for (text, wait) in table {
            assert_eq!(retry_after_ms(text, now), wait, "{text:?}");
        }
    }

    #[test]
    fn the_excerpt_is_bounded_text() {
        let mut answer = Answer::begin(200, &HeaderMap::new(), Timestamp(0));
        assert_eq!(answer.body_end, BodyEnd::Late);
        assert!(answer.take(&[0xff; 800]));
        assert!(answer.take(&[b'a'; 800]));
        assert!(answer.excerpt().len() <= EXCERPT_BYTES);
        assert_eq!(answer.body_bytes, 1_600);
        assert!(!answer.take(&[0; MAX_BODY_BYTES]));
    }
}
