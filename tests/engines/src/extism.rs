//! Extism: core modules on wasmtime, bytes in and bytes out. The plug-in beside this crate is built first.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};

use super::{Case, sample};

pub(crate) fn case() -> anyhow::Result<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("extism-guest");
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown"])
        .current_dir(&folder)
        .status()
        .context("cargo runs")?;
    anyhow::ensure!(built.success(), "the Extism plug-in does not build");
    let module = std::fs::read(folder.join("target/wasm32-unknown-unknown/release/extism_guest.wasm"))?;
    let manifest = Manifest::new([Wasm::data(module)]).with_memory_max(256);
    let builder = PluginBuilder::new(manifest).with_wasi(false).with_fuel_limit(25_000_000);
    let compiled = CompiledPlugin::new(builder)?;
    let text = serde_json::to_string(&sample::input())?;
    let (mut kept, same) = (Plugin::new_from_compiled(&compiled)?, text.clone());
    Ok(Case {
        name: "Extism",
        limits: "fuel, time, memory",
        fresh: Box::new(move || {
            let mut plugin = Plugin::new_from_compiled(&compiled).expect("an instance");
            plugin.call::<&str, String>("decide", &text).expect("an answer")
        }),
        reused: Some(Box::new(move || kept.call::<&str, String>("decide", &same).expect("an answer"))),
    })
}
