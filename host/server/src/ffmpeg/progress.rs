//! Reads the `key=value` blocks of ffmpeg's `-progress`. Pure: bytes in, [`Progress`] out.
//!
//! The child may be in a stranger's hands, so a line has a greatest length and every value may be nonsense.

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Media time written.
    pub out_time_ms: u64,
    /// Pictures encoded for the first output that has any.
    pub frames: u64,
    /// Bytes written to the first output.
    pub total_size_bytes: u64,
    /// Media time per time by the clock.
    pub speed: Option<f32>,
    /// The last block of a run that ended by itself.
    pub ended: bool,
}

impl Progress {
    /// Whether any counter is past `earlier`: the meaning of "making progress".
    pub fn is_past(&self, earlier: &Progress) -> bool {
        self.out_time_ms > earlier.out_time_ms
            || self.frames > earlier.frames
            || self.total_size_bytes > earlier.total_size_bytes
            || (self.ended && !earlier.ended)
    }

    /// Whole percent of a media duration, 0 to 100.
    pub fn percent(&self, duration_ms: u64) -> u8 {
        let done = self.out_time_ms.min(duration_ms).saturating_mul(100);
        u8::try_from(done / duration_ms.max(1)).unwrap_or(100)
    }
}

/// Longer lines are not ffmpeg's; they are skipped to their end without being kept.
const MAX_LINE: usize = 256;

/// Collects bytes into lines and lines into blocks.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    overlong: bool,
    block: Progress,
}

impl Parser {
    /// Takes the next bytes and calls `block` at the end of each whole block in them.
    pub fn feed(&mut self, bytes: &[u8], mut block: impl FnMut(Progress)) {
        for byte in bytes {
            match byte {
                b'\n' => {
                    if !self.overlong && self.end_line() {
                        block(self.block);
                    }
                    self.line.clear();
                    self.overlong = false;
                }
                _ if self.line.len() >= MAX_LINE => self.overlong = true,
                byte => self.line.push(*byte),
            }
        }
    }

    /// Takes in one line; says whether it ended a block.
    fn end_line(&mut self) -> bool {
        let line = String::from_utf8_lossy(&self.line);
        let Some((key, value)) = line.split_once('=') else {
            return false;
        };
        let value = value.trim();
        match key.trim() {
            "frame" => set(&mut self.block.frames, value),
            "total_size" => set(&mut self.block.total_size_bytes, value),
            "out_time_us" => {
                // Negative before the first frame, `N/A` without one.
                if let Ok(us) = value.parse::<u64>() {
                    self.block.out_time_ms = us / 1000;
                }
            }
            "speed" => self.block.speed = value.trim_end_matches('x').trim().parse().ok(),
            "progress" => {
                self.block.ended = value == "end";
                return true;
            }
            _ => {}
        }
        false
    }
}

fn set(field: &mut u64, value: &str) {
    if let Ok(value) = value.parse() {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(pieces: &[&[u8]]) -> Vec<Progress> {
        let mut parser = Parser::default();
        let mut found = Vec::new();
        for piece in pieces {
            parser.feed(piece, |block| found.push(block));
        }
        found
    }

    const REAL: &[u8] = b"frame=72\nfps=0.00\nstream_0_0_q=31.0\nbitrate=   0.1kbits/s\ntotal_size=48\n\
        out_time_us=2657415\nout_time_ms=2657415\nout_time=00:00:02.657415\ndup_frames=0\nspeed=4.72x\n\
        progress=continue\nframe=100\nout_time_us=4097052\ntotal_size=71146\nspeed=N/A\nprogress=end\n";

    #[test]
    fn real_output_in_any_pieces() {
        let whole = blocks(&[REAL]);
        let first = Progress { out_time_ms: 2657, frames: 72, total_size_bytes: 48, speed: Some(4.72), ended: false };
        assert_eq!(whole[0], first);
        assert_eq!((whole.len(), whole[1].ended, whole[1].speed), (2, true, None));
        for cut in 0..REAL.len() {
            assert_eq!(blocks(&[&REAL[..cut], &REAL[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn nonsense_is_passed_over() {
        let flood = vec![b'x'; 1 << 20];
        let pieces: [&[u8]; 4] = [
            b"frame=-1\nout_time_us=N/A\nno equals sign\n\xff\xfe=\xff\n",
            &flood,
            b"progress=end\n",
            b"frame=7\nprogress=continue\n",
        ];
        let found = blocks(&pieces);
        assert_eq!(found.len(), 1, "the end of an overlong line is no line");
        assert_eq!(found[0].frames, 7);
    }

    #[test]
    fn memory_is_bounded() {
        let mut parser = Parser::default();
        parser.feed(&vec![b'a'; 1 << 20], |_| panic!("no block"));
        assert!(parser.line.capacity() <= 2 * MAX_LINE);
    }

    #[test]
    fn percent_and_past() {
        let at = |out_time_ms| Progress { out_time_ms, ..Progress::default() };
        let cases = [(0, 1000, 0), (999, 1000, 99), (5000, 1000, 100), (5, 0, 0)];
        for (time, duration, percent) in cases {
            assert_eq!(at(time).percent(duration), percent, "{time} of {duration}");
        }
        assert!(at(2).is_past(&at(1)));
        assert!(!at(1).is_past(&at(1)));
    }
}
