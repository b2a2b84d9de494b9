//! The policy host: runs code that tenants wrote, which it does not trust.
//!
//! Three promises:
//!
//! - **Bounded.** Every call has limits on fuel, time, memory, tables, stack, answer and log lines
//!   ([`CallLimits`]); every component is counted before it is compiled ([`inspect`]) and compiled in a process
//!   of its own, with limits on memory and time ([`compile`]).
//! - **Isolated.** Each call gets a fresh instance that is dropped after it. Guests see no clock, no chance, no
//!   file, no network: all they can call is a bounded log, a snapshot of the plugin's state and its own assets.
//! - **Recorded.** [`Evaluator::evaluate`] never fails: what a guest does wrong is a
//!   [`Verdict`](reprise_lifecycle::decision::Verdict) with a reason, beside the fuel and time it took.
//!
//! From bytes to a verdict:
//!
//! 1. [`inspect`]: is this a component, with hooks we know, small enough to compile? Linear time.
//! 2. [`compile`]: machine code, made by a child process that runs [`compile_child_main`]; an [`Artefact`].
//!    [`Artefact::seal`] lets it be kept in a file, [`Engine::open`] maps it again if nobody touched it.
//! 3. [`Engine::load`]: a [`Loaded`] policy, instantiated up to the last step; keep it in [`LoadedPolicies`].
//! 4. [`Evaluator::trial`] at push: are the exported functions of exactly our types, do they start?
//!    [`Evaluator::check_settings`]: does it accept its settings?
//! 5. [`Evaluator::evaluate`]: one question, one verdict.
//!
//! This crate knows no tenant, no store and no async runtime: how many calls run at once, on which threads, and
//! how long somebody waits for a slot belong to whoever calls it. It opens no file.

mod answers;
mod artefact;
mod bindings;
mod cache;
mod call;
mod class;
mod compile;
mod component;
mod convert;
mod embed;
mod encode;
mod engine;
mod error;
mod evaluate;
mod faces;
mod imports;
mod inspect;
mod limits;
mod lines;
pub mod sample;
pub mod schema;
mod trusted;
mod wasi;

#[cfg(test)]
mod guests;

pub use answers::{MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_RANGES, MAX_TITLE_CHARS, is_reserved_header};
pub use artefact::{Artefact, SealKey};
pub use cache::LoadedPolicies;
pub use call::{Assets, Call, NoAssets, StateSnapshot};
pub use class::Class;
pub use compile::child::compile_child_main;
pub use compile::{CompileLimits, CompilerCommand, compile};
pub use component::Loaded;
pub use embed::embed;
pub use encode::{PLUGIN_CARGO_ARGS, encode_component, encode_component_for};
pub use engine::{Engine, EngineOptions};
pub use error::{CompileError, EmbedError, EncodeError, EngineError, LoadError, OpenError, Refused, SettingsError};
pub use evaluate::{Evaluation, Evaluator, Started};
pub use faces::{Faces, faces};
pub use imports::state::{
    MAX_STATE_BYTES, MAX_STATE_KEY_BYTES, MAX_STATE_KEYS, MAX_STATE_VALUE_BYTES, MAX_STATE_WRITES,
    MAX_STATE_WRITTEN_BYTES,
};
pub use inspect::{
    ASSET_SECTION_PREFIX, AdmissionLimits, Inspection, MAX_ASSET_PATH_BYTES, MAX_ASSET_PATH_PARTS, MAX_ASSETS,
    MAX_ASSETS_BYTES, MAX_SCHEMA_BYTES, SCHEMA_SECTION, inspect,
};
pub use limits::CallLimits;
pub use lines::{INTERFACE, OLDER_INTERFACE};
