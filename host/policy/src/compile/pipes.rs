//! A child process, fed and read through pipes, never for longer than allowed and never more than allowed.

use std::io::{self, Read, Write};
use std::process::{Child, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What is kept of the child's last words.
const STDERR_BYTES: u64 = 4 << 10;

/// A child that has ended.
pub(super) struct Ended {
    /// Whether we ended it, because its time was over.
    pub(super) killed: bool,
    /// How it ended.
    pub(super) status: ExitStatus,
    /// What it wrote, up to the limit.
    pub(super) stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Ended {
    /// The child's last words on one line.
    pub(super) fn stderr_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Feeds and reads a child until it closes its output, has written too much, or its time is over; then makes
/// sure that it has ended.
pub(super) fn run(mut child: Child, input: Vec<u8>, max_output: u64, wall: Duration) -> io::Result<Ended> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(end(child, io::Error::other("the child has no pipes")));
    };
    let (finished, wait) = mpsc::channel();
    thread::scope(|scope| {
        // A child that ends early breaks the pipe, which is seen from what it wrote and not from here.
        scope.spawn(move || stdin.write_all(&input).ok());
        let errors = scope.spawn(move || read(stderr, STDERR_BYTES));
        let output = scope.spawn(move || {
            let bytes = read(stdout, max_output);
            // The receiver is gone only if its time is over.
            let _ = finished.send(());
            bytes
        });
        let killed = wait.recv_timeout(wall).is_err();
        // The output is closed or full, or time is over: whatever the child still does is of no interest. A
        // child that closed its output by ending has its status already, which killing does not change.
        let status = kill(&mut child);
        let bytes = |reader: thread::ScopedJoinHandle<'_, Vec<u8>>| reader.join().unwrap_or_default();
        Ok(Ended { killed, status: status?, stdout: bytes(output), stderr: bytes(errors) })
    })
}

fn read(from: impl Read, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    // An error ends the output; whether it is whole is for its reader to see.
    let _ = from.take(limit).read_to_end(&mut bytes);
    bytes
}

fn kill(child: &mut Child) -> io::Result<ExitStatus> {
    child.kill()?;
    child.wait()
}

/// Ends a child that cannot be used.
fn end(mut child: Child, error: io::Error) -> io::Error {
    let _ = kill(&mut child);
    error
}
