use std::collections::BTreeSet;
use std::process::Command;

use clap::Parser as _;
use serde_json::Value;

use super::*;
use crate::cli::plugin::build::Build;

const LANGUAGES: [Language; 4] = [Language::Rust, Language::JavaScript, Language::Python, Language::C];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a README tells its reader to type, without the remarks beside it.
fn commands(readme: &str) -> Vec<String> {
    let lines = readme.lines().filter(|line| line.starts_with("reprise "));
    lines.map(|line| line.split('#').next().unwrap_or_default().trim().to_owned()).collect()
}

#[test]
fn every_project_has_what_it_is_promised() {
    for language in LANGUAGES {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("new/project");
        make("my-policy", language, &folder).unwrap();
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
        let json = |file: &str| serde_json::from_str::<Value>(&read(file)).unwrap();
        assert_eq!(json("settings.schema.json")["type"], "object");
        assert_eq!(json("tests/cases.json")["settings"], json("settings.json"), "{language:?}");
        let readme = read("README.md");
        assert!(readme.contains("# my-policy") && !readme.contains("{{"), "{readme}");
        let commands = commands(&readme);
        for command in ["build", "test", "push", "activate", "why", "settings set", "rollback"] {
            let is_told = commands.iter().any(|told| told.starts_with(&format!("reprise plugin {command} ")));
            assert!(is_told || commands.contains(&format!("reprise plugin {command}")), "{command}: {commands:?}");
        }
        for command in commands {
            let words = command.split(' ').map(|word| word.trim_matches('\''));
            assert!(crate::cli::Cli::try_parse_from(words).is_ok(), "{command}");
        }
        for (path, text) in templates::files(language) {
            // The SDK's source is what it is.
            let filled = if path.starts_with("vendor/reprise-plugin/src/") {
                read(path) == text
            } else {
                !read(path).contains("{{")
            };
            assert!(filled, "{path} has a place that is not filled, or one that is none");
        }
    }
}

#[test]
fn what_is_there_is_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("mine"), "").unwrap();
    let error = make("my-policy", Language::Rust, scratch.path()).unwrap_err().to_string();
    assert!(error.contains("is not empty"), "{error}");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 1);
}

#[test]
fn names() {
    for good in ["a", "my-policy", "p2"] {
        check_name(good, Language::Rust).unwrap();
    }
    for bad in ["", "My", "a b", "../a", "ä", "2p", "-a", &"a".repeat(65)] {
        assert!(check_name(bad, Language::Rust).is_err(), "{bad}");
    }
    for language in LANGUAGES {
        assert_eq!(check_name("reprise-plugin", language).is_err(), language == Language::Rust, "{language:?}");
    }
}

/// Projects carry the SDK as a copy: all of it, with the dependencies that it has here.
#[test]
fn the_vendored_sdk_is_the_sdk() {
    let sdk = root().join("plugin-sdk");
    let mut there = BTreeSet::new();
    let mut folders = vec![sdk.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                there.insert(path.strip_prefix(&sdk).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let files = templates::files(Language::Rust);
    let vendored = files.iter().filter_map(|(path, _)| path.strip_prefix("vendor/reprise-plugin/"));
    let vendored: BTreeSet<String> = vendored.filter(|path| path.starts_with("src/")).map(str::to_owned).collect();
    assert_eq!(vendored, there);

    let toml = |text: &str| text.parse::<toml::Table>().unwrap();
    let manifest = |path: &str| {
        let (_, text) = files.iter().find(|(file, _)| *file == path).unwrap();
        toml(&templates::filled(text, "my-policy", Language::Rust))
    };
    let ours = toml(&std::fs::read_to_string(sdk.join("Cargo.toml")).unwrap());
    let workspace = toml(&std::fs::read_to_string(root().join("Cargo.toml")).unwrap());
    let copy = manifest("vendor/reprise-plugin/Cargo.toml");
    assert_eq!(copy["features"], ours["features"]);
    let ours = ours["dependencies"].as_table().unwrap().keys();
    let copied = copy["dependencies"].as_table().unwrap();
    assert_eq!(copied.keys().collect::<Vec<_>>(), ours.collect::<Vec<_>>());
    for (name, dependency) in copied {
        let inherited = &workspace["workspace"]["dependencies"][name];
        assert_eq!(dependency, inherited, "{name}");
    }
}

#[test]
fn a_new_rust_project_builds_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("my-policy");
    make("my-policy", Language::Rust, &folder).unwrap();
    // The dependencies are built once for all runs of this test; the versions are those that the workspace has.
    let target = root().join("target/tmp/new");
    std::fs::create_dir_all(&target).unwrap();
    std::fs::create_dir_all(folder.join(".cargo")).unwrap();
    let config = format!("[build]\ntarget-dir = {:?}\n", target.canonicalize().unwrap());
    std::fs::write(folder.join(".cargo/config.toml"), config).unwrap();
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();

    let build = Build { folder: &folder, output: None, profile: "release", language: None };
    let component = std::fs::read(build.run().unwrap()).unwrap();
    assert!(component.len() < 256 << 10, "{} bytes", component.len());
    let mut faces = reprise_policy::faces(&component).unwrap();
    faces.exports.sort();
    assert_eq!(faces.exports, ["reprise:policy/settings@0.2.0", "reprise:policy/template-group@0.2.0"]);
    assert!(faces.imports.iter().all(|name| name.starts_with("reprise:policy/")), "{:?}", faces.imports);
    let carries = |text: &[u8]| component.windows(text.len()).any(|window| window == text);
    assert!(carries(reprise_policy::SCHEMA_SECTION.as_bytes()));

    let tested = Command::new("cargo").args(["test", "--quiet"]).current_dir(&folder).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
}
