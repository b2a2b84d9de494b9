//! Reading a child's pipes: always to the end, never keeping more than a bounded part.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;

use super::super::progress::{Parser, Progress};

const CHUNK: usize = 8 * 1024;

/// When the child last showed progress.
pub(super) struct Activity(Mutex<Instant>);

impl Activity {
    pub(super) fn new() -> Self {
        Activity(Mutex::new(Instant::now()))
    }

    pub(super) fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Reads progress blocks; a block counts as activity only if a counter moved.
pub(super) async fn progress(mut pipe: impl AsyncRead + Unpin, activity: &Activity, mut report: impl FnMut(Progress)) {
    let mut parser = Parser::default();
    let mut furthest = Progress::default();
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        parser.feed(&buffer[..count], |block| {
            if block.is_past(&furthest) {
                furthest = block;
                activity.note();
            }
            report(block);
        });
    }
}

/// Keeps all that is printed until one byte more than `most`, then only reads on.
pub(super) async fn all(mut pipe: impl AsyncRead + Unpin, activity: &Activity, printed: &mut Vec<u8>, most: usize) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        activity.note();
        let room = (most + 1).saturating_sub(printed.len());
        printed.extend_from_slice(&buffer[..count.min(room)]);
    }
}

/// Keeps the end of what is printed.
pub(super) async fn tail(mut pipe: impl AsyncRead + Unpin, tail: &mut Tail) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        tail.push(&buffer[..count]);
    }
}

/// The last bytes of a stream.
pub(super) struct Tail {
    kept: VecDeque<u8>,
    most: usize,
}

impl Tail {
    pub(super) fn new(most: usize) -> Self {
        Tail { kept: VecDeque::new(), most }
    }

    fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(self.most)..];
        let over = (self.kept.len() + bytes.len()).saturating_sub(self.most);
        self.kept.drain(..over);
        self.kept.extend(bytes);
    }

    pub(super) fn into_text(self) -> String {
        let bytes: Vec<u8> = self.kept.into();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_end() {
        for (pieces, expected) in [(vec!["abc", "de"], "bcde"), (vec!["abcdefgh"], "efgh"), (vec!["a", "", "b"], "ab")]
        {
            let mut tail = Tail::new(4);
            for piece in pieces {
                tail.push(piece.as_bytes());
            }
            assert_eq!(tail.into_text(), expected);
        }
    }

    #[tokio::test]
    async fn printing_too_much_is_seen_and_not_kept() {
        let mut printed = Vec::new();
        all(&[7_u8; 100_000][..], &Activity::new(), &mut printed, 1000).await;
        assert_eq!(printed.len(), 1001);
    }
}
