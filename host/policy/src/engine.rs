//! The engine: one configuration for whoever compiles and whoever runs, the pool of slots, and the thread that
//! lets deadlines pass. Engine and ticker are one object, so that no deadline is armed that nobody ticks.

mod ticker;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use wasmparser::WasmFeatures;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::class::{Class, Slot};
use crate::error::EngineError;
use ticker::Ticker;
pub(crate) use ticker::{Guest, TICK};

/// Tables that stay mapped in a slot between two calls: a few hundred elements of 8 bytes.
const TABLE_KEEP_RESIDENT_BYTES: usize = 16 << 10;

/// What an operator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Calls of the standard class that can run at once. Each slot reserves about 4 GiB of address space and no memory
    /// until it is used; whoever calls must not run more than this, or the verdict is `Overloaded`.
    pub max_concurrent_calls: u32,
    /// The same for calls of the scripted class, each of which may use four times the memory.
    pub scripted_concurrent_calls: u32,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { max_concurrent_calls: 64, scripted_concurrent_calls: 8 }
    }
}

/// Compiles nothing and runs policies. Cheap to clone; the ticker ends with the last clone.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    standard: wasmtime::Engine,
    scripted: wasmtime::Engine,
    fingerprint: String,
    ticker: Ticker,
}

impl Engine {
    /// Reserves the pools and starts the ticker.
    ///
    /// # Errors
    ///
    /// When the machine does not grant the address space, or the thread.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let pooled = |class: Class, calls: u32| {
            build(class, Some(calls)).map_err(|error| EngineError::Pool { calls, reason: format!("{error:#}") })
        };
        let standard = pooled(Class::Standard, options.max_concurrent_calls)?;
        let scripted = pooled(Class::Scripted, options.scripted_concurrent_calls)?;
        let fingerprint = fingerprint(&standard);
        let ticker = Ticker::start([standard.clone(), scripted.clone()]).map_err(EngineError::Ticker)?;
        Ok(Self { inner: Arc::new(Inner { standard, scripted, fingerprint, ticker }) })
    }

    /// Says which machine code this engine can run: artefacts of another fingerprint are useless to it.
    pub fn fingerprint(&self) -> &str {
        &self.inner.fingerprint
    }

    /// A guest runs for as long as this is held.
    pub(crate) fn guest(&self) -> Guest<'_> {
        self.inner.ticker.guest()
    }

    pub(crate) fn wasm(&self, class: Class) -> &wasmtime::Engine {
        match class {
            Class::Standard => &self.inner.standard,
            Class::Scripted => &self.inner.scripted,
        }
    }
}

/// The engine of the compile child: the same configuration without a pool, whose reserved address space the
/// child's limit would not allow. Pools do not change machine code; the test of [`fingerprint`] says so.
pub(crate) fn compiler_engine() -> wasmtime::Result<wasmtime::Engine> {
    build(Class::Standard, None)
}

/// Everything that machine code depends on: this crate's version, the engine's, its flags and its target.
pub(crate) fn fingerprint(wasm: &wasmtime::Engine) -> String {
    let mut hasher = DefaultHasher::new();
    wasm.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{:016x}", env!("CARGO_PKG_VERSION"), hasher.finish())
}

fn build(class: Class, pool_of: Option<u32>) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = Config::new();
    config.consume_fuel(true);
    config.epoch_interruption(true);
    config.max_wasm_stack(class.slot().stack_bytes);
    // The same question must have the same answer on every machine, and NaN bits differ between them.
    config.cranelift_nan_canonicalization(true);
    config.wasm_features(WasmFeatures::all(), false);
    config.wasm_features(features(), true);
    config.concurrency_support(false);
    // A trap's place is of no use without names, which plugins are stripped of; panics are logged instead.
    config.wasm_backtrace_max_frames(None);
    config.generate_address_map(false);
    if let Some(calls) = pool_of {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(class.slot(), calls)));
    }
    wasmtime::Engine::new(&config)
}

/// What guests may use of the standard: the second edition, which is what compilers emit, and components. Not
/// vectors, tail calls, exceptions, 64-bit or several memories, threads, garbage collection: policies need none
/// of them, and each was part of an advisory or depends on the machine. Sums in constant expressions are there because
/// Python is linked from libraries, whose data lies at an offset that another module says.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        .difference(WasmFeatures::SIMD.union(WasmFeatures::GC_TYPES))
        .union(WasmFeatures::EXTENDED_CONST)
        .union(WasmFeatures::COMPONENT_MODEL)
}

/// Every number follows from how many calls run at once, and from what one component may have.
fn pool(slot: Slot, calls: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(slot.core_instances))
        .total_memories(calls.saturating_mul(Slot::MEMORIES))
        .total_tables(calls.saturating_mul(Slot::TABLES))
        .max_core_instances_per_component(slot.core_instances)
        .max_memories_per_component(Slot::MEMORIES)
        .max_tables_per_component(Slot::TABLES)
        .max_tables_per_module(Slot::TABLES)
        .max_memories_per_module(Slot::MEMORIES)
        .max_memory_size(slot.memory_bytes)
        .table_elements(Slot::TABLE_ELEMENTS)
        .linear_memory_keep_resident(slot.keep_resident_bytes)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        // A slot that stays warm for its component saves mapping its image again.
        .max_unused_warm_slots(calls);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Engine {
        Engine::new(EngineOptions { max_concurrent_calls: 1, scripted_concurrent_calls: 1 }).unwrap()
    }

    #[test]
    fn neither_pool_nor_class_changes_machine_code() {
        let engine = small();
        let compiler = fingerprint(&compiler_engine().unwrap());
        assert_eq!(engine.fingerprint(), compiler);
        for class in Class::ALL {
            assert_eq!(fingerprint(engine.wasm(class)), compiler, "{class:?}");
        }
    }

    #[test]
    fn the_ticker_ends_with_the_engine() {
        let engine = small();
        let weak = Class::ALL.map(|class| engine.wasm(class).weak());
        let clone = engine.clone();
        drop(engine);
        assert!(weak.iter().all(|weak| weak.upgrade().is_some()));
        drop(clone);
        assert!(weak.iter().all(|weak| weak.upgrade().is_none()));
    }
}
