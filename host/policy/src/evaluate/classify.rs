//! From the engine's error to a reason that the policy's author can act on.

use reprise_lifecycle::decision::{Failure, FailureKind};
use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::limits::{CallLimits, Meter, STACK_BYTES};
use crate::wasi::Denied;

/// Characters of a failure's message: it is stored with the decision.
const MAX_MESSAGE_CHARS: usize = 512;

/// How the engine words that a call copies more out of the guest than allowed. Its type is private to the
/// engine, so the words are all there is to go by; the test of a huge answer fails if they change.
const TOO_MUCH_COPIED: &str = "fuel allocated for hostcalls has been exhausted";

/// What kind of failure an error is.
pub(super) fn classify(error: &wasmtime::Error, meter: &Meter, limits: &CallLimits) -> Failure {
    let (kind, message) = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => (FailureKind::Fuel, format!("the call used up its {} units of fuel", limits.fuel)),
        Some(Trap::Interrupt) => {
            let (cpu, wall) = (limits.cpu.as_millis(), limits.wall.as_millis());
            (FailureKind::Deadline, format!("the call ran for {cpu} ms of processor time, or {wall} ms in all"))
        }
        Some(Trap::StackOverflow) => {
            (FailureKind::Stack, format!("the call stack grew past {} KiB", STACK_BYTES >> 10))
        }
        _ if meter.denied() => (
            FailureKind::Memory,
            format!(
                "more was asked for than {} of memory or {} table elements",
                size(limits.memory_bytes),
                limits.table_elements
            ),
        ),
        // A panic ends in this as well; its text is in the log.
        Some(trap) => (FailureKind::Trap, trap.to_string()),
        None if error.is::<PoolConcurrencyLimitError>() => {
            (FailureKind::Overloaded, "all slots for policy calls are taken".to_owned())
        }
        None if error.root_cause().to_string().contains(TOO_MUCH_COPIED) => (
            FailureKind::TooLarge,
            format!("the answer, or what was given to the host, is larger than {} bytes", limits.answer_bytes),
        ),
        None if let Some(denied) = error.downcast_ref::<Denied>() => (FailureKind::Trap, denied.to_string()),
        // What is left is an answer that cannot be read: pointers past the memory, text that is not UTF-8.
        None => (FailureKind::BadAnswer, format!("{error:#}")),
    };
    Failure { kind, message: sentence(&message) }
}

/// A number of bytes for people, exactly.
fn size(bytes: usize) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

/// Text from a guest or about it, on one line and of bounded length.
pub(crate) fn sentence(text: &str) -> String {
    text.chars().take(MAX_MESSAGE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
