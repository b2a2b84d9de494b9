//! Lines for the policy's author, bounded in number and bytes.

use crate::bindings::log::Level;
use crate::limits::CallLimits;

/// Lines kept with a decision.
#[derive(Debug)]
pub(crate) struct Log {
    lines: Vec<String>,
    left_out_lines: u64,
    cut_bytes: usize,
    max_lines: usize,
    bytes_left: usize,
}

impl Log {
    pub(crate) fn new(limits: &CallLimits) -> Self {
        Self {
            lines: Vec::new(),
            left_out_lines: 0,
            cut_bytes: 0,
            max_lines: limits.log_lines,
            bytes_left: limits.log_bytes,
        }
    }

    pub(crate) fn add(&mut self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => "debug: ",
            Level::Info => "info: ",
            Level::Warn => "warn: ",
        };
        if self.lines.len() >= self.max_lines || self.bytes_left <= level.len() {
            self.left_out_lines += 1;
            return;
        }
        let mut line = String::with_capacity(level.len() + message.len().min(self.bytes_left));
        line.push_str(level);
        for (at, c) in message.char_indices() {
            // A line is a line: whoever shows it need not fear escape sequences or forged lines.
            let c = if c.is_control() { ' ' } else { c };
            if line.len() + c.len_utf8() > self.bytes_left {
                self.cut_bytes += message.len() - at;
                break;
            }
            line.push(c);
        }
        self.bytes_left -= line.len();
        self.lines.push(line);
    }

    /// The lines, with a last one about what found no room.
    pub(crate) fn into_lines(mut self) -> Vec<String> {
        match (self.cut_bytes, self.left_out_lines) {
            (0, 0) => {}
            (0, lines) => self.lines.push(format!("({lines} more lines left out)")),
            (bytes, 0) => self.lines.push(format!("({bytes} more bytes left out)")),
            (bytes, lines) => self.lines.push(format!("({bytes} more bytes and {lines} more lines left out)")),
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(max_lines: usize, max_bytes: usize) -> Log {
        Log::new(&CallLimits { log_lines: max_lines, log_bytes: max_bytes, ..CallLimits::default() })
    }

    #[test]
    fn lines_and_bytes_are_bounded() {
        let mut lines = log(2, 100);
        for _ in 0..5 {
            lines.add(Level::Info, "x");
        }
        assert_eq!(lines.into_lines(), ["info: x", "info: x", "(3 more lines left out)"]);

        let mut bytes = log(10, 16);
        bytes.add(Level::Warn, "0123456789");
        bytes.add(Level::Warn, "more");
        assert_eq!(bytes.into_lines(), ["warn: 0123456789", "(1 more lines left out)"]);

        let mut cut = log(10, 9);
        cut.add(Level::Info, "äöü");
        assert_eq!(cut.into_lines(), ["info: ä", "(4 more bytes left out)"]);

        let mut both = log(1, 4_096);
        both.add(Level::Info, &"x".repeat(9_000));
        both.add(Level::Info, "more");
        let kept = format!("info: {}", "x".repeat(4_090));
        assert_eq!(both.into_lines(), [kept.as_str(), "(4910 more bytes and 1 more lines left out)"]);
    }

    #[test]
    fn control_characters_are_replaced() {
        let mut lines = log(10, 100);
        lines.add(Level::Debug, "a\nb\u{1b}[31m\tc");
        assert_eq!(lines.into_lines(), ["debug: a b [31m c"]);
    }
}
