//! Values out: times, streams, tracks, and stored JSON.

use reprise_lifecycle::media::{AudioTrack, VideoTrack};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;
use utoipa::ToSchema;

/// A point in time: RFC 3339, UTC, with milliseconds.
pub(super) fn when(at_ms: i64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
    let text = at.ok().and_then(|at| at.format(format).ok());
    text.unwrap_or_else(|| "1970-01-01T00:00:00.000Z".to_owned())
}

/// Stored JSON, as it is. A text that is none is given as a text rather than hidden.
pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// What to pass for the next page: the number of the last row of a full one.
pub(super) fn next<T>(rows: &[T], limit: i64, number: impl FnOnce(&T) -> i64) -> Option<i64> {
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    rows.last().filter(|_| full).map(number)
}

/// Where media came from.
#[derive(Serialize, ToSchema)]
pub(super) struct Stream {
    /// Ingest domain.
    pub(super) domain: String,
    /// Application.
    pub(super) app: String,
    /// Stream name.
    pub(super) name: String,
}

/// A picture.
#[derive(Serialize, ToSchema)]
pub(super) struct Picture {
    /// `H.264` or `H.265`.
    codec: String,
    /// Pixels.
    width: u32,
    /// Pixels.
    height: u32,
    /// Frames per second, measured; 0 while unknown.
    fps: f64,
    /// Codec profile; empty if unknown.
    profile: String,
}

/// A sound.
#[derive(Serialize, ToSchema)]
pub(super) struct Sound {
    /// `AAC`.
    codec: String,
    /// Samples per second.
    sample_rate: u32,
    channels: u32,
}

impl From<&VideoTrack> for Picture {
    fn from(track: &VideoTrack) -> Self {
        Self {
            codec: track.codec.clone(),
            width: track.width,
            height: track.height,
            fps: track.fps,
            profile: track.profile.clone(),
        }
    }
}

impl From<&AudioTrack> for Sound {
    fn from(track: &AudioTrack) -> Self {
        Self { codec: track.codec.clone(), sample_rate: track.sample_rate, channels: track.channels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_no_end() {
        assert_eq!(when(1_798_761_600_042), "2027-01-01T00:00:00.042Z");
        assert_eq!(when(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(when(i64::MAX), "1970-01-01T00:00:00.000Z");
    }
}
