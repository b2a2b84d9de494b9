//! What commands print, by macros of the names that they have everywhere. Whoever reads the output may go before its end,
//! as `head` does. Rust has the broken pipe's signal ignored and its own macros panic where they cannot write, so that
//! would be a crash; here the command ends quietly instead.

use std::any::Any;
use std::fmt::Arguments;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;

/// What shells give for a program that the broken pipe's signal ended.
const READER_IS_GONE: u8 = 128 + 13;

macro_rules! print {
    ($($what:tt)+) => { $crate::cli::out::print(format_args!($($what)+)) };
}

macro_rules! println {
    () => { $crate::cli::out::print(format_args!("\n")) };
    ($($what:tt)+) => { $crate::cli::out::print(format_args!("{}\n", format_args!($($what)+))) };
}

macro_rules! eprint {
    ($($what:tt)+) => { $crate::cli::out::say(format_args!($($what)+)) };
}

macro_rules! eprintln {
    ($($what:tt)+) => { $crate::cli::out::say(format_args!("{}\n", format_args!($($what)+))) };
}

/// The standard output took no more.
struct Unwritten(io::Error);

/// Runs a command, tells its error, and gives the code that it ends with.
pub(super) fn ended(command: impl FnOnce() -> anyhow::Result<ExitCode>) -> ExitCode {
    match catch_unwind(AssertUnwindSafe(command)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
        Err(panic) => unwritten(panic),
    }
}

fn unwritten(panic: Box<dyn Any + Send>) -> ExitCode {
    match panic.downcast::<Unwritten>() {
        Ok(unwritten) if unwritten.0.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(READER_IS_GONE),
        Ok(unwritten) => {
            eprintln!("error: cannot write to the standard output: {}", unwritten.0);
            ExitCode::FAILURE
        }
        Err(panic) => resume_unwind(panic),
    }
}

/// Somebody else's words, so that they stay on their line and move no cursor.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Writes to the standard output. Where that cannot be, the command is unwound up to [`ended`], past the panic hook, so
/// that all it holds is dropped on the way: temporary folders and child processes with it.
pub(super) fn print(what: Arguments<'_>) {
    if let Err(error) = io::stdout().lock().write_fmt(what) {
        resume_unwind(Box::new(Unwritten(error)));
    }
}

/// Writes to the standard error. What nobody reads there is no reason to stop.
pub(super) fn say(what: Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(what);
}
