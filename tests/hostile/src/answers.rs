//! Answers that lie about where they are, how large they are and what they say.

use reprise_lifecycle::decision::FailureKind::{self, BadAnswer, Fuel, Refused, TooLarge, Trap};
use reprise_lifecycle::question::Hook;

use crate::guest::Guest;
use crate::{Fate, Specimen};

/// The answer is built at 1024. A result has its word at 0: whether it is an error.
const AT: u32 = 1024;

/// Bytes and words put at offsets of the answer.
fn put(words: &[(u32, u32)]) -> String {
    words.iter().map(|(offset, word)| format!("(i32.store (i32.const {}) (i32.const {word}))", AT + offset)).collect()
}

/// An answer of these words.
fn answer(words: &[(u32, u32)]) -> Guest {
    Guest::new(format!("{} (i32.const {AT})", put(words)))
}

/// A text in the memory at 4096.
fn text(text: &str) -> String {
    format!("(data (i32.const 4096) \"{text}\")")
}

pub(crate) fn all() -> Vec<Specimen> {
    // What cannot be read.
    const UNREADABLE: &[FailureKind] = &[BadAnswer, Trap];
    const LARGE: &[FailureKind] = &[TooLarge];
    const BAD: &[FailureKind] = &[BadAnswer];
    // template-group: 4 which, 8 and 12 the group; 16 whether there is a reason, 20 and 24 it. An error: 4 and 8.
    let group = |at: u32, length: u32| answer(&[(4, 1), (8, at), (12, length)]);
    let groups = [
        ("an answer out of bounds", Guest::new("(i32.const 0x7fffff00)"), UNREADABLE),
        ("an answer at an odd address", Guest::new("(i32.const 1025)"), UNREADABLE),
        ("an answer across the end of memory", Guest::new("(i32.const 131068)"), UNREADABLE),
        ("neither good nor bad", answer(&[(0, 77)]), UNREADABLE),
        ("an answer of no kind", answer(&[(4, 9)]), UNREADABLE),
        ("a reason of no kind", answer(&[(16, 9)]), UNREADABLE),
        ("a group of four gigabytes", group(4096, u32::MAX), UNREADABLE),
        ("a group across the end of memory", group(131_000, 200), UNREADABLE),
        ("a group of fifteen megabytes", group(65_536, 15 << 20).memory("250"), LARGE),
        ("a group that is no UTF-8", group(4096, 4).fields(text("\\ff\\fe\\fd\\fc")), UNREADABLE),
        ("a group that does not exist", group(4096, 4).fields(text("evil")), BAD),
        ("a group of nothing", group(4096, 0), BAD),
        ("a group of control characters", group(4096, 5).fields(text("\\1b[31m")), BAD),
        ("an error of fifteen megabytes", answer(&[(0, 1), (4, 65_536), (8, 15 << 20)]).memory("250"), LARGE),
        (
            "an error of control characters",
            answer(&[(0, 1), (4, 4096), (8, 9)]).fields(text("\\1b[2J\\0a\\0d\\00\\07x")),
            &[Refused],
        ),
        ("a reason of fifteen megabytes", answer(&[(16, 1), (20, 65_536), (24, 15 << 20)]).memory("250"), LARGE),
        ("a reason out of bounds", answer(&[(16, 1), (20, 0x7fff_ff00), (24, 16)]), UNREADABLE),
    ];
    // compose-rules: 8 which, 16 and 20 the ranges, 24 gaps, 40 title, 52 group. A range: 0 part, 8 from, 16 to.
    let ranges = |at: u32, count: u32| answer(&[(8, 2), (16, at), (20, count)]);
    let composes = [
        ("no ranges", ranges(4096, 0), BAD),
        ("a million ranges that are not there", ranges(4096, 1_000_000), UNREADABLE),
        ("four billion ranges", ranges(4096, u32::MAX), UNREADABLE),
        ("four hundred thousand ranges", ranges(65_536, 400_000).memory("250"), LARGE),
        ("twelve thousand ranges", ranges(65_536, 12_000).memory("250"), BAD),
        ("the whole ten thousand times", ranges(65_536, 10_000).memory("250"), BAD),
        (
            "a part that does not exist",
            Guest::new(format!(
                "(i32.store (i32.const 4096) (i32.const -1)) {} (i32.const {AT})",
                put(&[(8, 2), (16, 4096), (20, 1)])
            )),
            BAD,
        ),
        (
            "a range that goes back",
            Guest::new(format!(
                "(i64.store (i32.const 4104) (i64.const 500)) (i32.store (i32.const 4112) (i32.const 1)) \
                 (i64.store (i32.const 4120) (i64.const 100)) {} (i32.const {AT})",
                put(&[(8, 2), (16, 4096), (20, 1)])
            )),
            BAD,
        ),
        (
            "a range past the end of time",
            Guest::new(format!(
                "(i64.store (i32.const 4104) (i64.const 0x7fffffffffffffff)) (i32.store (i32.const 4112) (i32.const 1)) \
                 (i64.store (i32.const 4120) (i64.const -1)) {} (i32.const {AT})",
                put(&[(8, 2), (16, 4096), (20, 1)])
            )),
            BAD,
        ),
        ("gaps of no kind", answer(&[(8, 2), (16, 4096), (20, 1), (24, 9)]), UNREADABLE),
    ];
    // callback: 4 which, 8 and 12 the body, 16 and 20 the headers. A header: name and value.
    let body = |at: u32, length: u32| answer(&[(4, 2), (8, at), (12, length)]);
    let header = |name: u32, value: u32, value_at: u32| {
        Guest::new(format!(
            "(i32.store (i32.const 8192) (i32.const 4100)) (i32.store (i32.const 8196) (i32.const {name})) \
             (i32.store (i32.const 8200) (i32.const {value_at})) (i32.store (i32.const 8204) (i32.const {value})) {} (i32.const {AT})",
            put(&[(4, 2), (8, 4096), (12, 2), (16, 8192), (20, 1)])
        ))
    };
    let callbacks = [
        ("a body that is no JSON", body(4096, 4).fields(text("evil")), BAD),
        ("a body that is a list", body(4096, 2).fields(text("[]")), BAD),
        ("a body of a hundred kilobytes", body(65_536, 100 << 10).memory("10"), BAD),
        ("a body of fifteen megabytes", body(65_536, 15 << 20).memory("250"), LARGE),
        (
            "a body of brackets",
            Guest::new(format!(
                "(memory.fill (i32.const 65536) (i32.const 91) (i32.const 60000)) {} (i32.const {AT})",
                put(&[(4, 2), (8, 65_536), (12, 60_000)])
            )),
            BAD,
        ),
        ("the server's own header", header(4, 1, 4096).fields(text("{}  host")), BAD),
        ("a header that ends the line", header(1, 5, 4104).fields(text("{}  x   a\\0d\\0ab:")), BAD),
        ("a header without a name", header(0, 1, 4096).fields(text("{}")), BAD),
        ("a header of a megabyte", header(1, 1 << 20, 65_536).fields(text("{}  x")).memory("40"), LARGE),
        (
            "a hundred thousand headers",
            answer(&[(4, 2), (8, 4096), (12, 2), (16, 65_536), (20, 100_000)]).fields(text("{}")).memory("250"),
            &[TooLarge, BadAnswer, Fuel],
        ),
    ];
    let of = |hook: Hook| {
        move |(name, guest, kinds): (&str, Guest, &'static [FailureKind])| Specimen {
            name: name.to_owned(),
            hook,
            bytes: guest.at(hook).component(),
            fate: Fate::Fails(kinds),
        }
    };
    let groups = groups.into_iter().map(of(Hook::TemplateGroup));
    let composes = composes.into_iter().map(of(Hook::ComposeRules));
    groups.chain(composes).chain(callbacks.into_iter().map(of(Hook::Callback))).collect()
}
