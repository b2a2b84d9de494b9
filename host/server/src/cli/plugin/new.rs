//! `reprise plugin new`: a folder with a policy that builds at once.

mod templates;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use super::build::Language;

/// Longest name of a plugin, as the server has it.
const NAME_BYTES: usize = 64;

/// The SDK's package, which lies in each Rust project: cargo takes no two packages of one name.
const SDK: &str = "reprise-plugin";

/// Makes the folder and says how to go on.
pub(super) fn run(name: &str, language: Language, folder: Option<&Path>) -> anyhow::Result<()> {
    let folder = folder.map_or_else(|| PathBuf::from(name), Path::to_owned);
    make(name, language, &folder)?;
    println!("{}", folder.display());
    eprintln!("\nNext:");
    for command in next(name, &folder) {
        eprintln!("  {command}");
    }
    Ok(())
}

/// The commands that follow, to be typed one after the other.
fn next(name: &str, folder: &Path) -> [String; 3] {
    let folder = folder.display();
    [
        format!("cd {folder}"),
        "reprise plugin build && reprise plugin test".to_owned(),
        format!("reprise plugin push build/policy.wasm --tenant TENANT --name {name} --settings settings.json"),
    ]
}

/// Writes the project's files. What is there already is never touched: the folder is new or empty.
fn make(name: &str, language: Language, folder: &Path) -> anyhow::Result<()> {
    check_name(name, language)?;
    match std::fs::read_dir(folder) {
        Ok(mut entries) => {
            ensure!(entries.next().is_none(), "{} is not empty; name another folder with --dir", folder.display());
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot use {}", folder.display())),
    }
    for (path, text) in templates::files(language) {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        let text = templates::filled(text, name, language);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The server's rule for names of plugins, and that a package can be called so.
fn check_name(name: &str, language: Language) -> anyhow::Result<()> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(fits) {
        bail!("{name:?} cannot be a plugin's name: it is 1 to {NAME_BYTES} lower-case letters, digits or hyphens");
    }
    ensure!(
        name.starts_with(|c: char| c.is_ascii_lowercase()),
        "{name:?} cannot be a package's name: it begins with a letter"
    );
    ensure!(
        language != Language::Rust || name != SDK,
        "{name:?} is the name of the SDK's own package, which the project depends on; take another"
    );
    Ok(())
}

#[cfg(test)]
mod tests;
