//! A guest that misbehaves as its settings tell it, for tests of the host. One component serves them all:
//! `{"do": "loop"}`; what can be done is listed at [`Deed`]. Without settings it gives the defaults.

use std::hint::black_box;

use reprise_plugin::{
    CallbackAnswer, CallbackQuestion, CallbackReplacement, ComposeAnswer, ComposePlan, ComposeQuestion, Error, GapRule,
    PartRange, Policy, TemplateGroupAnswer, TemplateGroupQuestion, log,
};
use serde::Deserialize;

/// What the guest does when it is asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    /// Gives the hook's default.
    #[default]
    UseDefault,
    /// Gives back what it was asked about: the default group, all parts, the same body.
    Echo,
    /// Never ends.
    Loop,
    /// Calls itself until the stack is gone.
    Recurse,
    /// Allocates until there is no more.
    Grow,
    /// Fills its memory over and over with single instructions that cost little fuel.
    Fill,
    /// Panics.
    Trap,
    /// Answers with megabytes.
    HugeAnswer,
    /// Logs far more lines than are kept, then gives the default.
    LogFlood,
    /// Names a group that the tenant does not have, a part that does not exist, a body that is not JSON.
    BadAnswer,
    /// Adds a header that is the server's own.
    BadHeader,
    /// Says that it cannot decide.
    Refuse,
}

/// The settings, and the guest.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guest {
    #[serde(rename = "do")]
    deed: Deed,
}

/// Larger than any answer may be, smaller than the memory of an instance.
const HUGE_BYTES: usize = 2 << 20;

impl Guest {
    /// Does what needs no answer; returns for the deeds that are about the answer itself.
    fn misbehave(&self) -> Result<(), Error> {
        match self.deed {
            Deed::Loop => {
                let mut turns = 0_u64;
                loop {
                    turns = black_box(turns.wrapping_add(1));
                }
            }
            Deed::Recurse => {
                black_box(recurse(1));
            }
            Deed::Grow => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(black_box(vec![1; 1 << 16]));
                }
            }
            Deed::Fill => {
                let mut block = vec![0_u8; 8 << 20];
                let mut byte = 0_u8;
                loop {
                    byte = byte.wrapping_add(1);
                    block.fill(black_box(byte));
                    black_box(&block);
                }
            }
            Deed::Trap => panic!("the guest was told to"),
            Deed::LogFlood => {
                for line in 0..2_000 {
                    log::info(&format!("line {line} of far too many"));
                }
            }
            Deed::Refuse => return Err("the guest was told to refuse".into()),
            Deed::UseDefault | Deed::Echo | Deed::HugeAnswer | Deed::BadAnswer | Deed::BadHeader => {}
        }
        Ok(())
    }
}

impl Policy for Guest {
    fn template_group(&self, question: &TemplateGroupQuestion) -> Result<TemplateGroupAnswer, Error> {
        self.misbehave()?;
        Ok(match self.deed {
            Deed::Echo => TemplateGroupAnswer::Group(question.default_group.clone()),
            Deed::HugeAnswer => TemplateGroupAnswer::Group("x".repeat(HUGE_BYTES)),
            Deed::BadAnswer => TemplateGroupAnswer::Group("no such group".to_owned()),
            _ => TemplateGroupAnswer::UseDefault,
        })
    }

    fn compose_rules(&self, question: &ComposeQuestion) -> Result<ComposeAnswer, Error> {
        self.misbehave()?;
        let whole = |index| PartRange { index, from_ms: 0, to_ms: None };
        let ranges = match self.deed {
            Deed::Echo => question.parts.iter().map(|part| whole(part.index)).collect(),
            Deed::HugeAnswer => (0..100_000).map(|_| whole(0)).collect(),
            Deed::BadAnswer => vec![whole(u32::MAX)],
            _ => return Ok(ComposeAnswer::UseDefault),
        };
        Ok(ComposeAnswer::Compose(ComposePlan {
            ranges,
            gaps: GapRule::Cut,
            min_duration_ms: 0,
            title: None,
            group: None,
        }))
    }

    fn callback(&self, question: &CallbackQuestion) -> Result<CallbackAnswer, Error> {
        self.misbehave()?;
        let (body, headers) = match self.deed {
            Deed::Echo => (question.body.clone(), Vec::new()),
            Deed::HugeAnswer => (format!(r#"{{"x":"{}"}}"#, "x".repeat(HUGE_BYTES)), Vec::new()),
            Deed::BadAnswer => ("not JSON".to_owned(), Vec::new()),
            Deed::BadHeader => (question.body.clone(), vec![("X-VOD-SIGNATURE".to_owned(), "mine".to_owned())]),
            _ => return Ok(CallbackAnswer::Unchanged),
        };
        Ok(CallbackAnswer::Replace(CallbackReplacement { body, headers }))
    }
}

/// A recursion that no compiler turns into a loop.
fn recurse(depth: u64) -> u64 {
    let below = if black_box(true) { recurse(black_box(depth.wrapping_add(1))) } else { 0 };
    below.wrapping_mul(black_box(depth))
}

reprise_plugin::export!(Guest: template_group, compose_rules, callback);
