//! A plugin's project folder as the tools see it: its component, its tables, and whether the one is older than its
//! sources.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};

/// What code is written in, and what says how it is built. All else beside it (questions, settings, notes) is not built.
const SOURCES: [&str; 10] = ["rs", "toml", "wit", "js", "mjs", "cjs", "ts", "py", "c", "h"];

/// Files of other kinds that a component is built from.
const BUILT_FROM: [&str; 3] = ["package.json", "requirements.txt", "settings.schema.json"];

/// Folders of which everything may be built in, whatever it is.
const BUILT_IN: [&str; 2] = ["src", "assets"];

/// Folders in which nothing is an author's source.
const NOT_SOURCES: [&str; 7] = ["target", "node_modules", "dist", "build", "tests", "__pycache__", "venv"];

/// Entries of one walk through a project. Larger ones are no plugin but somebody's home folder.
const MAX_ENTRIES: usize = 20_000;

/// Where `reprise plugin build` leaves the component in a project's folder.
const COMPONENT: &str = "build/policy.wasm";

/// Where tables are, if nothing else is said.
const TABLES: &str = "tests/*.json";

/// The component that a command is about: a file as it is, or what was last built in a project's folder.
///
/// # Errors
/// When there is none, with what to do.
pub fn component_of(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let built = path.join(COMPONENT);
    if !built.is_file() {
        let folder = path.display();
        bail!(
            "{folder} is a folder in which no component was built: run `reprise plugin build {folder}` first, which \
             leaves it in {}",
            built.display()
        );
    }
    Ok(built)
}

/// A source that is newer than the component, if there is one.
pub fn newer_source(folder: &Path, component: &Path) -> Option<PathBuf> {
    let built = modified(component)?;
    let newer = |file: &PathBuf| {
        let path = file.strip_prefix(folder).unwrap_or(file);
        is_source(path) && modified(file).is_some_and(|changed| changed > built)
    };
    walk_sources(folder).ok()?.into_iter().find(newer)
}

/// Whether a build reads this file, by its path in the project.
fn is_source(path: &Path) -> bool {
    let named = |name: Option<&OsStr>, names: &[&str]| name.is_some_and(|name| names.iter().any(|one| name == *one));
    let first = path.iter().next().filter(|_| path.iter().nth(1).is_some());
    named(path.extension(), &SOURCES) || named(Some(path.as_os_str()), &BUILT_FROM) || named(first, &BUILT_IN)
}

/// The tables that patterns name, in order of their paths; without patterns, those of the project.
///
/// # Errors
/// When a pattern names nothing: a run of no cases must not look like success.
pub fn tables(folder: &Path, patterns: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if patterns.is_empty() {
        files = glob(folder, TABLES)?;
        if files.is_empty() {
            bail!(
                "there are no cases in {}; write a table of them there, or name one with --cases \
                 (`reprise plugin test --help` shows one)",
                folder.join(TABLES).display()
            );
        }
    }
    for pattern in patterns {
        let named = glob(Path::new(""), pattern)?;
        if named.is_empty() {
            bail!("--cases {pattern} names no file; patterns are from this folder, `*` within a name, `**` folders");
        }
        files.extend(named);
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Files below `base` that a pattern names. `*` and `?` stand for characters within a name, `**` for any folders.
fn glob(base: &Path, pattern: &str) -> anyhow::Result<Vec<PathBuf>> {
    let whole = base.join(pattern);
    let whole = whole.strip_prefix(".").map_or_else(|_| whole.clone(), Path::to_owned);
    let is_open = |text: &str| text.contains(['*', '?']);
    if !is_open(&whole.to_string_lossy()) || whole.is_file() {
        return Ok(if whole.is_file() { vec![whole] } else { Vec::new() });
    }
    // The part that is plain needs no search.
    let mut root = PathBuf::new();
    let mut rest: Vec<String> = Vec::new();
    for component in whole.components() {
        let text = component.as_os_str().to_string_lossy();
        if rest.is_empty() && !is_open(&text) {
            root.push(component);
        } else {
            rest.push(text.into_owned());
        }
    }
    let from = if root.as_os_str().is_empty() { Path::new(".") } else { root.as_path() };
    if !from.is_dir() {
        return Ok(Vec::new());
    }
    let files = walk(from)?.into_iter().filter_map(|file| {
        let below = file.strip_prefix(from).ok()?;
        let names: Vec<String> =
            below.components().map(|name| name.as_os_str().to_string_lossy().into_owned()).collect();
        let is_meant = path_matches(&rest, &names);
        is_meant.then(|| if root.as_os_str().is_empty() { below.to_owned() } else { file.clone() })
    });
    Ok(files.collect())
}

fn path_matches(pattern: &[String], names: &[String]) -> bool {
    match (pattern.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            path_matches(rest, names) || names.split_first().is_some_and(|(_, names)| path_matches(pattern, names))
        }
        (Some((first, rest)), Some((name, names))) => {
            let (first, name): (Vec<char>, Vec<char>) = (first.chars().collect(), name.chars().collect());
            name_matches(&first, &name) && path_matches(rest, names)
        }
        _ => false,
    }
}

fn name_matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => {
            name_matches(rest, name) || name.split_first().is_some_and(|(_, name)| name_matches(pattern, name))
        }
        (Some((first, rest)), Some((c, name))) => (*first == '?' || first == c) && name_matches(rest, name),
        _ => false,
    }
}

/// All files below a folder; nothing that is hidden, and no links, which could lead in circles.
fn walk(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    walk_but(folder, &[])
}

fn walk_sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    walk_but(folder, &NOT_SOURCES)
}

fn walk_but(folder: &Path, left_out: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let (mut files, mut folders, mut entries) = (Vec::new(), vec![folder.to_owned()], 0_usize);
    while let Some(folder) = folders.pop() {
        let listed = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in listed {
            let entry = entry?;
            entries += 1;
            if entries > MAX_ENTRIES {
                bail!("{} has more than {MAX_ENTRIES} files; name the plugin's own folder", folder.display());
            }
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let kind = entry.file_type()?;
            if name.starts_with('.') {
                continue;
            }
            if kind.is_dir() && !left_out.contains(&name.as_ref()) {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn project(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn tables_are_found_by_default_and_by_pattern() {
        let folder = project(&["tests/b.json", "tests/a.json", "tests/deep/c.json", "tests/x.txt", "other/d.json"]);
        let found = |patterns: &[&str]| {
            let patterns: Vec<String> =
                patterns.iter().map(|pattern| folder.path().join(pattern).to_string_lossy().into_owned()).collect();
            let files = tables(folder.path(), &patterns).unwrap();
            let names =
                files.iter().map(|file| file.strip_prefix(folder.path()).unwrap().to_string_lossy().into_owned());
            names.collect::<Vec<_>>()
        };
        assert_eq!(found(&[]), ["tests/a.json", "tests/b.json"]);
        assert_eq!(found(&["tests/**/*.json"]), ["tests/a.json", "tests/b.json", "tests/deep/c.json"]);
        assert_eq!(found(&["*/?.json", "tests/a.json"]), ["other/d.json", "tests/a.json", "tests/b.json"]);
        let error = tables(folder.path(), &["nowhere/*.json".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("--cases nowhere/*.json names no file"), "{error}");
        let error = tables(&folder.path().join("other"), &[]).unwrap_err().to_string();
        assert!(error.contains("there are no cases in"), "{error}");
    }

    #[test]
    fn the_built_component_of_a_folder_is_found_and_its_age_is_known() {
        let folder = project(&["src/lib.rs", "tests/a.json", COMPONENT]);
        let component = component_of(folder.path()).unwrap();
        assert_eq!(component, folder.path().join(COMPONENT));
        assert_eq!(component_of(&component).unwrap(), component);
        let age = |file: &str, seconds: u64| {
            let file = std::fs::File::options().append(true).open(folder.path().join(file)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        age(COMPONENT, 100);
        age("src/lib.rs", 100);
        assert_eq!(newer_source(folder.path(), &component), None);
        age("src/lib.rs", 101);
        assert_eq!(newer_source(folder.path(), &component), Some(folder.path().join("src/lib.rs")));

        for (file, is_built_in) in [
            ("question.json", false),
            ("settings.json", false),
            ("README.md", false),
            ("policy.wasm", false),
            ("Cargo.lock", false),
            ("tests/a.json", false),
            ("target/debug/x.rs", false),
            ("questions/src/one.json", false),
            ("settings.schema.json", true),
            ("package.json", true),
            ("policy.js", true),
            ("rules/cup.py", true),
            ("wit/world.wit", true),
            ("assets/rules/cup.json", true),
            ("src/cup.json", true),
        ] {
            let folder = project(&[COMPONENT, file]);
            let component = std::fs::File::options().append(true).open(folder.path().join(COMPONENT)).unwrap();
            component.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            let newer = newer_source(folder.path(), &folder.path().join(COMPONENT));
            assert_eq!(newer.is_some(), is_built_in, "{file}");
        }

        let empty = project(&["src/lib.rs"]);
        let error = component_of(empty.path()).unwrap_err().to_string();
        assert!(error.contains("run `reprise plugin build") && error.contains(COMPONENT), "{error}");
    }
}
