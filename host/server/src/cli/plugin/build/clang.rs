//! C: clang makes a core module, and the project's WIT files say what it exports.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::WORLD;
use super::tool::{Product, absolute, run, step};

const CLANG: &str = "install clang 14 or later with lld, on Debian: apt-get install clang lld";

/// The world uses the package before it.
const WIT: [&str; 2] = ["wit/deps/reprise-policy/policy.wit", "wit/world.wit"];

pub(super) fn component(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = absolute(folder)?;
    step("clang: compiling policy.c");
    let product = Product::new(&folder, "c")?;
    let mut clang = Command::new("clang");
    clang.args(["--target=wasm32", "-std=c17", "-Oz", "-Wall", "-Wextra", "-nostdlib"]);
    // Of headers there are the compiler's own and the project's.
    clang.args(["-ffreestanding", "-nostdlibinc"]);
    // The small stack comes first in memory, so that running over it traps and little is touched.
    clang.args(["-mbulk-memory", "-Wl,--no-entry,--stack-first,--strip-all,-z,stack-size=65536"]);
    clang.args(["-isystem", "libc", "policy.c", "plugin.c", "libc/libc.c", "-o"]).arg(product.path());
    run(&mut clang, &folder, CLANG)
        .with_context(|| format!("policy.c does not compile; if a tool is missing, {CLANG}"))?;
    let texts =
        WIT.map(|file| std::fs::read_to_string(folder.join(file)).with_context(|| format!("cannot read {file}")));
    let [package, world] = texts;
    let wit = [(WIT[0], package?), (WIT[1], world?)];
    let wit = wit.each_ref().map(|(name, text)| (*name, text.as_str()));
    reprise_policy::encode_component_for(&product.read()?, &wit, WORLD)
        .context("the module does not become a component")
}
