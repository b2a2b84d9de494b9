//! Calls of what a policy may call, without end, with lies, and for what is not there.

use reprise_lifecycle::decision::FailureKind::{self, BadAnswer, Deadline, Fuel, TooLarge, Trap};

use crate::guest::Guest;
use crate::{Fate, Specimen, specimen};

/// What the host cannot read, or cannot write to.
const UNREADABLE: Fate = Fate::Fails(&[BadAnswer, Trap]);

pub(crate) fn all() -> Vec<Specimen> {
    const SPENT: &[FailureKind] = &[Fuel, Deadline, TooLarge];
    let endless = |body: &str| Guest::new(format!("(loop {body} (br 0)) (unreachable)"));
    // A loop that forgets what the host gave it, so that it is the calls that count.
    let forgetful = |body: &str| endless(&format!("{body} (global.set $top (i32.const 65536))"));
    let data = "(data (i32.const 4096) \"key\") (data (i32.const 4200) \"../../../../etc/passwd\")";
    let found = |call: &str| {
        Guest::new(format!("{call} (if (i32.load8_u (i32.const 1024)) (then (unreachable))) (i32.const 0)"))
            .fields(data)
    };
    let cases = [
        ("lines without end", endless("(call $log (i32.const 1) (i32.const 4096) (i32.const 3))").fields(data), Fate::Fails(SPENT)),
        ("empty lines without end", endless("(call $log (i32.const 0) (i32.const 0) (i32.const 0))"), Fate::Fails(SPENT)),
        (
            "lines of eight megabytes without end",
            endless("(call $log (i32.const 2) (i32.const 65536) (i32.const 8388608))").memory("200"),
            Fate::Fails(SPENT),
        ),
        ("a line of no kind", Guest::doing("(call $log (i32.const 77) (i32.const 0) (i32.const 0))"), UNREADABLE),
        ("a line out of bounds", Guest::doing("(call $log (i32.const 0) (i32.const 0x7fffff00) (i32.const 64))"), UNREADABLE),
        (
            "a line that is no UTF-8",
            Guest::doing("(call $log (i32.const 0) (i32.const 4096) (i32.const 4))")
                .fields("(data (i32.const 4096) \"\\ff\\fe\\fd\\fc\")"),
            UNREADABLE,
        ),
        ("writes without end", forgetful("(call $set (i32.const 4096) (i32.const 3) (i32.const 4096) (i32.const 3) (i32.const 1024))").fields(data), Fate::Fails(SPENT)),
        (
            "writes of ever other keys without end",
            Guest::new(
                "(local i32) (loop (i32.store (i32.const 4096) (i32.add (i32.const 0x20202020) (i32.and (local.get 1) (i32.const 0x0f0f0f0f))))
                 (local.set 1 (i32.add (local.get 1) (i32.const 1)))
                 (call $set (i32.const 4096) (i32.const 4) (i32.const 8192) (i32.const 4096) (i32.const 1024))
                 (global.set $top (i32.const 65536)) (br 0)) (unreachable)",
            )
            .memory("4"),
            Fate::Fails(SPENT),
        ),
        ("a value of eight megabytes", endless("(call $set (i32.const 4096) (i32.const 3) (i32.const 65536) (i32.const 8388608) (i32.const 1024)) (global.set $top (i32.const 9000000))").fields(data).memory("200"), Fate::Fails(SPENT)),
        ("a key out of bounds", Guest::doing("(call $set (i32.const -4) (i32.const 64) (i32.const 0) (i32.const 0) (i32.const 1024))"), UNREADABLE),
        ("an answer out of bounds asked for", Guest::doing("(call $get (i32.const 4096) (i32.const 3) (i32.const -4))").fields(data), UNREADABLE),
        ("an answer at an odd address asked for", Guest::doing("(call $get (i32.const 4096) (i32.const 3) (i32.const 1025))").fields(data), UNREADABLE),
        ("reads without end", forgetful("(call $get (i32.const 4096) (i32.const 3) (i32.const 1024))").fields(data), Fate::Fails(SPENT)),
        ("keys without end", forgetful("(call $keys (i32.const 4096) (i32.const 0) (i32.const 1024))").fields(data), Fate::Fails(SPENT)),
        ("deletes without end", forgetful("(call $delete (i32.const 4096) (i32.const 3) (i32.const 1024))").fields(data), Fate::Fails(SPENT)),
        ("assets without end", forgetful("(call $read (i32.const 4096) (i32.const 3) (i32.const 1024))").fields(data), Fate::Fails(SPENT)),
        ("paths without end", forgetful("(call $paths (i32.const 1024))"), Fate::Fails(SPENT)),
        ("a file beside the assets", found("(call $read (i32.const 4200) (i32.const 22) (i32.const 1024))"), Fate::FindsNothing),
        ("a file by its full path", found("(call $read (i32.const 4211) (i32.const 11) (i32.const 1024))"), Fate::FindsNothing),
        ("another plugin's state", found("(call $get (i32.const 4096) (i32.const 3) (i32.const 1024))"), Fate::FindsNothing),
        (
            "a loop in the host's hands",
            // The host asks for memory to give the paths; that never ends.
            Guest::doing("(global.set $top (i32.const 1)) (call $paths (i32.const 1024)) (call $keys (i32.const 0) (i32.const 0) (i32.const 1024)) (loop (br 0))"),
            Fate::Fails(SPENT),
        ),
    ];
    cases.map(|(name, guest, fate)| specimen(name, guest.component(), fate)).to_vec()
}
