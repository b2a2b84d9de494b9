//! Built policies: the first-party plugins and the test guests, compiled once for all tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::Context as _;
use reprise_policy::PLUGIN_CARGO_ARGS;

/// The packages that are built, by the name tests use.
const PACKAGES: [(&str, &str); 5] = [
    ("template-by-stream", "template_by_stream"),
    ("callback-fields", "callback_fields"),
    ("sports-highlights", "sports_highlights"),
    ("reprise-test-guests", "reprise_test_guests"),
    ("reprise-test-guest-0-1", "guest_0_1"),
];

const TARGET: &str = "wasm32-unknown-unknown";

/// The component of a package.
///
/// # Errors
/// When it does not build.
pub fn component(package: &str) -> anyhow::Result<Vec<u8>> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    let folder = folder.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    let (_, file) = PACKAGES.iter().find(|(name, _)| *name == package).context("an unknown guest")?;
    let core = std::fs::read(folder.join(format!("{file}.wasm")))?;
    Ok(reprise_policy::encode_component(&core)?)
}

fn build() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
    // A folder of its own, because the tests' own build may hold the lock of the usual one.
    let target = root.join("target/guests");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(PLUGIN_CARGO_ARGS).args(["--quiet", "--profile", "plugin"]);
    cargo.arg("--target-dir").arg(&target);
    for (package, _) in PACKAGES {
        cargo.args(["--package", package]);
    }
    let status = cargo.status().context("cannot run cargo")?;
    anyhow::ensure!(status.success(), "the guests do not build; is the target there? rustup target add {TARGET}");
    Ok(target.join(TARGET).join("plugin"))
}
