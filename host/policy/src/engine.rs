//! The engine: one configuration for whoever compiles and whoever runs, the pool of slots, and the thread that
//! lets deadlines pass. Engine and ticker are one object, so that no deadline is armed that nobody ticks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmparser::WasmFeatures;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::error::EngineError;
use crate::limits::{CORE_INSTANCES, MEMORIES, MEMORY_BYTES, STACK_BYTES, TABLE_ELEMENTS, TABLES};

/// How exact a deadline is. Shorter wakes an idle machine more often for nothing anybody would notice.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Linear memory that stays mapped in a slot between two calls. Resetting it by hand is cheaper than giving it
/// back and faulting it in again. Policies built with our SDK have three pages of memory, this is four; one with
/// more works as well, only its upper pages are faulted in again for each call.
const KEEP_RESIDENT_BYTES: usize = 256 << 10;

/// The same for tables: a few hundred elements of 8 bytes.
const TABLE_KEEP_RESIDENT_BYTES: usize = 16 << 10;

/// What an operator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// Calls that can run at once. Each slot reserves about 4 GiB of address space and no memory until it is
    /// used; whoever calls must not run more than this, or the verdict is `Overloaded`.
    pub max_concurrent_calls: u32,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { max_concurrent_calls: 64 }
    }
}

/// Compiles nothing and runs policies. Cheap to clone; the ticker ends with the last clone.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    wasm: wasmtime::Engine,
    fingerprint: String,
    _ticker: Ticker,
}

impl Engine {
    /// Reserves the pool and starts the ticker.
    ///
    /// # Errors
    ///
    /// When the machine does not grant the address space, or the thread.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let wasm = build(Some(options.max_concurrent_calls))
            .map_err(|error| EngineError::Pool { calls: options.max_concurrent_calls, reason: format!("{error:#}") })?;
        let fingerprint = fingerprint(&wasm);
        let ticker = Ticker::start(wasm.clone()).map_err(EngineError::Ticker)?;
        Ok(Self { inner: Arc::new(Inner { wasm, fingerprint, _ticker: ticker }) })
    }

    /// Says which machine code this engine can run: artefacts of another fingerprint are useless to it.
    pub fn fingerprint(&self) -> &str {
        &self.inner.fingerprint
    }

    pub(crate) fn wasm(&self) -> &wasmtime::Engine {
        &self.inner.wasm
    }
}

/// The engine of the compile child: the same configuration without a pool, whose reserved address space the
/// child's limit would not allow. Pools do not change machine code; the test of [`fingerprint`] says so.
pub(crate) fn compiler_engine() -> wasmtime::Result<wasmtime::Engine> {
    build(None)
}

/// Everything that machine code depends on: this crate's version, the engine's, its flags and its target.
pub(crate) fn fingerprint(wasm: &wasmtime::Engine) -> String {
    let mut hasher = DefaultHasher::new();
    wasm.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{:016x}", env!("CARGO_PKG_VERSION"), hasher.finish())
}

fn build(pool_of: Option<u32>) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = Config::new();
    config.consume_fuel(true);
    config.epoch_interruption(true);
    config.max_wasm_stack(STACK_BYTES);
    // The same question must have the same answer on every machine, and NaN bits differ between them.
    config.cranelift_nan_canonicalization(true);
    config.wasm_features(WasmFeatures::all(), false);
    config.wasm_features(features(), true);
    config.concurrency_support(false);
    // A trap's place is of no use without names, which plugins are stripped of; panics are logged instead.
    config.wasm_backtrace_max_frames(None);
    config.generate_address_map(false);
    if let Some(calls) = pool_of {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(calls)));
    }
    wasmtime::Engine::new(&config)
}

/// What guests may use of the standard: the second edition, which is what compilers emit, and components. Not
/// vectors, tail calls, exceptions, 64-bit or several memories, threads, garbage collection: policies need none
/// of them, and each was part of an advisory or depends on the machine.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        .difference(WasmFeatures::SIMD.union(WasmFeatures::GC_TYPES))
        .union(WasmFeatures::COMPONENT_MODEL)
}

/// Every number follows from how many calls run at once, and from what one component may have.
fn pool(calls: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(CORE_INSTANCES))
        .total_memories(calls.saturating_mul(MEMORIES))
        .total_tables(calls.saturating_mul(TABLES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_tables_per_module(TABLES)
        .max_memories_per_module(MEMORIES)
        .max_memory_size(MEMORY_BYTES)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        // A slot that stays warm for its component saves mapping its image again.
        .max_unused_warm_slots(calls);
    pool
}

/// The thread that lets epochs pass. Dropping it ends the thread.
#[derive(Debug)]
struct Ticker {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(wasm: wasmtime::Engine) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("policy-ticker".to_owned()).spawn(move || {
            while matches!(stopped.recv_timeout(TICK), Err(RecvTimeoutError::Timeout)) {
                wasm.increment_epoch();
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread runs nothing that can panic, and there is nobody to tell.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_does_not_change_machine_code() {
        let engine = Engine::new(EngineOptions { max_concurrent_calls: 2 }).unwrap();
        assert_eq!(engine.fingerprint(), fingerprint(&compiler_engine().unwrap()));
    }

    #[test]
    fn the_ticker_ends_with_the_engine() {
        let engine = Engine::new(EngineOptions { max_concurrent_calls: 1 }).unwrap();
        let weak = engine.wasm().weak();
        let clone = engine.clone();
        drop(engine);
        assert!(weak.upgrade().is_some());
        drop(clone);
        assert!(weak.upgrade().is_none());
    }
}
