//! JavaScript: componentize-js puts the policy into a JavaScript engine and keeps a snapshot of both.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use super::WORLD;
use super::tool::{Product, absolute, run, said, step};

/// Where the policy begins.
const SOURCE: &str = "policy.js";

const CLI: &str = "node_modules/@bytecodealliance/componentize-js/src/cli.js";

/// All that would ask the host for more than a policy gets: without them the component imports nothing of WASI.
const DISABLED: [&str; 5] = ["stdio", "random", "clocks", "http", "fetch-event"];

/// The oldest Node.js that componentize-js 0.23 runs on: npm leaves out the parser's native part for an older one.
const OLDEST: (u32, u32) = (20, 19);

const NODE: &str = "install Node.js 20.19 or later with npm; where the system's own is older, \
    `npm install --global node@22` brings one";

pub(super) fn component(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = absolute(folder)?;
    let version = said("node", "--version", NODE)?;
    if parsed(&version).is_some_and(|version| version < OLDEST) {
        bail!("Node.js {version} is too old for componentize-js; {NODE}");
    }
    check(&folder)?;
    if !folder.join(CLI).is_file() {
        // With a lock file exactly what it says, otherwise what package.json asks for.
        let action = if folder.join("package-lock.json").is_file() { "ci" } else { "install" };
        step(&format!("npm {action}: installing what package.json names into node_modules"));
        run(Command::new("npm").args([action, "--no-audit", "--no-fund", "--loglevel=error"]), &folder, NODE)?;
    }
    step("componentize-js: making the component, which takes some seconds");
    let product = Product::new(&folder, "javascript")?;
    let mut node = Command::new("node");
    node.args([CLI, SOURCE, "--wit", "wit", "--world-name", WORLD, "--out"]).arg(product.path());
    node.arg("--disable").args(DISABLED);
    run(&mut node, &folder, NODE)?;
    product.read()
}

/// Whether the source is JavaScript at all. Node.js says where it is not; componentize-js shows its own stack instead.
fn check(folder: &Path) -> anyhow::Result<()> {
    let mut node = Command::new("node");
    let checked = node.args(["--check", SOURCE]).current_dir(folder).stdin(Stdio::null()).output();
    let checked = checked.context("cannot run node")?;
    if !checked.status.success() {
        bail!("{SOURCE} is no JavaScript:\n{}", blamed(&String::from_utf8_lossy(&checked.stderr)));
    }
    Ok(())
}

/// What Node.js says of a source, without the stack of its own functions: file and line, the place, what is wrong.
fn blamed(said: &str) -> &str {
    said.split_once("\n    at ").map_or(said, |(blamed, _)| blamed).trim()
}

/// `v20.19.1` as 20 and 19; none of what is no version.
fn parsed(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_by_its_place_alone() {
        let said = "/tmp/p/policy.js:3\n  a(b) { return b +; }\n                   ^\n\nSyntaxError: Unexpected token ';'\n    \
                    at checkSyntax (node:internal/main/check_syntax:74:5)\n\nNode.js v20.20.2\n";
        let blamed = blamed(said);
        assert!(blamed.starts_with("/tmp/p/policy.js:3\n") && blamed.ends_with("\nSyntaxError: Unexpected token ';'"));
        assert_eq!(super::blamed("cannot find policy.js\n"), "cannot find policy.js");
    }

    #[test]
    fn versions_of_node_are_told_apart() {
        for (version, old) in [("v18.20.4", true), ("v20.18.3", true), ("v20.19.0", false), ("v22.1.0", false)] {
            assert_eq!(parsed(version).unwrap() < OLDEST, old, "{version}");
        }
        assert_eq!(parsed("not a version"), None);
    }
}
