//! JavaScript: componentize-js puts the policy into a JavaScript engine and keeps a snapshot of both.

use std::path::Path;
use std::process::Command;

use super::WORLD;
use super::tool::{Product, absolute, run, step};

const CLI: &str = "node_modules/@bytecodealliance/componentize-js/src/cli.js";

/// All that would ask the host for more than a policy gets: without them the component imports nothing of WASI.
const DISABLED: [&str; 5] = ["stdio", "random", "clocks", "http", "fetch-event"];

const NODE: &str = "install Node.js 20 or later with npm, on Debian: apt-get install nodejs npm";

pub(super) fn component(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = absolute(folder)?;
    if !folder.join(CLI).is_file() {
        // With a lock file exactly what it says, otherwise what package.json asks for.
        let action = if folder.join("package-lock.json").is_file() { "ci" } else { "install" };
        step(&format!("npm {action}: installing what package.json names into node_modules"));
        run(Command::new("npm").args([action, "--no-audit", "--no-fund", "--loglevel=error"]), &folder, NODE)?;
    }
    step("componentize-js: making the component, which takes some seconds");
    let product = Product::new(&folder, "javascript")?;
    let mut node = Command::new("node");
    node.args([CLI, "policy.js", "--wit", "wit", "--world-name", WORLD, "--out"]).arg(product.path());
    node.arg("--disable").args(DISABLED);
    run(&mut node, &folder, NODE)?;
    product.read()
}
