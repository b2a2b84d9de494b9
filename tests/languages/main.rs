//! One policy in three languages, and one of an older interface beside it: built with the tools that authors use, asked
//! through the engine that judges them in production. The built server must be there; `make test` builds it first.

mod built;
mod equal;
mod new;
mod old;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use reprise::lab::{Lab, Subject, Table};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The questions, with settings and expected answers.
fn table() -> anyhow::Result<Table> {
    Ok(Table::open(&root().join("tests/fixtures/languages/cases.json"))?)
}

/// The authors' engine, with the server as its compiler.
fn lab() -> anyhow::Result<Lab> {
    Ok(Lab::new()?.with_compiler(reprise_tests::server::binary()?))
}

/// A component that went through all checks of a push.
fn admitted(lab: &Lab, name: &str, component: &[u8]) -> anyhow::Result<Subject> {
    let subject = lab.admit(component, None).subject;
    subject
        .map_err(|rejected| anyhow::anyhow!("{}: {}", rejected.step, rejected.wrong))
        .with_context(|| name.to_owned())
}
