//! What one call may use up, and the meter that holds a guest to its memory and tables.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Linear memory of one instance, all its memories together. Policies read a question of some kilobytes; the
/// largest real ones (a broadcast of 10,000 parts) take about 4 MiB.
pub(crate) const MEMORY_BYTES: usize = 16 << 20;

/// The same for a component that carries the runtime of a script language: a small policy takes 9 MiB with SpiderMonkey
/// and 13 with CPython, and both collect garbage late.
pub(crate) const SCRIPTED_MEMORY_BYTES: usize = 64 << 20;

/// Elements of one table. Rust guests have some hundreds; a table is host memory at 8 bytes for each.
pub(crate) const TABLE_ELEMENTS: usize = 10_000;

/// Call stack of a guest. It lives on the stack of the calling thread, whose own size (2 MiB for a thread of
/// the standard library) must hold it and the host's frames.
pub(crate) const STACK_BYTES: usize = 256 << 10;

/// The same for a component that carries a runtime, whose interpreter recurses on this stack for each level of the
/// script. A thread of the standard library holds it.
pub(crate) const SCRIPTED_STACK_BYTES: usize = 1 << 20;

/// Core instances of one component: the module, and the shims that tools put around it.
pub(crate) const CORE_INSTANCES: u32 = 8;

/// The same for a component that carries a runtime: Python is linked from its libraries and from one shim for each
/// interface of WASI, 108 in all.
pub(crate) const SCRIPTED_CORE_INSTANCES: u32 = 160;

/// Memories of one component: each is 4 GiB of reserved address space in the pool.
pub(crate) const MEMORIES: u32 = 1;

/// Tables of one component: the module's, and those of shims.
pub(crate) const TABLES: u32 = 4;

/// What one call may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Fuel, about one unit for each instruction. It makes the outcome the same on every machine, so it is the
    /// limit that a runaway guest should meet first.
    pub fuel: u64,
    /// Processor time of the calling thread. Processor time and not time of day, so that a machine busy with
    /// transcoding does not make a tenant's policy fail.
    pub cpu: Duration,
    /// Time of day, for the caller who waits: past it the call ends even if it hardly ran.
    pub wall: Duration,
    /// Linear memory of the instance. The pool of the engine has a maximum of its own; what is above it is not granted.
    pub memory_bytes: usize,
    /// Elements of each table.
    pub table_elements: usize,
    /// Bytes that the host copies out of the guest in one go: the answer, or one line for the log. Without it
    /// one answer could be as large as the guest's memory, times what a list element takes here.
    pub answer_bytes: usize,
    /// Lines of the log that are kept.
    pub log_lines: usize,
    /// Bytes of the log that are kept, all lines together.
    pub log_bytes: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self::standard()
    }
}

impl CallLimits {
    /// For compiled policies.
    pub fn standard() -> Self {
        Self {
            // The policies in this repository use less than 200,000. A question of 10,000 parts, the largest
            // there is, takes 15 million to hand over; filling all the memory takes 17 million.
            fuel: 25_000_000,
            // What the fuel above takes on a slow machine, so that it is normally the fuel that ends a loop.
            cpu: Duration::from_millis(100),
            wall: Duration::from_secs(1),
            memory_bytes: MEMORY_BYTES,
            table_elements: TABLE_ELEMENTS,
            // 10,000 compose ranges of 32 bytes, or a callback body and its headers.
            answer_bytes: 512 << 10,
            log_lines: 64,
            log_bytes: 4 << 10,
        }
    }

    /// For policies that carry the runtime of a script language, which has to be woken before it reads the question: a
    /// small JavaScript policy takes 1.8 million units of fuel, one in Python 0.3 million.
    pub fn scripted() -> Self {
        Self {
            // An interpreter takes some twenty instructions for each of a compiled policy's.
            fuel: 500_000_000,
            cpu: Duration::from_secs(1),
            wall: Duration::from_secs(5),
            memory_bytes: SCRIPTED_MEMORY_BYTES,
            ..Self::standard()
        }
    }
}

/// Counts what an instance asks for, and remembers a refusal: a guest that was denied memory usually ends in
/// some trap, and its author should hear about the memory.
#[derive(Debug)]
pub(crate) struct Meter {
    limit_bytes: usize,
    limit_elements: usize,
    memory_bytes: usize,
    denied: bool,
}

impl Meter {
    pub(crate) fn new(limits: &CallLimits) -> Self {
        Self { limit_bytes: limits.memory_bytes, limit_elements: limits.table_elements, memory_bytes: 0, denied: false }
    }

    /// Linear memory that the instance has. It never shrinks, so at the end it is the most there was.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Whether the instance asked for more than it may have.
    pub(crate) fn denied(&self) -> bool {
        self.denied
    }
}

/// How many instances, memories and tables there are is not counted here: a component says so itself, and the engine
/// takes in none that has more than a slot of its pool.
impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        if total > self.limit_bytes {
            self.denied = true;
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.denied = true;
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.limit_elements {
            self.denied = true;
            return Ok(false);
        }
        Ok(true)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.denied = true;
        Ok(())
    }
}
