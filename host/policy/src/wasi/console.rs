//! What a guest writes to its standard output and error, line by line into the log. Runtimes write a line in pieces, so
//! a line is kept until it ends, is long enough, or the call is over.

use crate::bindings::log::Level;
use crate::imports::Log;

/// Bytes of a line that is not ended: what is longer is cut into several. The log keeps no more of it anyway.
const LINE_BYTES: usize = 1_024;

/// Where output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
}

/// Lines that have begun.
#[derive(Debug, Default)]
pub(super) struct Console {
    output: Vec<u8>,
    error: Vec<u8>,
}

impl Console {
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8], log: &mut Log) {
        let line = match stream {
            Stream::Output => &mut self.output,
            Stream::Error => &mut self.error,
        };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (piece, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |piece| (piece, true));
            for part in piece.chunks(LINE_BYTES) {
                if line.len() + part.len() > LINE_BYTES {
                    end(stream, line, log);
                }
                line.extend_from_slice(part);
            }
            if ended {
                end(stream, line, log);
            }
        }
    }

    pub(super) fn finish(&mut self, log: &mut Log) {
        for (stream, line) in [(Stream::Output, &mut self.output), (Stream::Error, &mut self.error)] {
            if !line.is_empty() {
                end(stream, line, log);
            }
        }
    }
}

fn end(stream: Stream, line: &mut Vec<u8>, log: &mut Log) {
    let level = match stream {
        Stream::Output => Level::Info,
        Stream::Error => Level::Warn,
    };
    log.add(level, &String::from_utf8_lossy(line));
    line.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CallLimits;

    #[test]
    fn pieces_become_lines() {
        let mut log = Log::new(&CallLimits::default());
        let mut console = Console::default();
        for piece in ["Traceback", " (most\nrecent", "", "\n", "last"] {
            console.write(Stream::Error, piece.as_bytes(), &mut log);
        }
        console.write(Stream::Output, b"\xff one\ntwo", &mut log);
        console.finish(&mut log);
        console.finish(&mut log);
        assert_eq!(
            log.into_lines(),
            ["warn: Traceback (most", "warn: recent", "info: \u{fffd} one", "info: two", "warn: last"]
        );
    }

    #[test]
    fn a_line_without_an_end_is_bounded() {
        let mut log = Log::new(&CallLimits { log_bytes: 1 << 20, ..CallLimits::default() });
        let mut console = Console::default();
        for _ in 0..10 {
            console.write(Stream::Output, &[b'x'; 700], &mut log);
            assert!(console.output.len() <= LINE_BYTES);
        }
        console.write(Stream::Output, &vec![b'x'; 1 << 20], &mut log);
        assert!(console.output.len() <= LINE_BYTES);
        assert!(log.into_lines().iter().all(|line| line.len() <= LINE_BYTES + 16));
    }
}
