//! From a policy's folder to a component: the language's own tools make it, and what the policy carries beside its code
//! is put in.

mod carried;
mod clang;
mod javascript;
mod python;
mod rust;
mod tool;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum;

/// What a policy is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// With the SDK, by cargo
    Rust,
    /// By componentize-js
    #[value(name = "js")]
    JavaScript,
    /// By componentize-py
    Python,
    /// With generated bindings, by clang
    C,
}

/// The world that projects in languages without an SDK describe themselves by, in their folder `wit`.
const WORLD: &str = "plugin";

/// One build.
#[derive(Debug)]
pub(super) struct Build<'a> {
    pub(super) folder: &'a Path,
    pub(super) output: Option<&'a Path>,
    pub(super) profile: &'a str,
    pub(super) language: Option<Language>,
}

/// Builds a policy's folder with a cargo profile.
pub(crate) fn build(folder: &Path, output: Option<&Path>, profile: &str) -> anyhow::Result<PathBuf> {
    Build { folder, output, profile, language: None }.run()
}

impl Build<'_> {
    /// Leaves the component in a file, and says on stderr what it is.
    pub(super) fn run(&self) -> anyhow::Result<PathBuf> {
        if !self.folder.is_dir() {
            bail!("there is no folder {}", self.folder.display());
        }
        let language = match self.language {
            Some(language) => language,
            None => detect(self.folder)?,
        };
        let component = match language {
            Language::Rust => rust::component(self.folder, self.profile),
            Language::JavaScript => javascript::component(self.folder),
            Language::Python => python::component(self.folder),
            Language::C => clang::component(self.folder),
        }?;
        let component = carried::embed(self.folder, component)?;
        let output = self.output.map_or_else(|| self.folder.join("build/policy.wasm"), Path::to_owned);
        if let Some(folder) = output.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(&output, &component).with_context(|| format!("cannot write {}", output.display()))?;
        report(&component)?;
        Ok(output)
    }
}

fn detect(folder: &Path) -> anyhow::Result<Language> {
    let has = |file: &str| folder.join(file).is_file();
    Ok(if has("Cargo.toml") {
        Language::Rust
    } else if has("package.json") {
        Language::JavaScript
    } else if has("policy.py") {
        Language::Python
    } else if has("policy.c") {
        Language::C
    } else {
        bail!(
            "{} has no Cargo.toml, package.json, policy.py or policy.c; `reprise plugin new NAME` makes a policy's folder",
            folder.display()
        );
    })
}

/// For the author, who reads it after every build. Whether the server takes it is for `check` to say.
fn report(component: &[u8]) -> anyhow::Result<()> {
    let faces = reprise_policy::faces(component).context("the tools left something that is no component")?;
    let list = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    eprintln!("size     {} KiB", component.len().div_ceil(1024));
    eprintln!("exports  {}", list(&faces.exports));
    eprintln!("imports  {}", list(&faces.imports));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_found_by_its_files() {
        let folder = tempfile::tempdir().unwrap();
        assert!(detect(folder.path()).unwrap_err().to_string().contains("reprise plugin new"));
        for (file, language) in [
            ("policy.c", Language::C),
            ("policy.py", Language::Python),
            ("package.json", Language::JavaScript),
            ("Cargo.toml", Language::Rust),
        ] {
            std::fs::write(folder.path().join(file), "").unwrap();
            assert_eq!(detect(folder.path()).unwrap(), language);
        }
    }
}
