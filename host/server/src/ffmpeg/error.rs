//! How a run can end badly, as values. A failing ffmpeg is expected; it is a result of the job and not an error of ours.

use std::path::Path;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

/// A run that did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}{}{detail}", if .detail.is_empty() { "" } else { ": " })]
pub struct Failure {
    pub reason: Reason,
    /// What ffmpeg itself complained of, shortened; may be empty. It holds no path of the host.
    pub detail: String,
}

/// Why a run ended. The text of each is fit for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reason {
    #[error("ffmpeg ended with code {code}")]
    Exit { code: i32 },
    #[error("ffmpeg was ended by signal {signal}")]
    Signal { signal: i32 },
    #[error("took longer than {seconds} s")]
    WallLimit { seconds: u64 },
    #[error("made no progress for {seconds} s")]
    NoProgress { seconds: u64 },
    #[error("used more than its processor time")]
    CpuLimit,
    #[error("used more than its memory")]
    MemoryLimit,
    #[error("an output grew past its size limit")]
    FileSize,
    #[error("the template cannot be applied: {refusal}")]
    Refused { refusal: String },
    #[error("the output is not what was asked for: {found}")]
    BadOutput { found: String },
    #[error("cancelled")]
    Cancelled,
    #[error("the disk is full")]
    DiskFull,
    #[error("the sandbox could not be set up: {detail}")]
    Sandbox { detail: String },
    #[error("could not start or read: {detail}")]
    Host { detail: String },
}

/// Who must act for another attempt to end otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The media or the template: another attempt ends the same way.
    Job,
    /// The operator, or time: another attempt may succeed.
    Host,
    /// Nobody: it was asked to stop.
    Cancelled,
}

impl Reason {
    /// A crash (a signal that the program raised itself) is the media's doing and comes again; a signal from outside is
    /// the service manager's, an operator's, or the kernel's when memory is short.
    pub fn fault(&self) -> Fault {
        match self {
            Reason::Cancelled => Fault::Cancelled,
            Reason::Signal { signal } if FROM_OUTSIDE.contains(signal) => Fault::Host,
            Reason::DiskFull | Reason::Sandbox { .. } | Reason::Host { .. } => Fault::Host,
            _ => Fault::Job,
        }
    }

    /// Whether outputs that failed together deserve a try each on their own: not where the host stands in the way,
    /// except that a process killed for want of memory needs less of it alone.
    pub fn may_be_one_outputs_fault(&self) -> bool {
        let killed = matches!(self, Reason::Signal { signal: SIGKILL });
        let refused = matches!(self, Reason::Refused { .. });
        killed || (self.fault() == Fault::Job && !refused)
    }
}

const SIGKILL: i32 = Signal::SIGKILL as i32;

/// Signals that a program does not raise by itself.
const FROM_OUTSIDE: [i32; 5] =
    [SIGKILL, Signal::SIGTERM as i32, Signal::SIGINT as i32, Signal::SIGHUP as i32, Signal::SIGQUIT as i32];

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Failure { reason, detail: String::new() }
    }
}

/// Lines of ffmpeg's complaint that are kept, and how long they may be together.
const DETAIL_LINES: usize = 3;
const DETAIL_BYTES: usize = 500;

/// The last complaints in ffmpeg's stderr (`level+` prefixes), without addresses and with `hidden` paths replaced.
pub fn complaint(stderr: &str, hidden: &[(&str, &str)]) -> String {
    let loud = |line: &&str| ["[error]", "[fatal]", "[panic]"].iter().any(|level| line.contains(level));
    let mut lines: Vec<&str> = stderr.lines().filter(loud).collect();
    lines.dedup();
    let first = lines.len().saturating_sub(DETAIL_LINES);
    let mut text = lines[first..].iter().map(|line| without_address(line)).collect::<Vec<_>>().join("; ");
    for (path, name) in hidden {
        text = text.replace(path, name);
    }
    let cut = text.floor_char_boundary(DETAIL_BYTES);
    text.truncate(cut);
    text
}

/// The complaints of a run in a folder of its own over one source.
pub(super) fn complaint_of_run(stderr: &str, source: &Path, work_dir: &Path) -> String {
    let (bare, work_dir) = (source.display().to_string(), work_dir.display().to_string());
    let url = format!("file:{bare}");
    complaint(stderr, &[(&url, "source"), (&bare, "source"), (&work_dir, "job")])
}

/// `[h264 @ 0x55d0] [error] what` becomes `h264: what`.
fn without_address(line: &str) -> String {
    let (before, what) = line.split_once("] ").unwrap_or(("", line));
    let who = before.trim_start_matches('[');
    let what = what.trim_start_matches("[error] ").trim_start_matches("[fatal] ").trim_start_matches("[panic] ");
    match who.split_once(" @ ") {
        Some((who, _)) => format!("{who}: {what}"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_short_and_hide_paths() {
        let stderr = "[info] Input #0, mov\n[h264 @ 0x55d0a] [error] non-existing PPS\n\
            [warning] x\n[error] file:/srv/t1/s.mp4: Invalid data found\n[fatal] Conversion failed!\n";
        assert_eq!(
            complaint(stderr, &[("file:/srv/t1/s.mp4", "source")]),
            "h264: non-existing PPS; source: Invalid data found; Conversion failed!"
        );
        assert_eq!(complaint("nothing loud\n", &[]), "");
        let stderr = "[error] file:/srv/t1/s.mp4: Invalid data found\n[error] /srv/jobs/7/a.mp4, from /srv/t1/s.mp4\n";
        assert_eq!(
            complaint_of_run(stderr, Path::new("/srv/t1/s.mp4"), Path::new("/srv/jobs/7")),
            "source: Invalid data found; job/a.mp4, from source"
        );
        let long = format!("[error] {}", "é".repeat(5000));
        assert!(complaint(&long, &[]).len() <= DETAIL_BYTES);
    }

    #[test]
    fn who_must_act_and_whether_to_split() {
        let cases = [
            (Reason::Exit { code: 1 }, Fault::Job, true),
            (Reason::Signal { signal: 11 }, Fault::Job, true),
            (Reason::Signal { signal: 9 }, Fault::Host, true),
            (Reason::Signal { signal: 15 }, Fault::Host, false),
            (Reason::WallLimit { seconds: 1 }, Fault::Job, true),
            (Reason::DiskFull, Fault::Host, false),
            (Reason::Cancelled, Fault::Cancelled, false),
        ];
        for (reason, fault, split) in cases {
            assert_eq!(reason.fault(), fault, "{reason}");
            assert_eq!(reason.may_be_one_outputs_fault(), split, "{reason}");
        }
    }

    #[test]
    fn a_failure_reads_as_one_line() {
        let failure = Failure { reason: Reason::Exit { code: 1 }, detail: "h264: bad".into() };
        assert_eq!(failure.to_string(), "ffmpeg ended with code 1: h264: bad");
        assert_eq!(Failure::from(Reason::Cancelled).to_string(), "cancelled");
    }
}
