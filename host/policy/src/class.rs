//! Two classes of components. A policy that was compiled is small and quick; one that carries the runtime of a script
//! language is neither, and is measured with another yardstick instead of loosening the first one. Both get the same
//! instructions of the machine, so that machine code of either runs on one configuration of the engine.

use serde::{Deserialize, Serialize};

use crate::compile::CompileLimits;
use crate::inspect::AdmissionLimits;
use crate::limits::{
    CORE_INSTANCES, CallLimits, MEMORIES, MEMORY_BYTES, SCRIPTED_CORE_INSTANCES, SCRIPTED_MEMORY_BYTES,
    SCRIPTED_STACK_BYTES, STACK_BYTES, TABLE_ELEMENTS, TABLES,
};

/// Which limits a component is held to. Its size decides, besides schema and assets: see
/// [`AdmissionLimits`](crate::AdmissionLimits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Compiled from Rust, C, Go and the like.
    #[default]
    Standard,
    /// Carries the runtime of JavaScript, Python and the like.
    Scripted,
}

impl Class {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Scripted];

    /// Its name in configuration and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Scripted => "scripted",
        }
    }

    /// What one slot of this class's pool has room for.
    pub(crate) fn slot(self) -> Slot {
        match self {
            Self::Standard => Slot {
                core_instances: CORE_INSTANCES,
                memory_bytes: MEMORY_BYTES,
                keep_resident_bytes: 256 << 10,
                stack_bytes: STACK_BYTES,
            },
            Self::Scripted => Slot {
                core_instances: SCRIPTED_CORE_INSTANCES,
                memory_bytes: SCRIPTED_MEMORY_BYTES,
                keep_resident_bytes: 2 << 20,
                stack_bytes: SCRIPTED_STACK_BYTES,
            },
        }
    }
}

/// The size of a slot. Memories, tables and their elements are the same for both classes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) core_instances: u32,
    pub(crate) memory_bytes: usize,
    /// Linear memory that stays mapped between two calls. Resetting it by hand is cheaper than giving it back and
    /// faulting it in again. Policies built with our SDK have three pages of memory, the standard class keeps four;
    /// what touches more works as well, only its upper pages are faulted in again for each call.
    pub(crate) keep_resident_bytes: usize,
    pub(crate) stack_bytes: usize,
}

impl Slot {
    pub(crate) const MEMORIES: u32 = MEMORIES;
    pub(crate) const TABLES: u32 = TABLES;
    pub(crate) const TABLE_ELEMENTS: usize = TABLE_ELEMENTS;
}

impl AdmissionLimits {
    /// Those of a class, and of no other.
    pub fn of(class: Class) -> Self {
        match class {
            Class::Standard => Self::standard(),
            Class::Scripted => Self::scripted(),
        }
    }
}

impl CallLimits {
    /// Those of a class.
    pub fn of(class: Class) -> Self {
        match class {
            Class::Standard => Self::standard(),
            Class::Scripted => Self::scripted(),
        }
    }
}

impl CompileLimits {
    /// Those of a class.
    pub fn of(class: Class) -> Self {
        match class {
            Class::Standard => Self::standard(),
            Class::Scripted => Self::scripted(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::call::{Call, NoAssets, StateSnapshot};
    use crate::evaluate::Evaluator;
    use crate::evaluate::tests::question;
    use crate::guests::{Core, engine, load_as};

    #[test]
    fn what_a_call_may_have_is_there_in_its_slot() {
        for class in Class::ALL {
            let limits = CallLimits::of(class);
            assert_eq!((limits.memory_bytes, limits.table_elements), (class.slot().memory_bytes, Slot::TABLE_ELEMENTS));
        }
    }

    #[test]
    fn each_class_has_slots_and_limits_of_its_own() {
        // Twice what a standard slot has, which the guest must be granted.
        let wants = MEMORY_BYTES * 2 / (64 << 10);
        let body =
            format!("(if (i32.lt_s (memory.grow (i32.const {wants})) (i32.const 0)) (then unreachable)) (i32.const 0)");
        let (component, engine) = (Core::template_group(&body).component(), engine());
        let state = StateSnapshot::default();
        for (class, granted) in [(Class::Standard, false), (Class::Scripted, true)] {
            let loaded = load_as(&engine, &component, class);
            let (limits, assets) = (CallLimits::of(class), NoAssets::shared());
            let call = Call {
                question: &question(),
                settings: "",
                state: &state,
                assets: &Arc::clone(&assets),
                limits: &limits,
            };
            let evaluation = Evaluator::new(engine.clone()).evaluate(&loaded, &call);
            let answered = matches!(evaluation.verdict, reprise_lifecycle::decision::Verdict::Answered(_));
            assert_eq!(answered, granted, "{class:?}: {evaluation:?}");
        }
    }
}
