//! Python: componentize-py puts the policy into a Python and keeps a snapshot of both.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use super::WORLD;
use super::tool::{Product, absolute, run, step};

const TOOL: &str = ".venv/bin/componentize-py";

const PYTHON: &str = "install Python 3.10 or later with venv, on Debian: apt-get install python3-venv";

pub(super) fn component(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = absolute(folder)?;
    let tool = folder.join(TOOL);
    if !tool.is_file() {
        step("python3 -m venv: making .venv and installing what requirements.txt names");
        run(Command::new("python3").args(["-m", "venv", ".venv"]), &folder, PYTHON)
            .with_context(|| format!("there is no virtual environment; {PYTHON}"))?;
        let mut pip = Command::new(folder.join(".venv/bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"]);
        run(&mut pip, &folder, PYTHON).context("requirements.txt cannot be installed")?;
    }
    step("componentize-py: making the component, which takes some seconds");
    let product = Product::new(&folder, "python")?;
    let mut componentize = Command::new(tool);
    // WASI is replaced by stubs that trap: clock, chance, files and network are not for policies.
    componentize.args(["--quiet", "--wit-path", "wit", "--world", WORLD, "componentize", "policy", "--stub-wasi"]);
    componentize.arg("--output").arg(product.path());
    // Of an environment that the author happens to be in nothing may get into the component.
    componentize.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH");
    run(&mut componentize, &folder, PYTHON)?;
    product.read()
}
